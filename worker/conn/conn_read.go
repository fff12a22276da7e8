package conn

import (
	"syscall"

	"srvctl/proto/http1"
	"srvctl/worker/serve"
)

// Start waits for a first request. To look for it at once does not pay: of new
// connections 19 in 20 have not sent it yet when they are accepted. What came
// with one that was resumed has its turn soon.
func (c *Conn) Start() {
	c.watch()
	if c.state == Idle && len(c.in) > 0 {
		c.t.Requeue()
	}
}

// Readable is called when bytes, the end of the stream or an error wait.
func (c *Conn) Readable() {
	switch c.state {
	case Idle:
		if len(c.in) == 0 { // otherwise its turn comes, with what it has
			c.readRequests()
		}
	case Head:
		c.readRequests()
	case Busy:
		c.readBody()
	case Lingering:
		c.discard()
	}
}

// Continue is called when the turn has come that was asked for: to be fair to
// others, or because a handler has more.
func (c *Conn) Continue() {
	switch c.state {
	case Idle:
		if len(c.in) > 0 {
			c.requestsFrom(c.in)
		}
	case Busy:
		c.drive()
	}
}

// readRequests reads once. There is no second read after it: what is left in
// the kernel makes the connection readable again. There is always room, since
// what c.in holds is the part of a head, and a whole one fits.
func (c *Conn) readRequests() {
	s := c.srv
	have := copy(s.in, c.in)
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

// requestsFrom serves the requests in buf, which is c.in, or begins with a
// copy of it. Responses gather in s.out and leave with one write.
func (c *Conn) requestsFrom(buf []byte) {
	s := c.srv
	c.begin()
	s.out = s.out[:0]
	pos, served, moved := 0, 0, int64(0)
	for pos < len(buf) {
		if served == turnCount || moved >= turnBytes {
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
		pos += n
		served++
		used, whole := c.serveOne(x, buf[pos:])
		pos += used
		if !whole {
			c.leaveFastPath(x, n, buf[pos:])
			return
		}
		if c.last {
			c.flushLast(x, pos == len(buf))
			return
		}
		moved += c.sent
		x.Begin(c)
	}
	c.afterRequests(buf[pos:], served)
}

// afterRequests ends a turn in which everything that arrived whole has been
// answered. rest is the beginning of a head, or nothing.
func (c *Conn) afterRequests(rest []byte, served int) {
	s := c.srv
	c.save(rest)
	if len(rest) == 0 {
		c.dropExchange()
		if c.flush() {
			c.becomeIdle()
		}
		return
	}
	if !c.flush() {
		return
	}
	if served > 0 || c.state == Idle {
		c.since = s.Now
		c.t.SetDeadline(s.Now + s.Limits.HeaderTimeout)
	}
	if c.state != Head {
		c.setState(Head)
	}
	c.finish()
	if s.draining {
		c.offer()
	}
}

func (c *Conn) becomeIdle() {
	s := c.srv
	if c.state != Idle {
		c.setState(Idle)
	}
	c.finish()
	c.since = s.Now
	c.t.SetDeadline(s.Now + c.silence())
	if s.draining {
		c.offer()
	}
}

// pauseForOthers ends the turn of a connection that has had its share.
func (c *Conn) pauseForOthers(rest []byte) {
	c.save(rest)
	c.dropExchange()
	if c.flush() {
		c.becomeIdle()
		c.t.Requeue()
	}
}

// dropExchange gives back an exchange that nothing was asked of, at most the
// part of a head, which stays in c.in and is parsed anew.
func (c *Conn) dropExchange() {
	if x := c.x; x != nil {
		c.x = nil
		c.srv.giveExchange(x)
	}
}

// save keeps what was read and not used. p may be a part of c.in.
func (c *Conn) save(p []byte) {
	switch {
	case len(p) == 0:
		if c.in != nil {
			c.srv.drop(c.in)
			c.in = nil
		}
	case c.in == nil:
		c.in = c.srv.keep(p)
	default:
		c.in = append(c.in[:0], p...)
	}
}

// queue copies p behind what is to be sent.
func (c *Conn) queue(p []byte) {
	if c.out == nil {
		c.out = c.srv.keep(p)
		return
	}
	c.out = append(c.out, p...)
}

// readBody reads when a request is being served: its body, or nothing if that
// is not wanted now. Not wanting is made known to the transport only when
// something did come, which is rare.
func (c *Conn) readBody() {
	if c.body != bodyFlowing && c.body != bodyUnread {
		c.noread = true
		c.watch()
		return
	}
	if len(c.in) > 0 { // what came before goes first
		c.drive()
		return
	}
	s := c.srv
	n, err := c.t.Read(s.in)
	if n == 0 {
		if err != syscall.EAGAIN {
			c.bodyEnded()
		}
		return
	}
	s.Received += int64(n)
	c.progress += int64(n)
	c.driving = true
	used := c.feed(c.x, s.in[:n])
	c.driving = false
	if c.state == Busy {
		c.save(s.in[used:n])
	}
	c.drive()
}

// bodyEnded is called when the stream has ended within a body. A response that
// does not need it gets its chance.
func (c *Conn) bodyEnded() {
	if c.body == bodyFlowing && !c.ended {
		c.end(c.began)
		return
	}
	c.driving = true
	c.failBody(c.x, serve.ErrGone, 400)
	c.driving = false
	c.drive()
}
