package worker_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/worker/serve"
)

// tape gives bytes that say where they are.
type tape struct {
	at, length int64
	read       atomic.Int64 // for the test to look at
}

func (s *tape) Read(_ *serve.Exchange, p []byte) (int, error) {
	n := int(min(int64(len(p)), s.length-s.at))
	fillFrom(p[:n], s.at)
	s.at += int64(n)
	s.read.Store(s.at)
	if s.at == s.length {
		return n, io.EOF
	}
	return n, nil
}

func (s *tape) Close() {}

func fillFrom(p []byte, at int64) {
	for i := range p {
		p[i] = byte((at + int64(i)) * 7 >> 3)
	}
}

// A response of 64 MiB to a reader that is slower than the source takes no
// memory to speak of: the source is asked for what fits.
func TestLargeResponseToASlowReader(t *testing.T) {
	const length = 64 << 20
	for _, chunked := range []bool{false, true} {
		src := &tape{length: length}
		e := newEngine(t, func(x *serve.Exchange) {
			if chunked {
				x.Stream(src, -1)
			} else {
				x.Stream(src, length)
			}
		})
		b := e.browser()
		_ = b.Conn.(*net.TCPConn).SetReadBuffer(16 << 10)
		before := heap()
		b.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		res := b.read()
		buf, want := make([]byte, 64<<10), make([]byte, 64<<10)
		for at := int64(0); at < length; at += int64(len(buf)) {
			if _, err := io.ReadFull(res.Body, buf); err != nil {
				t.Fatal(err)
			}
			if fillFrom(want, at); !bytes.Equal(buf, want) {
				t.Fatalf("wrong bytes at %d", at)
			}
			if at%(8<<20) == 0 {
				e.on(func() {}) // it has gone as far as it can
				if ahead := src.read.Load() - at; ahead > 12<<20 {
					t.Errorf("the source is %d bytes ahead of its reader: more than buffers of the kernel", ahead)
				}
				if grown := heap() - before; grown > 2<<20 {
					t.Errorf("the heap has grown by %d bytes at %d", grown, at)
				}
			}
		}
		if n, err := res.Body.Read(buf); n != 0 || err != io.EOF {
			t.Errorf("%d bytes behind the body, %v", n, err)
		}
	}
}

// hall echoes with a bounded queue: it pauses the client when that is full.
type hall struct {
	x       *serve.Exchange
	queue   []byte
	begun   bool
	whole   bool
	paused  bool
	most    int
	pausedc chan struct{} // told of the first pause
}

const hallRoom = 256 << 10

func (h *hall) Data(x *serve.Exchange, p []byte) bool {
	h.queue = append(h.queue, p...)
	h.most = max(h.most, len(h.queue))
	if !h.begun {
		h.begun = true
		x.Stream(h, x.Req.ContentLength)
	}
	x.Wake()
	if h.paused = len(h.queue) >= hallRoom; h.paused {
		select {
		case h.pausedc <- struct{}{}:
		default:
		}
	}
	return !h.paused
}

func (h *hall) End(x *serve.Exchange, err error) { h.whole = true; x.Wake() }

func (h *hall) Read(x *serve.Exchange, p []byte) (int, error) {
	n := copy(p, h.queue)
	h.queue = h.queue[:copy(h.queue, h.queue[n:])]
	if h.paused && len(h.queue) < hallRoom/2 {
		h.paused = false
		x.More()
	}
	if h.whole && len(h.queue) == 0 {
		return n, io.EOF
	}
	return n, nil
}

func (h *hall) Close() {}

// 16 MiB are sent by a client that reads nothing until the server has stopped
// reading from it. Then all of it comes back.
func TestUploadWithBackPressure(t *testing.T) {
	const length = 16 << 20
	h := &hall{pausedc: make(chan struct{}, 1)}
	e := newEngine(t, func(x *serve.Exchange) {
		if path(x) == "/echo" {
			serve.NewEcho("body").Serve(x)
			return
		}
		h.x = x
		x.Receive(h)
	})
	data := make([]byte, length)
	fillFrom(data, 0)
	for _, target := range []string{"/hall", "/echo"} {
		b := e.browser()
		sentc := make(chan error, 1)
		go func() {
			_, err := fmt.Fprintf(b, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", target, length)
			if err == nil {
				_, err = b.Write(data)
			}
			sentc <- err
		}()
		if target == "/hall" {
			wait(t, h.pausedc, "the server to stop reading")
		}
		got, err := io.ReadAll(b.read().Body)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes came back, %v; want %d, the same", target, len(got), err, length)
		}
		if err := wait(t, sentc, "the client to have sent all"); err != nil {
			t.Error(err)
		}
		if got := b.get("/echo"); got != "" {
			t.Errorf("the next request of the connection got %q", got)
		}
	}
	e.on(func() {
		if h.most > hallRoom+64<<10 {
			t.Errorf("%d bytes were held, want one read more than %d at most", h.most, hallRoom)
		}
	})
}

// rawClient is a connection without memory of its own in this process.
func rawClient(t *testing.T, addr string) int {
	t.Helper()
	var port int
	_, _ = fmt.Sscanf(addr, "127.0.0.1:%d", &port)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	return fd
}

// rawGet asks over a raw connection and looks for a response.
func rawGet(t *testing.T, fd int) {
	t.Helper()
	var buf [512]byte
	if _, err := unix.Write(fd, []byte("GET /x HTTP/1.1\r\nHost: h\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.Read(fd, buf[:]); err != nil || !strings.HasPrefix(string(buf[:n]), "HTTP/1.1 200 OK\r\n") {
		t.Fatalf("read %q, %v", buf[:max(n, 0)], err)
	}
}

func TestIdleConnections(t *testing.T) {
	const clients = 2000
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 2*clients+100 {
		t.Skipf("NOT RUN: %d descriptors are too few", limit.Cur)
	}
	e := newEngine(t, hello)
	rawGet(t, rawClient(t, e.addr)) // what is made once is made now
	before := heap()
	fds := make([]int, clients)
	for i := range fds {
		fds[i] = rawClient(t, e.addr)
		rawGet(t, fds[i])
	}
	t.Cleanup(func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	})
	e.on(func() {
		if e.srv.Idle != clients+1 {
			t.Errorf("%d connections are idle, want %d", e.srv.Idle, clients+1)
		}
	})
	each := (heap() - before) / clients
	t.Logf("%d bytes of heap for each idle connection", each)
	if each > 400 {
		t.Errorf("an idle connection takes %d bytes of heap, want 400 at most", each)
	}
	for _, fd := range fds {
		rawGet(t, fd)
	}
}

func TestPipelinedLoad(t *testing.T) {
	e := newEngine(t, hello)
	const clients, rounds, depth = 8, 20, 100
	var wg sync.WaitGroup
	for c := range clients {
		b := e.browser()
		wg.Go(func() {
			for round := range rounds {
				var out strings.Builder
				for i := range depth {
					fmt.Fprintf(&out, "GET /%d/%d/%d HTTP/1.1\r\nHost: h\r\n\r\n", c, round, i)
				}
				b.send(out.String())
				for i := range depth {
					if got, want := b.body(), fmt.Sprintf("/%d/%d/%d", c, round, i); got != want {
						t.Errorf("got %q, want %q", got, want)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if got := e.done.Load(); got != clients*rounds*depth {
		t.Errorf("%d responses were counted, want %d", got, clients*rounds*depth)
	}
}
