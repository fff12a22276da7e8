package conn_test

import (
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"srvctl/proto/http1"
	"srvctl/worker/conn"
	"srvctl/worker/serve"
)

// sinkhole is a Transport that costs next to nothing: each Read gives the next
// of the pieces, and what is written is counted and gone. Once blocked, the
// next write takes half.
type sinkhole struct {
	pieces  []string
	next    int
	written int
	block   bool
}

func (s *sinkhole) Read(p []byte) (int, error) {
	if s.next == len(s.pieces) {
		return 0, syscall.EAGAIN
	}
	n := copy(p, s.pieces[s.next])
	s.next++
	return n, nil
}

func (s *sinkhole) Write(p []byte) (int, error) { return s.Write2(p, nil) }

func (s *sinkhole) WriteMore(p []byte) (int, error) { return s.Write2(p, nil) }

func (s *sinkhole) Write2(a, b []byte) (int, error) {
	n := len(a) + len(b)
	if s.block {
		s.block = false
		n /= 2
	}
	s.written += n
	return n, nil
}

func (s *sinkhole) SendFile(_ int, _ int64, n int) (int, error) { return n, nil }
func (s *sinkhole) Unsent() int                                 { return 0 }
func (s *sinkhole) Watch(_, _ bool)                             {}
func (s *sinkhole) SetDeadline(int64)                           {}
func (s *sinkhole) Requeue()                                    {}
func (s *sinkhole) CloseWrite()                                 {}
func (s *sinkhole) Close()                                      {}
func (s *sinkhole) Abort()                                      {}

type deaf struct{}

func (deaf) Done(*conn.Conn, *serve.Exchange, int64)    {}
func (deaf) Refused(*conn.Conn, http1.Reason)           {}
func (deaf) Rejected(*conn.Conn, int)                   {}
func (deaf) Aborted(*conn.Conn, *serve.Exchange, int64) {}
func (deaf) Closed(*conn.Conn)                          {}

// The request that wrk sends, and one of a browser's size.
const (
	wrkRequest     = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"
	browserRequest = "GET /wp-content/uploads/2010/03/hello-kitty-darth-vader-pink.jpg HTTP/1.1\r\n" +
		"Host: www.kittyhell.com\r\n" +
		"User-Agent: Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10.6; ja-JP-mac; rv:1.9.2.3) Gecko/20100401 Firefox/3.6.3 Pathtraq/0.9\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
		"Accept-Language: ja,en-us;q=0.7,en;q=0.3\r\n" +
		"Accept-Encoding: gzip,deflate\r\n" +
		"Accept-Charset: Shift_JIS,utf-8;q=0.7,*;q=0.7\r\n" +
		"Keep-Alive: 115\r\nConnection: keep-alive\r\n" +
		"Cookie: wp_ozh_wsa_visits=2; wp_ozh_wsa_visit_lasttime=xxxxxxxxxx; __utma=xxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.x\r\n\r\n"
)

// fast is the traffic of the fast path, and a little beside it. None of it may
// allocate.
var fast = []struct {
	name   string
	pieces []string // of one run
	each   int      // requests in a run
	site   func() serve.Handler
	block  bool
}{
	{name: "KeepAlive", pieces: []string{wrkRequest}, each: 1},
	{name: "Browser", pieces: []string{browserRequest}, each: 1},
	{name: "Head", pieces: []string{"HEAD" + wrkRequest[3:]}, each: 1},
	{name: "Pipelined16", pieces: []string{strings.Repeat(wrkRequest, 16)}, each: 16},
	{name: "Pipelined500", pieces: []string{strings.Repeat(wrkRequest, 500)}, each: 500},
	{name: "Bytes100", pieces: []string{wrkRequest}, each: 1, site: bytesOf(100)},
	{name: "Bytes16K", pieces: []string{wrkRequest}, each: 1, site: bytesOf(16 << 10)},
	{name: "Post", pieces: []string{post("/", "a small body")}, each: 1, site: echo},
	{name: "PostChunked", pieces: []string{postChunked("/", "a small body")}, each: 1, site: ready},
	{name: "SplitHead", pieces: []string{wrkRequest[:20], wrkRequest[20:]}, each: 1},
	{name: "SplitBody", pieces: []string{post("/", ""), post("/", "a small body")[:60], post("/", "a small body")[60:]}, each: 2, site: echo},
	{name: "ShortWrite", pieces: []string{wrkRequest}, each: 1, block: true},
	{name: "ShortWrite16K", pieces: []string{wrkRequest}, each: 1, block: true, site: bytesOf(16 << 10)},
	{name: "Stream", pieces: []string{wrkRequest}, each: 1, site: streamOf(10_000)},
	{name: "Close", pieces: []string{"GET / HTTP/1.0\r\n\r\n"}, each: 1},
}

func ready() serve.Handler {
	r := serve.NewReady(200, []byte("Content-Type: text/plain\r\n"), []byte("Hello, World!\n"))
	return serve.HandlerFunc(func(x *serve.Exchange) { x.Send(r) })
}

func echo() serve.Handler { return serve.NewEcho("body") }

func bytesOf(n int) func() serve.Handler {
	body := make([]byte, n)
	return func() serve.Handler {
		return serve.HandlerFunc(func(x *serve.Exchange) {
			x.AddField("Content-Type", "text/plain")
			x.Bytes(body)
		})
	}
}

func streamOf(n int) func() serve.Handler {
	return func() serve.Handler {
		src := &endless{}
		return serve.HandlerFunc(func(x *serve.Exchange) { src.left = n; x.Stream(src, -1) })
	}
}

// endless gives n bytes of nothing.
type endless struct{ left int }

func (e *endless) Read(_ *serve.Exchange, p []byte) (int, error) {
	n := min(len(p), e.left)
	if e.left -= n; e.left == 0 {
		return n, io.EOF
	}
	return n, nil
}

func (e *endless) Close() {}

// runner returns a function that serves the pieces of one run.
func runner(tb testing.TB, i int) (run func(), written *int) {
	test := fast[i]
	site := ready
	if test.site != nil {
		site = test.site
	}
	srv := conn.NewServer(limits)
	srv.Site, srv.Observer, srv.Now = site(), deaf{}, 1000*second
	srv.SetDate(time.Unix(0, 0))
	hole := &sinkhole{pieces: test.pieces}
	c := srv.Accept(hole, peer, 0)
	return func() {
		if c.State() == conn.Closed {
			c = srv.Accept(hole, peer, 0)
		}
		hole.next, hole.written, hole.block = 0, 0, test.block
		for range test.pieces {
			c.Readable()
			for c.State() == conn.Busy && hole.next == len(hole.pieces) {
				c.Writable()
			}
		}
		for c.Held() > 0 {
			c.Continue()
		}
		if s := c.State(); s != conn.Idle && s != conn.Closed {
			tb.Fatalf("%s: connection is %v", test.name, s)
		}
	}, &hole.written
}

func TestFastPathDoesNotAllocate(t *testing.T) {
	for i, test := range fast {
		run, written := runner(t, i)
		if n := testing.AllocsPerRun(200, run); n != 0 {
			t.Errorf("%s: %v allocations for %d requests, want 0", test.name, n, test.each)
		}
		if *written == 0 {
			t.Errorf("%s: nothing was answered", test.name)
		}
	}
}

// BenchmarkRequest is the time of a request without its system calls.
func BenchmarkRequest(b *testing.B) {
	for i, test := range fast {
		b.Run(test.name, func(b *testing.B) {
			run, _ := runner(b, i)
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*test.each), "ns/request")
		})
	}
}
