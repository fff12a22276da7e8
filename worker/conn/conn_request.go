package conn

import (
	"io"
	"syscall"

	"srvctl/proto/http1"
	"srvctl/worker/serve"
)

// Start looks for a first request at once, since it is often already there,
// and then waits for events.
func (c *Conn) Start() {
	c.Readable()
	c.watch()
}

// Readable is called when bytes, the end of the stream or an error wait.
func (c *Conn) Readable() {
	switch c.state {
	case Idle, Head:
		c.readRequests()
	case Busy:
		c.readBody()
	case Lingering:
		c.discard()
	}
}

// Continue is called in the turn after one that ended for fairness.
func (c *Conn) Continue() {
	switch c.state {
	case Idle, Head:
		if len(c.in) == 0 {
			c.readRequests()
			return
		}
		c.requestsFrom(c.srv.in[:copy(c.srv.in, c.in)])
	case Busy:
		c.drive()
	}
}

// readRequests reads once. There is no second read after it: what is left in
// the kernel makes the connection readable again.
func (c *Conn) readRequests() {
	s := c.srv
	have := copy(s.in, c.in)
	if have == len(s.in) { // pipelined requests that wait for their turn
		c.requestsFrom(s.in)
		return
	}
	n, err := c.t.Read(s.in[have:])
	if n > 0 {
		s.Received += int64(n)
		c.requestsFrom(s.in[:have+n])
		return
	}
	if err != syscall.EAGAIN {
		c.close()
	}
}

// requestsFrom serves the requests in buf, which begins at the head that
// c.in holds a part of. Responses gather in s.out and leave with one write.
func (c *Conn) requestsFrom(buf []byte) {
	s := c.srv
	s.out = s.out[:0]
	pos, served := 0, 0
	for pos < len(buf) {
		if served == turnCount || len(s.out) >= turnBytes {
			c.pauseForOthers(buf[pos:])
			return
		}
		x := c.x
		if x == nil {
			x = s.takeExchange()
			x.Begin(c)
			c.x = x
		}
		n, r := x.Req.Head.Parse(buf[pos:], &s.Limits.Head)
		if n == 0 {
			if r != http1.OK {
				c.refuse(r)
				return
			}
			break
		}
		x.Req.Buf = buf[pos : pos+n]
		c.headBytes = n
		pos += n
		served++
		used, whole := c.serveOne(x, buf[pos:])
		pos += used
		if !whole {
			c.save(buf[pos:])
			c.leaveFastPath()
			return
		}
		if c.last {
			c.flushLast(x)
			return
		}
		x.Begin(c)
	}
	c.afterRequests(buf[pos:], served)
}

// afterRequests ends a turn in which everything that arrived whole has been
// answered. rest is the beginning of a head, or nothing.
func (c *Conn) afterRequests(rest []byte, served int) {
	s := c.srv
	x := c.x
	if len(rest) == 0 {
		c.x = nil
		s.giveExchange(x)
		if c.in != nil {
			s.drop(c.in)
			c.in = nil
		}
		if !c.flush() {
			return
		}
		c.becomeIdle()
		return
	}
	c.save(rest)
	if len(s.out) > 0 && !c.flush() {
		return
	}
	if served > 0 || c.state == Idle {
		c.since = s.Now
		c.t.SetDeadline(s.Now + s.Limits.HeaderTimeout)
	}
	if c.state != Head {
		c.setState(Head)
	}
}

func (c *Conn) becomeIdle() {
	s := c.srv
	if c.state != Idle {
		c.setState(Idle)
	}
	c.since = s.Now
	wait := s.Limits.KeepAlive
	if s.draining {
		wait = min(wait, s.Limits.DrainIdle)
	}
	c.t.SetDeadline(s.Now + wait)
}

// pauseForOthers ends the turn of a connection that has had its share.
func (c *Conn) pauseForOthers(rest []byte) {
	c.save(rest)
	x := c.x
	c.x = nil
	c.srv.giveExchange(x)
	if !c.flush() {
		return
	}
	c.becomeIdle()
	c.t.Requeue()
}

// save keeps what was read and not used.
func (c *Conn) save(p []byte) {
	if len(p) == 0 {
		if c.in != nil {
			c.srv.drop(c.in)
			c.in = nil
		}
		return
	}
	if c.in == nil {
		c.in = c.srv.keep(p)
		return
	}
	c.in = append(c.in[:0], p...)
}

