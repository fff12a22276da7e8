package conn

import (
	"syscall"

	"srvctl/proto/http1"
	"srvctl/worker/serve"
)

// nginx's lingering_timeout and lingering_time.
const (
	lingerSilence = 5e9
	lingerTotal   = 30e9
)

// refuse answers a head that cannot be understood and closes.
func (c *Conn) refuse(r http1.Reason) {
	c.dropExchange()
	c.srv.Observer.Refused(c, r)
	c.answerAndClose(r.Status())
}

// answerAndClose sends the page of a status behind what s.out holds, as the
// last response.
func (c *Conn) answerAndClose(code int) {
	s := c.srv
	c.dropExchange()
	c.save(nil)
	c.last = true
	s.Observer.Rejected(c, code)
	s.out, _ = serve.ErrorPage(code).Append(s.out, s.date[:], optionClose, nil, false)
	if c.flush() {
		c.linger()
	}
}

// finishLast ends a connection whose last response has gone: at once when the
// client asked for that and nothing of its own is unread.
func (c *Conn) finishLast(asked bool) {
	if asked && !c.noread {
		c.close()
		return
	}
	c.linger()
}

// linger ends the sending direction and throws away what still comes, so that
// the reset which unread bytes cause does not overtake the response
// (RFC 9112 section 9.6).
func (c *Conn) linger() {
	c.save(nil)
	c.setState(Lingering)
	c.finish()
	c.since = c.srv.Now
	c.noread, c.nowrite = false, false
	c.t.CloseWrite()
	silence, _ := c.srv.lingering()
	c.t.SetDeadline(c.srv.Now + silence)
	c.watch()
}

func (c *Conn) discard() {
	s := c.srv
	n, err := c.t.Read(s.in)
	if err == syscall.EAGAIN {
		return
	}
	s.Received += int64(n)
	silence, total := s.lingering()
	end := c.since + total
	if err != nil || s.Now >= end {
		c.close()
		return
	}
	c.t.SetDeadline(min(s.Now+silence, end))
}

// Hangup is called when the stream is broken in both directions.
func (c *Conn) Hangup() { c.close() }

// close ends the connection. The exchange, if there is one, learns that its
// client went away.
func (c *Conn) close() { c.end(false) }

// abort is close in the middle of a response.
func (c *Conn) abort() { c.end(true) }

func (c *Conn) end(reset bool) {
	if c.state == Closed {
		return
	}
	if c.state == Busy && c.x != nil {
		c.reportAborted()
	}
	c.setState(Closed)
	if reset {
		c.t.Abort()
	} else {
		c.t.Close()
	}
	c.t = nil
	c.withdraw()
	c.srv.Observer.Closed(c)
	if x := c.x; x != nil {
		c.x = nil
		c.leave(x)
	}
	if !c.driving { // otherwise drive does it when it comes back
		c.recycle()
	}
}

// reportAborted tells of the exchange that the end of the connection ends.
func (c *Conn) reportAborted() {
	x := c.x
	switch {
	case !c.began:
		x.Res.Status = statusGone
		c.srv.Observer.Aborted(c, x, 0)
	case c.ended && len(c.out)+len(c.rest) == 0:
		c.srv.Observer.Done(c, x, c.sent) // only the request's body was not whole
	default:
		c.srv.Observer.Aborted(c, x, c.sent)
	}
}

// statusGone is what nginx's users know for a client that did not wait for its
// answer. It is never sent.
const statusGone = 499

// leave lets go of an exchange whose client went away.
func (c *Conn) leave(x *serve.Exchange) {
	x.Abandon()
	if c.body == bodyFlowing || c.body == bodyPaused {
		c.body = bodyNone
		x.Sink().End(x, serve.ErrGone)
	}
	c.release(x)
}

// release ends an exchange, or leaves that to the last of its resumptions.
func (c *Conn) release(x *serve.Exchange) {
	if x.Pending() {
		x.Abandon()
		return
	}
	x.End()
	c.srv.giveExchange(x)
}

// recycle gives the memory of a closed connection to those to come.
func (c *Conn) recycle() {
	s := c.srv
	s.drop(c.in)
	s.drop(c.out)
	c.finish()
	c.client = client{state: Closed}
	if len(s.conns) < maxBuffers {
		s.conns = append(s.conns, c)
	}
}
