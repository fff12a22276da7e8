package conn_test

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"srvctl/worker/conn"
	"srvctl/worker/serve"
)

// site answers by path: "/kind" or "/kind/number". What it keeps is for the
// test to look at.
type site struct {
	host      *host
	suspended []serve.Resumer
	sinks     []*sink
	sources   []*source
	opened    []*file
	cold      bool // files are not in memory
	xs        []*serve.Exchange
	small     *serve.Ready
	large     *serve.Ready
	echo      serve.Handler
}

func newSite(t testing.TB) *site {
	s := &site{
		small: serve.NewReady(200, []byte("Content-Type: text/plain\r\n"), []byte("hello")),
		large: serve.NewReady(200, nil, pattern(60_000)),
		echo:  serve.NewEcho("body"),
	}
	s.host = newHost(t, s)
	t.Cleanup(func() {
		for len(s.suspended) > 0 && !t.Failed() {
			s.resume(func(x *serve.Exchange) { x.Send(s.small) })
		}
	})
	return s
}

// Serve is the Handler's.
func (s *site) Serve(x *serve.Exchange) {
	kind, arg, _ := strings.Cut(strings.TrimPrefix(string(x.Req.Head.Path.Of(x.Req.Buf)), "/"), "/")
	n, _ := strconv.Atoi(arg)
	s.xs = append(s.xs, x)
	switch kind {
	case "hello":
		x.Send(s.small)
	case "large":
		x.Send(s.large)
	case "bytes":
		x.Bytes(pattern(n))
	case "path": // a body that needs no memory of the request's
		x.Scratch = append(x.Scratch, "you asked for "+arg...)
		x.Bytes(x.Scratch)
	case "status":
		x.SetStatus(n)
		x.Bytes(nil)
	case "close":
		x.CloseAfter()
		x.Send(s.small)
	case "file":
		x.SendFile(s.file(n), 0, int64(n))
	case "chunks", "stream", "slow":
		src := s.source(kind, n)
		length := int64(n)
		if kind == "chunks" {
			length = -1
		}
		x.Stream(src, length)
	case "suspend":
		s.suspended = append(s.suspended, x.Suspend())
	case "offload":
		if !x.Offload(func() {}, func(x *serve.Exchange) { x.Send(s.small) }) {
			x.Busy()
		}
	case "echo":
		s.echo.Serve(x)
	case "never":
	case "collect", "pause":
		x.Receive(s.sink(x, kind))
	case "limit": // as collect, with another limit
		x.BodyLimit = int64(n)
		x.Receive(s.sink(x, "collect"))
	case "late": // asks for the body after a while
		x.Offload(func() {}, func(x *serve.Exchange) { x.Receive(s.sink(x, "collect")) })
	default:
		x.Error(404)
	}
}

// resume answers the oldest suspended exchange.
func (s *site) resume(answer func(x *serve.Exchange)) {
	r := s.suspended[0]
	s.suspended = s.suspended[1:]
	r.Resume(answer)
	s.host.run()
}

// file is n bytes of pattern.
type file struct {
	fd       int
	size     int // now; a test may cut it
	resident bool
	stubborn bool // says it is not resident even when it is
	loads    int
	changed  bool
	released int
}

func (s *site) file(n int) *file {
	f := &file{fd: 100 + len(s.opened), size: n, resident: !s.cold}
	s.opened = append(s.opened, f)
	s.host.files[f.fd] = f
	s.host.bodies = append(s.host.bodies, f)
	return f
}

func (f *file) FD() int                     { return f.fd }
func (f *file) Resident(off, n int64) bool  { return f.resident && !f.stubborn }
func (f *file) Intact() bool                { return !f.changed }
func (f *file) Load(off, n int64)           { f.loads++; f.resident = true }
func (f *file) Release()                    { f.released++ }
func (f *file) ended() (what string, n int) { return fmt.Sprintf("file %d", f.fd), f.released }

// source gives the pattern, in pieces.
type source struct {
	x      *serve.Exchange
	left   int
	at     int
	have   int // of it there already, -1 for all
	fail   error
	closed int
	eofs   bool // io.EOF comes with the last bytes
}

var errSource = errors.New("source failed")

func (s *site) source(kind string, n int) *source {
	src := &source{left: n, have: -1, eofs: n%2 == 0}
	if kind == "slow" {
		src.have = 0
	}
	s.sources = append(s.sources, src)
	s.host.bodies = append(s.host.bodies, src)
	return src
}

// Read is the Source's.
func (s *source) Read(x *serve.Exchange, p []byte) (int, error) {
	s.x = x
	n := min(len(p), s.left)
	if s.have >= 0 {
		n = min(n, s.have)
		s.have -= n
	}
	copy(p, pattern(s.at + n)[s.at:])
	s.at += n
	s.left -= n
	switch {
	case s.fail != nil && s.have == 0:
		return n, s.fail
	case s.left == 0 && (s.eofs || n == 0):
		return n, io.EOF
	}
	return n, nil
}

// Close is the Source's.
func (s *source) Close() { s.closed++ }

// gives n bytes more.
func (s *source) gives(w *host, n int) {
	s.have += n
	s.x.Wake()
	w.run()
}

func (s *source) ended() (string, int) { return "source", s.closed }

// sink collects a body and answers with its length and beginning.
type sink struct {
	x      *serve.Exchange
	pause  bool // takes one piece, then waits for More
	got    []byte
	pieces int
	ends   int
	err    error
}

func (s *site) sink(x *serve.Exchange, kind string) *sink {
	k := &sink{x: x, pause: kind == "pause"}
	s.sinks = append(s.sinks, k)
	s.host.bodies = append(s.host.bodies, k)
	return k
}

// Data is the Sink's.
func (k *sink) Data(x *serve.Exchange, p []byte) bool {
	k.got = append(k.got, p...)
	k.pieces++
	return !k.pause
}

// End is the Sink's.
func (k *sink) End(x *serve.Exchange, err error) {
	k.ends++
	k.err = err
	x.Scratch = append(x.Scratch, "got "+abridged(k.got)...)
	x.Bytes(x.Scratch)
}

func (k *sink) ended() (string, int) { return "sink", k.ends }

// more lets a paused sink go on.
func (k *sink) more(w *host) {
	k.x.More()
	w.run()
}

func errorPage(code int) []byte { return serve.ErrorPage(code).Body() }

func (s *site) srv() *conn.Server { return s.host.srv }