// serveOne lets the site answer one request whose head is complete; rest is
// what follows the head. It returns how much of rest was the body, and whether
// the exchange is over: all of the body used, all of the response in s.out.
func (c *Conn) serveOne(x *serve.Exchange, rest []byte) (used int, whole bool) {
	s := c.srv
	c.requests++
	x.Started = s.Now
	x.BodyLimit = s.Limits.Body
	x.Req.Client, x.Req.Listener, x.Req.Secure = c.Peer, c.Listener, c.Secure
	c.began, c.framed, c.ended, c.sent, c.body, c.bodySent = false, false, false, 0, bodyNone, 0
	if x.Req.HasBody() {
		c.beginBody(x)
	}
	s.Site.Serve(x)
	if c.body != bodyNone {
		used = c.bodyInline(x, rest)
	}
	if (x.Res.Kind != serve.FromReady && x.Res.Kind != serve.FromBytes) || c.body != bodyNone || x.Pending() {
		return used, false
	}
	var body []byte
	s.out, body = c.render(s.out, x)
	if len(body) > 0 && !c.sendNow(body) {
		c.began, c.ended, c.rest = true, true, body[c.bodySent:]
		return used, false
	}
	s.Observer.Done(c, x, c.sent)
	x.End()
	return used, true
}

// sendNow sends s.out and a body that is better not copied with one call, and
// reports whether all of it went. If not, what is left of s.out stays there,
// and c.bodySent says how much of the body has gone.
func (c *Conn) sendNow(body []byte) bool {
	s := c.srv
	n, err := c.t.Write2(s.out, body)
	if err != nil {
		return false
	}
	s.Sent += int64(n)
	k := min(n, len(s.out))
	s.out = s.out[:copy(s.out, s.out[k:])]
	c.bodySent = n - k
	return c.bodySent == len(body)
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
	s.Sent += int64(n)
	if n == len(s.out) {
		return true
	}
	if err != nil && err != syscall.EAGAIN {
		c.abort()
		return false
	}
	c.out = append(c.out, s.out[n:]...)
	if x := c.x; x != nil {
		// A partial head is parsed anew from c.in when the tail has gone.
		c.x = nil
		s.giveExchange(x)
	}
	c.began, c.ended, c.body = true, true, bodyNone
	c.setState(Busy)
	c.waitWritable()
	c.watch()
	return false
}

// flushLast sends the last response of a connection and closes it: at once
// when the client asked for that and nothing of its own is unread.
func (c *Conn) flushLast(x *serve.Exchange) {
	c.x = nil
	asked := !x.Req.Persistent()
	c.srv.giveExchange(x)
	c.save(nil)
	if c.flush() {
		c.finishLast(asked)
	}
}

func (c *Conn) finishLast(asked bool) {
	if asked && !c.noread {
		c.close()
		return
	}
	c.linger()
}

// leaveFastPath goes on with an exchange that needs more than this read: its
// body, its handler or its reader.
func (c *Conn) leaveFastPath() {
	s := c.srv
	c.x.Keep(c.headBytes)
	if len(s.out) > 0 {
		c.out = append(c.out, s.out...)
		s.out = s.out[:0]
	}
	c.setState(Busy)
	c.mark = 0
	c.t.SetDeadline(0)
	c.drive()
}

// refuse answers a head that cannot be understood and closes.
func (c *Conn) refuse(r http1.Reason) {
	c.srv.Observer.Refused(c, r)
	c.answerAndClose(r.Status())
}

// answerAndClose sends the page of a status as the last response.
func (c *Conn) answerAndClose(code int) {
	s := c.srv
	if x := c.x; x != nil {
		c.x = nil
		x.End()
		s.giveExchange(x)
	}
	c.save(nil)
	c.last = true
	s.out, _ = serve.ErrorPage(code).Append(s.out, s.date[:], optionClose, nil, false)
	if c.flush() {
		c.linger()
	}
}

// Hangup is called when the stream is broken in both directions.
func (c *Conn) Hangup() { c.close() }

// linger ends the sending direction and throws away what still comes, so that
// the reset which unread bytes cause does not overtake the response
// (RFC 9112 section 9.6).
func (c *Conn) linger() {
	if c.state == Lingering {
		return
	}
	c.save(nil)
	c.setState(Lingering)
	c.since = c.srv.Now
	c.noread, c.nowrite = false, false
	c.t.CloseWrite()
	c.t.SetDeadline(c.srv.Now + lingerSilence)
	c.watch()
}

// nginx's lingering_timeout and lingering_time.
const (
	lingerSilence = 5e9
	lingerTotal   = 30e9
)

func (c *Conn) discard() {
	s := c.srv
	n, err := c.t.Read(s.in)
	s.Received += int64(n)
	if err == syscall.EAGAIN {
		return
	}
	if err == io.EOF || err != nil || s.Now-c.since > lingerTotal {
		c.close()
		return
	}
	c.t.SetDeadline(s.Now + lingerSilence)
}
