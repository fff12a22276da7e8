package conn

import (
	"srvctl/worker/serve"
)

// drive takes a Busy connection as far as it goes without waiting. It is called
// for an event of the loop, never from a callback: those kick.
func (c *Conn) drive() {
	c.driving = true
	for c.again = true; c.again && c.state == Busy; {
		c.again = false
		c.step()
	}
	c.driving = false
	if c.state == Closed {
		c.recycle()
		return
	}
	if c.state == Busy {
		c.arm()
	}
	c.watch()
}

// kick makes sure that drive runs soon: once more if it is running, otherwise in
// a turn of its own. Never at once: a callback may come in the middle of another
// connection's request, and the buffers that drive uses are shared.
func (c *Conn) kick() {
	switch {
	case c.driving:
		c.again = true
	case c.state == Busy:
		c.t.Requeue()
	}
}

// step moves the body on, then the response, then ends the exchange.
func (c *Conn) step() {
	x := c.x
	c.nowrite, c.retry = false, false
	if x == nil { // the tail of responses that are over otherwise
		if c.push(false) {
			c.next(false)
		}
		return
	}
	if c.body != bodyNone {
		c.moveBody(x)
		if c.state != Busy {
			return
		}
	}
	if !c.began {
		if !c.answer(x) {
			if len(c.out) > 0 {
				c.push(false) // 100 (Continue), or earlier responses
			}
			return
		}
		c.beginResponse(x)
	}
	for !c.ended {
		if len(c.out) >= headRoom && !c.push(false) {
			return
		}
		if !c.produce(x) {
			// A head does not wait for a source that has nothing yet.
			if c.state == Busy && !c.nowrite && !c.loading {
				c.push(false)
			}
			return
		}
	}
	if c.push(false) {
		c.endExchange(x)
	}
}

// headRoom is how much may wait in out while the body's first bytes are
// fetched, so that a head leaves together with them.
const headRoom = 4 << 10

// answer reports whether there is an answer to send. A handler that neither
// answered nor has anything outstanding never will.
func (c *Conn) answer(x *serve.Exchange) bool {
	if x.Res.Kind != serve.Unanswered {
		c.settleBody(x)
		return true
	}
	if x.Pending() || c.body == bodyFlowing || c.body == bodyPaused {
		return false
	}
	x.Override(500)
	c.settleBody(x)
	return true
}

// endExchange is called when all of the response has gone. What is left of the
// request's body is read first, unless the connection closes anyway.
func (c *Conn) endExchange(x *serve.Exchange) {
	if c.body == bodyFlowing || c.body == bodyPaused {
		// Answered before the body was complete: nobody waits for the rest.
		if c.unreadable(x) {
			c.last = true
		}
		c.body, c.bodySeen = bodyUnread, 0
		x.Sink().End(x, serve.ErrGone)
	}
	if c.body == bodyUnread && !c.last {
		c.again = len(c.in) > 0
		return
	}
	asked := !x.Req.Persistent() && c.body == bodyNone && len(c.in) == 0
	c.srv.Observer.Done(c, x, c.sent)
	c.x = nil
	c.release(x)
	c.next(asked)
}

// next goes on to the next request of the connection, or ends it.
func (c *Conn) next(asked bool) {
	if c.last {
		c.finishLast(asked)
		return
	}
	c.noread, c.nowrite = false, false
	c.becomeIdle()
	if len(c.in) > 0 {
		c.t.Requeue()
	}
}

// Wake is called by a source that has more.
func (c *Conn) Wake(x *serve.Exchange) {
	if c.x == x {
		c.kick()
	}
}

// Resume runs fn on the loop, from any goroutine.
func (c *Conn) Resume(x *serve.Exchange, fn func(x *serve.Exchange)) {
	c.srv.Post(func() { c.resumed(x, fn) })
}

// resumed is Resume on the loop. By now c may serve another client, but x is
// not used again before its last resumption.
func (c *Conn) resumed(x *serve.Exchange, fn func(x *serve.Exchange)) {
	if c.x == x {
		c.driving = true
		fn(x)
		c.driving = false
		c.drive()
		return
	}
	fn(x)
	if !x.Pending() {
		x.End()
		c.srv.giveExchange(x)
	}
}

// Offload runs work on the pool.
func (c *Conn) Offload(work func()) bool { return c.srv.Pool(work) }

// Now is the loop's clock.
func (c *Conn) Now() int64 { return c.srv.Now }

// Writable is called when the transport takes bytes again.
func (c *Conn) Writable() {
	c.nowrite = false
	if c.state == Busy {
		c.drive()
	}
}

// watch tells the transport what is wanted.
func (c *Conn) watch() {
	if c.t != nil {
		c.t.Watch(!c.noread, c.nowrite)
	}
}
