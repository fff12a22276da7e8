package conn

import (
	"syscall"

	"srvctl/worker/serve"
)

// serveOne lets the site answer one request whose head is complete; rest is
// what follows the head. It returns how much of rest was the body, and whether
// the exchange is over: all of the body used, all of the response in s.out.
//
// What is answered must not depend on how the request was cut into packets. So
// a body that the handler did not ask for is looked at only when the response
// stands.
func (c *Conn) serveOne(x *serve.Exchange, rest []byte) (used int, whole bool) {
	s := c.srv
	c.requests++
	x.Started = s.Now
	x.BodyLimit = s.Limits.Body
	x.Req.Client, x.Req.Listener, x.Req.Secure = c.Peer, c.Listener, c.Secure
	c.began, c.framed, c.ended, c.body = false, false, false, bodyNone
	if x.Req.HasBody() {
		c.beginBody(x)
	}
	s.Site.Serve(x)
	if c.body != bodyNone {
		used = c.bodyInline(x, rest)
	}
	if x.Res.Kind != serve.FromReady && x.Res.Kind != serve.FromBytes || x.Pending() ||
		c.body != bodyNone && c.body != bodyUnread {
		return used, false
	}
	if s.draining && c.drains() && !c.follows(x, rest[used:]) {
		c.last = true
	}
	var body []byte
	s.out, body = c.render(s.out, x)
	c.began, c.ended = true, true
	if len(body) > 0 && !c.sendNow(body) {
		return used, false
	}
	if c.body == bodyUnread {
		if used = c.feed(x, rest); c.body != bodyNone {
			return used, false
		}
	}
	s.Observer.Done(c, x, c.sent)
	x.End()
	return used, true
}

// sendNow sends s.out and a body that is better not copied with one call, and
// reports whether all of it went. If not, what is left is in s.out and c.rest.
func (c *Conn) sendNow(body []byte) bool {
	s := c.srv
	n, err := c.t.Write2(s.out, body)
	if err != nil {
		n = 0 // a broken stream shows again when the rest is sent
	}
	s.Sent += int64(n)
	k := min(n, len(s.out))
	s.out = s.out[:copy(s.out, s.out[k:])]
	if body = body[n-k:]; len(s.out)+len(body) == 0 {
		return true
	}
	c.rest = body
	return false
}

// flush sends s.out. What the kernel does not take is copied and waits; then
// the connection is Busy without an exchange, and flush returns false. It also
// returns false when the connection is gone.
func (c *Conn) flush() bool {
	s := c.srv
	if len(s.out) == 0 {
		return true
	}
	n, err := c.t.Write(s.out)
	if err != nil && err != syscall.EAGAIN {
		c.abort()
		return false
	}
	s.Sent += int64(n)
	if n == len(s.out) {
		return true
	}
	c.queue(s.out[n:])
	c.dropExchange()
	c.began, c.ended, c.body = true, true, bodyNone
	c.becomeBusy()
	c.nowrite = true
	c.arm()
	c.watch()
	return false
}

// leaveFastPath goes on with an exchange that needs more than this read: its
// body, its handler or its reader. rest is what was read and not used.
func (c *Conn) leaveFastPath(x *serve.Exchange, head int, rest []byte) {
	s := c.srv
	x.Keep(head) // before save, which may write over it
	c.save(rest)
	if len(s.out) > 0 {
		c.queue(s.out)
	}
	c.becomeBusy()
	c.drive()
}

func (c *Conn) becomeBusy() {
	c.setState(Busy)
	c.begin()
	c.mark = 0
	c.t.SetDeadline(0)
}

// flushLast sends the last response of a connection and closes it. clean says
// that nothing followed the request.
func (c *Conn) flushLast(x *serve.Exchange, clean bool) {
	asked := clean && !x.Req.Persistent()
	c.dropExchange()
	c.save(nil)
	if c.flush() {
		c.finishLast(asked)
	}
}
