package servetest

import (
	"sync"

	"srvctl/proto/http1"
	"srvctl/worker/serve"
)

// Carrier carries exchanges. The zero value is ready for use and runs offloaded
// work at once.
type Carrier struct {
	// Clock is what Now answers.
	Clock int64
	// Hold keeps offloaded work until RunPool; Full refuses it.
	Hold, Full bool
	// Offloaded counts the work the pool has taken.
	Offloaded int

	work []func()
	runs []*Run
	mu   sync.Mutex
	post []func() // from Resume
}

// Now is the loop's clock.
func (c *Carrier) Now() int64 { return c.Clock }

// Offload runs work, keeps it, or refuses it.
func (c *Carrier) Offload(work func()) bool {
	switch {
	case c.Full:
		return false
	case c.Hold:
		c.work = append(c.work, work)
	default:
		work()
	}
	c.Offloaded++
	return true
}

// Held is how much offloaded work waits for RunPool.
func (c *Carrier) Held() int { return len(c.work) }

// RunPool runs the work that was held, and what came of it on the loop.
func (c *Carrier) RunPool() {
	work := c.work
	c.work = nil
	for _, w := range work {
		w()
	}
	c.Turn()
}

// Resume posts fn to the loop.
func (c *Carrier) Resume(x *serve.Exchange, fn func(x *serve.Exchange)) {
	c.mu.Lock()
	c.post = append(c.post, func() { fn(x) })
	c.mu.Unlock()
}

// Turn is a turn of the loop: what was posted runs, and then every exchange
// goes as far as it can.
func (c *Carrier) Turn() {
	for {
		c.mu.Lock()
		post := c.post
		c.post = nil
		c.mu.Unlock()
		if len(post) == 0 {
			break
		}
		for _, fn := range post {
			fn()
		}
	}
	for _, r := range c.runs {
		r.step()
	}
}

// Receive starts delivery of the body.
func (c *Carrier) Receive(x *serve.Exchange) { c.run(x).receiving = true }

// More resumes it.
func (c *Carrier) More(x *serve.Exchange) { c.run(x).paused = false }

// Wake lets the source be read again.
func (c *Carrier) Wake(x *serve.Exchange) { c.run(x).dry = false }

func (c *Carrier) run(x *serve.Exchange) *Run {
	for _, r := range c.runs {
		if r.X == x {
			return r
		}
	}
	panic("servetest: exchange of another carrier")
}

// Do serves one request to its end: a head, whose line ends may be "\n", and
// the deliveries of its body, without their framing.
func (c *Carrier) Do(h serve.Handler, head string, body ...string) Response {
	r := c.Start(h, head, body...)
	for range 1000 {
		c.Turn()
		if r.Done() {
			break
		}
		c.RunPool()
	}
	r.End()
	return r.Response()
}

// Start lets h serve a request and returns; Turn takes it on.
func (c *Carrier) Start(h serve.Handler, head string, body ...string) *Run {
	r := &Run{X: &serve.Exchange{}, c: c, body: body, readLimit: -1}
	c.runs = append(c.runs, r)
	n := Parse(r.X, c, head)
	r.X.BodyLimit = 1 << 20
	h.Serve(r.X)
	if r.X.Res.Kind == serve.Unanswered {
		buf := r.X.Req.Buf
		r.X.Keep(n)
		clear(buf)
	}
	return r
}

// Parse readies x for the request with that head and returns its length. Line
// ends may be "\n". It panics when the head is refused: the test is wrong.
func Parse(x *serve.Exchange, c serve.Carrier, head string) int {
	n, r := parse(x, c, head)
	if n == 0 {
		panic("servetest: " + r.Text() + " in " + head)
	}
	return n
}

// Parses reports whether the head, whose line ends may be "\n", is one.
func Parses(head string) bool {
	n, _ := parse(&serve.Exchange{}, nil, head)
	return n > 0
}

func parse(x *serve.Exchange, c serve.Carrier, head string) (int, http1.Reason) {
	buf := make([]byte, 0, len(head)+64)
	for i := range len(head) {
		if head[i] == '\n' && (i == 0 || head[i-1] != '\r') {
			buf = append(buf, '\r')
		}
		buf = append(buf, head[i])
	}
	for len(buf) < 4 || string(buf[len(buf)-4:]) != "\r\n\r\n" {
		buf = append(buf, "\r\n"...)
	}
	x.Begin(c)
	lim := http1.Limits{RequestLine: 16 << 10, HeaderBytes: 32 << 10, HeaderCount: 200}
	n, r := x.Req.Parse(buf, &lim)
	if n != len(buf) {
		return 0, r
	}
	x.Req.Buf = buf
	return n, r
}
