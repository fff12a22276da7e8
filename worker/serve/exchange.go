package serve

import "srvctl/proto/http1"

// Carrier is what an exchange asks of the connection that carries it. Only
// Resume may be called from another goroutine than the loop's.
type Carrier interface {
	// Receive starts delivery of the request's body to x's sink.
	Receive(x *Exchange)
	// More resumes a paused sink.
	More(x *Exchange)
	// Wake says that x's source has more.
	Wake(x *Exchange)
	// Resume runs fn on the loop and then acts on what it answered.
	Resume(x *Exchange, fn func(x *Exchange))
	// Offload runs work on the bounded pool; false when its queue is full.
	Offload(work func()) bool
	// Now is the loop's clock, in nanoseconds of CLOCK_MONOTONIC.
	Now() int64
}

// Exchange is one request and its response. It belongs to its carrier, which
// uses it again for later requests: nothing may keep it after it has ended.
type Exchange struct {
	Req Request
	Res Response

	// Site and Route are what the router chose, for logs and metrics; -1
	// before.
	Site, Route int
	// BodyLimit is the most bytes of request body that are taken.
	BodyLimit int64
	// Started is the loop's clock when the head was complete.
	Started int64
	// Scratch is free for the handler to build small bodies and fields in; it
	// is empty when an exchange begins and keeps its memory.
	Scratch []byte

	carrier Carrier
	sink    Sink
	pending int  // resumptions outstanding; the exchange lives until 0
	gone    bool // the client went away
	path    []byte
	head    []byte // own copy of the head once the exchange outlives the read
}

// Begin readies x for a request carried by c. Memory of the last use is kept.
func (x *Exchange) Begin(c Carrier) {
	x.Req.Head.Reset()
	x.Req.Buf, x.Req.Path, x.Req.Rest, x.Req.nparams = nil, nil, -1, 0
	x.Res = Response{Status: 200, Fields: x.Res.Fields[:0]}
	x.Site, x.Route = -1, -1
	x.Scratch = x.Scratch[:0]
	x.carrier, x.sink, x.pending, x.gone = c, nil, 0, false
}

// ResolvePath sets Req.Path from the head. Without anything to decode the path
// is a view of Buf.
func (x *Exchange) ResolvePath() http1.Reason {
	raw := x.Req.Head.Path.Of(x.Req.Buf)
	p, r := http1.NormalizePath(x.path[:0], raw)
	if r != http1.OK {
		return r
	}
	if len(p) > 0 && &p[0] != &raw[0] {
		x.path = p // the memory serves the next request too
	}
	x.Req.Path = p
	return http1.OK
}

// Keep copies the head out of the carrier's read buffer, so that the exchange
// can outlive it. Calling it again does nothing.
func (x *Exchange) Keep(size int) {
	if len(x.head) > 0 {
		return
	}
	raw := x.Req.Head.Path.Of(x.Req.Buf)
	view := len(raw) > 0 && len(x.Req.Path) == len(raw) && &raw[0] == &x.Req.Path[0]
	x.head = append(x.head[:0], x.Req.Buf[:size]...)
	x.Req.Buf = x.head
	if view {
		x.Req.Path = x.Req.Head.Path.Of(x.head)
	}
}

// End is for the carrier: the exchange is over. What the response held is
// released.
func (x *Exchange) End() {
	if x.Res.File != nil {
		x.Res.File.Release()
		x.Res.File = nil
	}
	if x.Res.Source != nil {
		x.Res.Source.Close()
		x.Res.Source = nil
	}
	x.Res.Ready, x.Res.Body, x.sink = nil, nil, nil
	if len(x.head) > 0 {
		x.head = x.head[:0]
	}
	if max(cap(x.Scratch), cap(x.head), cap(x.path), cap(x.Res.Fields)) > keepMost {
		x.Scratch, x.head, x.path, x.Res.Fields = nil, nil, nil, nil
		x.Req.Path = nil
	}
}

// keepMost is the largest buffer that an exchange keeps for the next request:
// one large one must not stay for ever in each that is kept.
const keepMost = 16 << 10

// Receive asks for the request's body. The sink gets all of it, or the reason
// why not. To be called at most once, before the answer.
func (x *Exchange) Receive(s Sink) {
	x.sink = s
	x.carrier.Receive(x)
}

// Sink is for the carrier: where the body goes, nil when nobody asked for it.
func (x *Exchange) Sink() Sink { return x.sink }

// More says that a sink which returned false takes data again.
func (x *Exchange) More() { x.carrier.More(x) }

// Wake says that a source which had nothing has more.
func (x *Exchange) Wake() { x.carrier.Wake(x) }

// Now is the loop's clock, in nanoseconds of CLOCK_MONOTONIC. It is read once
// a turn of the loop.
func (x *Exchange) Now() int64 { return x.carrier.Now() }

// Gone reports that the client went away. Answers are ignored from then on.
func (x *Exchange) Gone() bool { return x.gone }

// Abandon is for the carrier: the client went away.
func (x *Exchange) Abandon() { x.gone = true }

// Pending is for the carrier: whether something will still come back to x.
func (x *Exchange) Pending() bool { return x.pending > 0 }

// A Resumer brings a suspended exchange back to the loop.
type Resumer struct{ x *Exchange }

// Suspend lets a handler return without an answer. Resume of what it returns
// must be called exactly once, whatever happens: the exchange stays alive
// until then, also when the client has gone.
func (x *Exchange) Suspend() Resumer {
	x.pending++
	return Resumer{x}
}

// Resume runs fn on the loop. It may be called from any goroutine. fn is
// called also when the client has gone (Exchange.Gone), so that it can release
// what it holds.
func (r Resumer) Resume(fn func(x *Exchange)) {
	x := r.x
	x.carrier.Resume(x, func(x *Exchange) {
		if x.pending == 0 {
			// By now x may be another client's.
			panic("serve: an exchange was resumed more often than it was suspended")
		}
		x.pending--
		fn(x)
	})
}

// Offload runs work on the bounded pool and then calls then on the loop. It
// returns false, and does neither, when the pool's queue is full; Busy is the
// answer for that.
func (x *Exchange) Offload(work func(), then func(x *Exchange)) bool {
	r := x.Suspend()
	if !x.carrier.Offload(func() {
		work()
		r.Resume(then)
	}) {
		x.pending--
		return false
	}
	return true
}

// Busy answers 503 with Retry-After: the server has too much of the kind of
// work that this request needs.
func (x *Exchange) Busy() {
	x.AddField("Retry-After", "1")
	x.Error(503)
}

// Override is for the carrier: whatever was answered is dropped and the page of
// code sent as the last response of its connection.
func (x *Exchange) Override(code int) {
	if x.Res.File != nil {
		x.Res.File.Release()
	}
	if x.Res.Source != nil {
		x.Res.Source.Close()
	}
	x.Res = Response{Status: 200, Fields: x.Res.Fields[:0], Close: true}
	x.Error(code)
}
