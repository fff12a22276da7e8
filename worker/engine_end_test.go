package worker_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"srvctl/worker/conn"
	"srvctl/worker/loop"
	"srvctl/worker/serve"
)

// A client that goes away while its handler blocks frees its connection, and
// the exchange when the handler is through.
func TestClientGoneWhileTheHandlerBlocks(t *testing.T) {
	block, began, gone := make(chan struct{}), make(chan struct{}), make(chan bool, 1)
	e := newEngine(t, func(x *serve.Exchange) {
		if path(x) != "/block" {
			hello(x)
			return
		}
		x.Offload(func() { close(began); <-block }, func(x *serve.Exchange) {
			gone <- x.Gone()
			hello(x)
		})
	})
	b := e.browser()
	b.send("GET /block HTTP/1.1\r\nHost: h\r\n\r\n")
	wait(t, began, "the handler to block")
	_ = b.Conn.(*net.TCPConn).SetLinger(0)
	b.Close()
	wait(t, e.closedc, "the connection to be closed")
	other := e.browser() // has the memory of the first, maybe
	if got := other.get("/a"); got != "/a" {
		t.Errorf("another client got %q", got)
	}
	close(block)
	if !wait(t, gone, "the handler to come back") {
		t.Error("the handler was not told that its client is gone")
	}
	if got := other.get("/b"); got != "/b" {
		t.Errorf("another client got %q", got)
	}
}

// A drain closes idle connections after the quiet window, and the others with
// their response.
func TestDrainOfAnEngine(t *testing.T) {
	block, began := make(chan struct{}), make(chan struct{})
	e := newEngine(t, func(x *serve.Exchange) {
		if path(x) != "/block" {
			hello(x)
			return
		}
		x.Offload(func() { close(began); <-block }, hello)
	})
	idle, busy, asking := e.browser(), e.browser(), e.browser()
	idle.get("/")
	asking.get("/")
	busy.send("GET /block HTTP/1.1\r\nHost: h\r\n\r\n")
	wait(t, began, "the handler to block")
	e.on(func() {
		e.srv.Drain()
		e.loop.Each(func(ev loop.Events) { ev.(*conn.Conn).Drain() })
	})
	asking.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	for _, b := range []*browser{asking, idle, busy} {
		if b == busy {
			close(block)
		}
		all, err := io.ReadAll(b.r)
		if err != nil || b != idle && !strings.Contains(string(all), "\r\nConnection: close\r\n") || b == idle && len(all) > 0 {
			t.Errorf("client got %q, %v; want its response and the end", all, err)
		}
	}
}

// liar promises more than it has.
type liar struct{ tape }

// The client sees that a body is not whole, whatever its framing.
func TestCutResponse(t *testing.T) {
	e := newEngine(t, func(x *serve.Exchange) {
		l := &liar{tape{length: 1000}}
		if path(x) == "/length" {
			x.Stream(l, 2000)
			return
		}
		x.Stream(failing{}, -1)
	})
	for _, test := range []struct{ target, version string }{{"/length", "1.1"}, {"/chunks", "1.1"}, {"/chunks", "1.0"}} {
		b := e.browser()
		b.send("GET " + test.target + " HTTP/" + test.version + "\r\nHost: h\r\n\r\n")
		if all, err := io.ReadAll(b.r); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s of %s: client read %d bytes and %v, want ECONNRESET", test.target, test.version, len(all), err)
		}
	}
}

type failing struct{}

func (failing) Read(_ *serve.Exchange, p []byte) (int, error) { return len(p), errors.New("broken") }
func (failing) Close()                                        {}

// A reader that takes nothing is not waited for for ever.
func TestStuckReader(t *testing.T) {
	e := newEngine(t, func(x *serve.Exchange) { x.Stream(&tape{length: 1 << 30}, 1<<30) })
	e.on(func() { e.srv.Limits.MinRate, e.srv.Limits.Grace = 1<<20, 1e8 })
	b := e.browser()
	b.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	wait(t, e.closedc, "the connection to be closed")
	if _, err := io.Copy(io.Discard, b.r); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("client reads %v in the end, want ECONNRESET", err)
	}
}

// A reader that is slow but takes something all the time is waited for, though
// the kernel's buffer is so large that nothing can be written for many windows.
func TestSlowButDecentReader(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for three windows of the minimum rate; `make test` runs it without -short")
	}
	e := newEngine(t, func(x *serve.Exchange) { x.Stream(&tape{length: 1 << 30}, 1<<30) })
	tickc := make(chan struct{}, 100)
	e.on(func() {
		e.srv.Limits.MinRate, e.srv.Limits.Grace = 1000, 1e9
		e.loop.Timer(1e8, func() int64 { tickc <- struct{}{}; return 1e8 })
	})
	b := e.browser()
	_ = b.Conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	b.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	writes, last := 0, int64(0)
	for i := range 28 {
		wait(t, tickc, "time to pass")
		if _, err := io.ReadFull(b.r, make([]byte, 16<<10)); err != nil {
			t.Fatalf("after %d reads: %v", i, err)
		}
		e.on(func() {
			if e.srv.Sent != last {
				writes, last = writes+1, e.srv.Sent
			}
		})
	}
	if writes > 10 {
		t.Errorf("something could be written in %d of 28 ticks: the test shows nothing", writes)
	}
	if e.closed.Load() != 0 {
		t.Error("the connection was closed")
	}
}
