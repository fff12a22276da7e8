package conn_test

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"srvctl/proto/http1"
	"srvctl/worker/conn"
	"srvctl/worker/serve"
)

// host is a loop without epoll: one Server, its clients and a clock that only
// moves when the test says so.
type host struct {
	t       testing.TB
	srv     *conn.Server
	clients []*client
	mu      sync.Mutex
	posted  []func()
	pool    []func() // work that was offloaded and not run yet
	full    bool     // the pool takes nothing
	hold    bool     // the pool keeps work until runPool

	files  map[int]*file
	bodies []counted // everything that must be ended exactly once

	done, closed int
	refused      []string
	rejected     []int
	aborted      []end
	heads        int   // of them
	codes        []int // of the responses that were handed over whole
	accepted     int
}

// counted is what a handler gave away: it must be let go of once.
type counted interface {
	ended() (what string, times int)
}

const (
	second_ = time.Second
	second  = int64(second_)
)

var limits = conn.Limits{
	Head:          http1.Limits{RequestLine: 8 << 10, HeaderBytes: 32 << 10, HeaderCount: 100},
	Body:          1 << 20,
	HeaderTimeout: 10 * second,
	KeepAlive:     75 * second,
	MinRate:       240,
	Grace:         5 * second,
	DrainIdle:     2 * second,
}

const date = "Sun, 22 Nov 2026 12:00:00 GMT"

// newHost makes a host that serves h. When the test ends every client leaves,
// and nothing may be left behind.
func newHost(t testing.TB, h serve.Handler) *host {
	w := &host{t: t, srv: conn.NewServer(limits), files: map[int]*file{}}
	w.srv.Site, w.srv.Observer, w.srv.Now = h, w, 1000*second
	w.srv.SetDate(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
	w.srv.Post = func(f func()) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.posted = append(w.posted, f)
	}
	w.srv.Pool = func(f func()) bool {
		if !w.full {
			w.pool = append(w.pool, f)
		}
		return !w.full
	}
	t.Cleanup(w.finish)
	return w
}

func (w *host) Done(_ *conn.Conn, x *serve.Exchange, _ int64) {
	w.done++
	w.codes = append(w.codes, x.Res.Status)
}
func (w *host) Closed(*conn.Conn)               { w.closed++ }
func (w *host) Rejected(_ *conn.Conn, code int) { w.rejected = append(w.rejected, code) }
func (w *host) Aborted(_ *conn.Conn, x *serve.Exchange, body int64) {
	w.aborted = append(w.aborted, end{x.Res.Status, body})
}

// end is how an exchange ended whose response did not go whole.
type end struct {
	status int
	body   int64
}

func (w *host) Refused(c *conn.Conn, r http1.Reason) {
	w.refused = append(w.refused, r.String())
	if c.Exchange() == nil {
		w.heads++
	}
}

var peer = netip.MustParseAddr("192.0.2.7")

// dial connects a client, which takes all that is sent to it.
func (w *host) dial() *client {
	c := w.prepare()
	c.start()
	return c
}

// prepare is dial without start: the test may send something first.
func (w *host) prepare() *client {
	return &client{wire: wire{t: w.t, host: w, room: -1, mostRead: 1 << 30}}
}

func (c *client) start() {
	w := c.host
	c.conn = w.srv.Accept(&c.wire, peer, 3)
	w.clients = append(w.clients, c)
	w.accepted++
	c.conn.Start()
	w.run()
}

// run is turns of the loop until nothing happens any more.
func (w *host) run() {
	w.t.Helper()
	for turn := 0; w.turn(); turn++ {
		if turn > 200_000 {
			w.t.Fatal("the loop spins")
		}
	}
	for _, c := range w.clients {
		if err := c.conn.Check(c.queued); err != nil && !c.gone() {
			w.t.Fatalf("connection: %v", err)
		}
	}
}

// turn is one turn of the loop; false when nothing happened.
func (w *host) turn() (busy bool) {
	for _, c := range w.clients {
		busy = c.events() || busy
	}
	for _, c := range w.clients {
		if c.queued && !c.gone() {
			c.queued = false
			c.conn.Continue()
			busy = true
		}
	}
	w.mu.Lock()
	posted := w.posted
	w.posted = nil
	w.mu.Unlock()
	for _, f := range posted {
		f()
		busy = true
	}
	if !w.hold && len(w.pool) > 0 {
		w.runPool()
		busy = true
	}
	return busy
}

// runPool does the work that was offloaded; what comes of it is posted.
func (w *host) runPool() {
	work := w.pool
	w.pool = nil
	for _, f := range work {
		f()
	}
}

// pass lets time pass, deadline by deadline.
func (w *host) pass(d time.Duration) {
	w.t.Helper()
	end := w.srv.Now + int64(d)
	for {
		var next *client
		for _, c := range w.clients {
			if !c.gone() && c.deadline != 0 && c.deadline <= end && (next == nil || c.deadline < next.deadline) {
				next = c
			}
		}
		if next == nil {
			break
		}
		w.srv.Now = max(w.srv.Now, next.deadline)
		next.deadline = 0
		next.conn.Expired()
		w.run()
	}
	w.srv.Now = end
}

// finish lets everybody go and looks for what was left behind.
func (w *host) finish() {
	if w.t.Failed() {
		return
	}
	w.hold, w.full = false, false
	w.run()
	for _, c := range w.clients {
		c.hangsUp()
	}
	for _, b := range w.bodies {
		if r, ok := b.(interface{ leave() }); ok {
			r.leave()
		}
	}
	w.run()
	s := w.srv
	if s.Idle != 0 || s.Inflight != 0 || s.Writing != 0 {
		w.t.Errorf("gauges at the end: idle %d inflight %d writing %d, want 0", s.Idle, s.Inflight, s.Writing)
	}
	if w.closed != w.accepted {
		w.t.Errorf("%d connections accepted, %d closed", w.accepted, w.closed)
	}
	for _, b := range w.bodies {
		if what, n := b.ended(); n != 1 {
			w.t.Errorf("%s: ended %d times, want once", what, n)
		}
	}
}

// witness notes how long the body of a response was said to be.
type witness struct {
	*host
	body *int64
}

func (w *witness) Done(c *conn.Conn, x *serve.Exchange, body int64) {
	*w.body = body
	w.host.Done(c, x, body)
}
