package logging

import (
	"bytes"
	"io"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// pipeBytes is PIPE_BUF of Linux. POSIX: "Write requests of {PIPE_BUF} bytes
	// or less shall not be interleaved with data from other processes doing
	// writes on the same pipe."
	pipeBytes = 4096
	// patience is how long the writer of a full pipe waits for its reader before
	// it drops what it holds: collectors of logs pause for seconds at times, and
	// the queues in front of it hold about as much. hurry is its length when the
	// process wants to end. A reader that has used it up gets none until it reads
	// again.
	patience = 5 * time.Second
	hurry    = time.Second
	// glance is how often a waiting writer looks whether there is a hurry.
	glance = 100 * time.Millisecond
	// reserve is the space on disk that is left alone: with it a batch is refused
	// whole, before a write could tear a line where the disk ends.
	reserve = 64 << 10
)

// An output writes batches of whole lines to one file, in the way its kind
// needs. It belongs to one goroutine at a time.
//
// O_NONBLOCK is never set: it is a property of the open file description,
// which a pipe or terminal shares with processes that do not expect it.
type output struct {
	file    *os.File
	fd      int
	regular bool
	nowait  bool         // the kernel may be asked not to wait; false once it has refused
	stalled bool         // the reader has used up its patience and not read since
	ending  *atomic.Bool // set by whoever wants to close, from another goroutine
	rest    []byte       // end of a line whose beginning is written: goes first, next time

	// The system calls, so that tests can make them fail.
	write func(fd int, p []byte) (int, error)
	now   func(fd int, p []byte) (int, error)
	ready func(fd int, wait time.Duration) bool
	free  func(fd int) (bytes uint64, known bool)
}

func newOutput(f *os.File, ending *atomic.Bool) *output {
	o := &output{file: f, nowait: true, ending: ending, write: unix.Write, now: writeNow, ready: ready, free: free}
	// Not f.Fd(), which makes the description blocking for everyone.
	if c, err := f.SyscallConn(); err == nil {
		c.Control(func(fd uintptr) { o.fd = int(fd) })
	}
	o.regular = isRegular(f)
	return o
}

func isRegular(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// close closes the file, unless it is the process's own. It returns the number
// of lines that are now incomplete.
func (o *output) close() (lost int) {
	if o.file != os.Stdout && o.file != os.Stderr {
		o.file.Close()
	}
	if len(o.rest) > 0 {
		lost = 1
	}
	return lost
}

// put writes whole lines and returns how many of them were lost.
func (o *output) put(batch []byte) (lost int) {
	if len(batch) == 0 {
		return 0
	}
	if len(o.rest) > 0 {
		batch = append(o.rest, batch...)
	}
	var n int
	if o.regular {
		n = o.putFile(batch)
	} else {
		n = o.putStream(batch)
	}
	return o.keep(batch, n)
}

// keep remembers the rest of a line that was cut at n and returns the number
// of lines behind it.
func (o *output) keep(batch []byte, n int) (lost int) {
	begun := len(o.rest) > 0
	o.rest = nil
	if n == len(batch) {
		return 0
	}
	if n > 0 && batch[n-1] != '\n' || n == 0 && begun {
		end := n + bytes.IndexByte(batch[n:], '\n') + 1
		o.rest = bytes.Clone(batch[n:end])
		n = end
	}
	return bytes.Count(batch[n:], newline)
}

var newline = []byte{'\n'}

// putFile writes to a regular file that was opened with O_APPEND: the kernel
// puts each write at the end in one piece, whoever else appends. It returns
// the bytes written.
func (o *output) putFile(p []byte) (n int) {
	if space, known := o.free(o.fd); known && space < uint64(len(p))+reserve {
		return 0
	}
	for n < len(p) {
		m, err := o.write(o.fd, p[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || m <= 0 {
			break // the disk, a quota or a limit: the next batch finds out if it is over
		}
		n += m
	}
	return n
}

// putStream writes to a pipe, terminal, socket or device, pieces of whole
// lines that a pipe takes in one piece. It gives up when the reader takes
// nothing for as long as it has patience.
func (o *output) putStream(p []byte) (n int) {
	progress := time.Now()
	for n < len(p) {
		m, err := o.putNow(wholeLines(p[n:], pipeBytes))
		n += m
		left := o.patience() - time.Since(progress)
		switch {
		case m > 0:
			progress, o.stalled = time.Now(), false
		case err == unix.EINTR:
		case err == unix.EAGAIN && left > 0:
			o.ready(o.fd, min(left, glance))
		default:
			o.stalled = true
			return n
		}
	}
	return n
}

func (o *output) patience() time.Duration {
	switch {
	case o.stalled:
		return 0
	case o.ending.Load():
		return hurry
	}
	return patience
}

// putNow writes what can be written without waiting.
func (o *output) putNow(p []byte) (int, error) {
	if o.nowait {
		n, err := o.now(o.fd, p)
		if err != unix.EOPNOTSUPP && err != unix.ENOSYS && err != unix.EINVAL {
			return max(n, 0), err
		}
		o.nowait = false // an older kernel, or a terminal
	}
	// A pipe that is ready takes PIPE_BUF bytes at once, unless another process
	// was quicker just now; then this goroutine waits, and only this one.
	if !o.ready(o.fd, 0) {
		return 0, unix.EAGAIN
	}
	n, err := o.write(o.fd, p)
	return max(n, 0), err
}

// tryLine writes one line to a stream if that is possible without waiting.
func (o *output) tryLine(line []byte) bool {
	if o.regular || len(o.rest) > 0 || len(line) > pipeBytes {
		return false
	}
	n, err := o.putNow(line)
	if n == 0 && (err == unix.EAGAIN || err == unix.EINTR) {
		return false
	}
	return n > 0 && o.keep(line, n) == 0
}

// wholeLines returns the longest start of p that is whole lines and at most
// limit bytes, or the first line if that is longer.
func wholeLines(p []byte, limit int) []byte {
	if len(p) <= limit {
		return p
	}
	if i := bytes.LastIndexByte(p[:limit], '\n'); i >= 0 {
		return p[:i+1]
	}
	if i := bytes.IndexByte(p, '\n'); i >= 0 {
		return p[:i+1]
	}
	return p
}

func writeNow(fd int, p []byte) (int, error) {
	return unix.Pwritev2(fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
}

// ready waits until fd can be written, or is broken, which write will tell.
func ready(fd int, wait time.Duration) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, int((wait+time.Millisecond-1)/time.Millisecond))
	return err == nil && n > 0
}

// free returns the space that this process may still use on the disk of fd.
func free(fd int) (bytes uint64, known bool) {
	var s unix.Statfs_t
	if err := unix.Fstatfs(fd, &s); err != nil || s.Blocks == 0 {
		return 0, false // some file systems do not say
	}
	blocks := s.Bavail
	if unix.Geteuid() == 0 {
		blocks = s.Bfree
	}
	return blocks * uint64(s.Bsize), true
}

// asFile returns w as a file, for which there is an output.
func asFile(w io.Writer) (*os.File, bool) {
	f, ok := w.(*os.File)
	return f, ok && f != nil
}
