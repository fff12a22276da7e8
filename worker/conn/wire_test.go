package conn_test

import (
	"errors"
	"io"
	"syscall"
	"testing"
)

// errReset is what a broken stream answers.
var errReset = error(syscall.ECONNRESET)

// wire is a Transport in memory.
type wire struct {
	t    testing.TB
	host *host

	in       []byte // sent by the client, not read yet
	eof      bool   // the client sends no more
	broken   bool   // every call fails
	mostRead int    // at a time
	taken    int    // bytes read before the sending direction ended
	out      []byte // what the client got
	room     int    // bytes that the kernel takes until the client reads; -1: all
	most     int    // bytes that one call takes, 0: all
	unsent   int

	read, write bool // watched
	deadline    int64
	queued      bool
	shut        bool
	ending      string // "closed" or "aborted"

	calls  int // of those that move bytes
	nreads int
	writes int
	failAt int // the call that breaks the stream, 0 for none
}

func (w *wire) gone() bool { return w.ending != "" }

func (w *wire) use() {
	if w.gone() {
		w.t.Helper()
		w.t.Fatalf("transport used after it was %s", w.ending)
	}
}

// call counts a call that moves bytes, and breaks the stream if it is its turn.
func (w *wire) call() error {
	w.use()
	w.calls++
	if w.calls == w.failAt {
		w.broken = true
	}
	if w.broken {
		return errReset
	}
	return nil
}

func (w *wire) Read(p []byte) (int, error) {
	if err := w.call(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		w.t.Error("read into nothing")
	}
	w.nreads++
	n := copy(p[:min(len(p), w.mostRead)], w.in)
	w.in = w.in[n:]
	if !w.shut {
		w.taken += n
	}
	switch {
	case n > 0:
		return n, nil
	case w.eof:
		return 0, io.EOF
	}
	return 0, syscall.EAGAIN
}

func (w *wire) Write(p []byte) (int, error) { return w.Write2(p, nil) }

func (w *wire) WriteMore(p []byte) (int, error) { return w.Write2(p, nil) }

func (w *wire) Write2(a, b []byte) (int, error) {
	if err := w.call(); err != nil {
		return 0, err
	}
	if w.shut {
		w.t.Error("write after CloseWrite")
	}
	w.writes++
	all := len(a) + len(b)
	n := w.takes(all)
	if n == 0 && all > 0 {
		return 0, syscall.EAGAIN
	}
	w.out = append(w.out, a[:min(n, len(a))]...)
	w.out = append(w.out, b[:max(0, n-len(a))]...)
	return n, nil
}

// takes is how many of n bytes the kernel takes now.
func (w *wire) takes(n int) int {
	if w.most > 0 {
		n = min(n, w.most)
	}
	if w.room >= 0 {
		n = min(n, w.room)
		w.room -= n
	}
	return n
}

func (w *wire) SendFile(fd int, off int64, n int) (int, error) {
	if err := w.call(); err != nil {
		return 0, err
	}
	f := w.host.files[fd]
	if f == nil || f.released > 0 {
		return 0, errors.New("sendfile from a file that is not open")
	}
	if !f.resident && !f.stubborn {
		w.t.Error("sendfile would wait for the disk")
	}
	n = min(n, max(0, f.size-int(off)))
	if n == 0 {
		return 0, nil
	}
	if n = w.takes(n); n == 0 {
		return 0, syscall.EAGAIN
	}
	w.out = append(w.out, pattern(int(off) + n)[off:]...)
	return n, nil
}

func (w *wire) Unsent() int            { w.use(); return w.unsent }
func (w *wire) Watch(read, write bool) { w.use(); w.read, w.write = read, write }
func (w *wire) SetDeadline(at int64)   { w.use(); w.deadline = at }
func (w *wire) Requeue()               { w.use(); w.queued = true }
func (w *wire) CloseWrite()            { w.use(); w.shut = true }
func (w *wire) Close()                 { w.use(); w.ending = "closed" }
func (w *wire) Abort()                 { w.use(); w.ending = "aborted" }
