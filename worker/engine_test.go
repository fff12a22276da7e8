package worker_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"srvctl/proto/http1"
	"srvctl/worker/conn"
	"srvctl/worker/loop"
	"srvctl/worker/serve"
)

// patience bounds every wait for a signal; it decides nothing.
const patience = 60 * time.Second

// engine is loop and connections together, as a worker wires them, over real
// sockets.
type engine struct {
	t       testing.TB
	loop    *loop.Loop
	srv     *conn.Server
	pool    *serve.Pool
	addr    string
	done    atomic.Int64 // responses
	closed  atomic.Int64 // connections
	closedc chan struct{}
}

func (e *engine) Done(*conn.Conn, *serve.Exchange, int64)    { e.done.Add(1) }
func (e *engine) Refused(*conn.Conn, http1.Reason)           {}
func (e *engine) Rejected(*conn.Conn, int)                   {}
func (e *engine) Aborted(*conn.Conn, *serve.Exchange, int64) {}

func (e *engine) Closed(*conn.Conn) {
	e.closed.Add(1)
	select {
	case e.closedc <- struct{}{}:
	default:
	}
}

func (e *engine) Accepted(s *loop.Socket, listener int) {
	c := e.srv.Accept(s, s.Peer(), listener)
	s.SetEvents(c)
	c.Start()
}

func (e *engine) Short(err error, _ *loop.Socket, _ int) { e.t.Errorf("accepting pauses: %v", err) }

// newEngine serves site until the test ends.
func newEngine(t testing.TB, site serve.HandlerFunc) *engine {
	t.Helper()
	l, err := loop.New()
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{t: t, loop: l, pool: serve.NewPool(4, 100), closedc: make(chan struct{}, 1)}
	e.srv = conn.NewServer(conn.Limits{
		Head: http1.Limits{RequestLine: 8 << 10, HeaderBytes: 32 << 10, HeaderCount: 100},
		Body: 64 << 20, HeaderTimeout: 10e9, KeepAlive: 75e9, MinRate: 240, Grace: 5e9, DrainIdle: 1e8,
	})
	e.srv.Site, e.srv.Observer, e.srv.Post, e.srv.Pool = site, e, l.Post, e.pool.Submit
	e.srv.SetDate(time.Now())
	l.Woken = func(now int64) { e.srv.Now = now }
	fd := e.listen()
	if _, err := l.Listen(fd, 0, false, e); err != nil {
		t.Fatal(err)
	}
	donec := make(chan error, 1)
	go func() { donec <- l.Run() }()
	t.Cleanup(func() {
		e.pool.Close()
		e.on(func() { l.Each(func(ev loop.Events) { ev.(*conn.Conn).Cut() }) })
		e.on(func() {
			if s := e.srv; s.Idle != 0 || s.Inflight != 0 || s.Writing != 0 || l.Sockets() != 0 {
				t.Errorf("at the end: idle %d, in flight %d, writing %d, sockets %d; want none", s.Idle, s.Inflight, s.Writing, l.Sockets())
			}
		})
		l.Stop()
		if err := wait(t, donec, "the loop to end"); err != nil {
			t.Error(err)
		}
		l.Close()
		unix.Close(fd)
	})
	return e
}

func (e *engine) listen() (fd int) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		e.t.Fatal(err)
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		e.t.Fatal(err)
	}
	if err := unix.Listen(fd, 4096); err != nil {
		e.t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		e.t.Fatal(err)
	}
	e.addr = "127.0.0.1:" + strconv.Itoa(sa.(*unix.SockaddrInet4).Port)
	return fd
}

// on runs f on the loop and waits for it.
func (e *engine) on(f func()) {
	e.t.Helper()
	done := make(chan struct{})
	e.loop.Post(func() { f(); close(done) })
	wait(e.t, done, "the loop to run a function")
}

func wait[T any](t testing.TB, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
	return v
}

// browser is a client with one connection.
type browser struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func (e *engine) browser() *browser {
	e.t.Helper()
	c, err := net.Dial("tcp", e.addr)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return newBrowser(e.t, c)
}

func newBrowser(t testing.TB, c net.Conn) *browser { return &browser{c, t, bufio.NewReader(c)} }

func readResponse(r *bufio.Reader) (*http.Response, error) { return http.ReadResponse(r, nil) }

func (b *browser) send(s string) {
	b.t.Helper()
	if _, err := io.WriteString(b, s); err != nil {
		b.t.Fatal(err)
	}
}

// read reads the head of a response.
func (b *browser) read() *http.Response {
	b.t.Helper()
	res, err := readResponse(b.r)
	if err != nil {
		b.t.Fatal(err)
	}
	return res
}

// get asks for path and returns the body.
func (b *browser) get(path string) string {
	b.t.Helper()
	b.send("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
	return b.body()
}

func (b *browser) body() string {
	b.t.Helper()
	body, err := io.ReadAll(b.read().Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(body)
}

func path(x *serve.Exchange) string { return string(x.Req.Head.Path.Of(x.Req.Buf)) }

// hello answers with its own path.
func hello(x *serve.Exchange) {
	x.Scratch = append(x.Scratch, path(x)...)
	x.Bytes(x.Scratch)
}

// A handler that blocks does so on the pool, and holds up nobody else.
func TestBlockingHandler(t *testing.T) {
	block, began := make(chan struct{}), make(chan struct{}, 10)
	e := newEngine(t, func(x *serve.Exchange) {
		if path(x) != "/block" {
			hello(x)
			return
		}
		x.Offload(func() { began <- struct{}{}; <-block }, hello)
	})
	var blocked []*browser
	for range 3 {
		b := e.browser()
		b.send("GET /block HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n")
		wait(t, began, "the handler to block")
		blocked = append(blocked, b)
	}
	b := e.browser()
	for i := range 200 {
		if want := fmt.Sprint("/other/", i); b.get(want) != want {
			t.Fatal("another client got a wrong response")
		}
	}
	close(block)
	for _, b := range blocked {
		if got := b.body() + b.body(); got != "/block/next" {
			t.Errorf("the blocked client got %q", got)
		}
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
