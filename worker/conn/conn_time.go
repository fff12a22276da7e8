package conn

import "srvctl/worker/serve"

// arm starts or stops the minimum rate's window. It runs only while the client
// is what is waited for: the clock stands while a handler works or a sink is
// full.
func (c *Conn) arm() {
	c.setWriting(c.nowrite)
	receiving := c.body == bodyFlowing || c.body == bodyUnread
	if receiving {
		c.noread = false
	}
	switch {
	case c.nowrite || receiving:
		if c.mark == 0 {
			c.window()
			c.unsent = -1
		}
	case c.retry:
		c.mark = 0
		c.t.SetDeadline(c.srv.Now + retryAfter)
	case c.mark != 0:
		c.mark = 0
		c.t.SetDeadline(0)
	}
}

// retryAfter is when a pool that was full, or a file that was changing, is asked
// again. It is less than the pace of deadlines, so it means the next tick.
const retryAfter = 1e6

func (c *Conn) window() {
	c.mark, c.progress = c.srv.Now, 0
	if c.srv.Limits.MinRate > 0 {
		c.t.SetDeadline(c.srv.Now + c.srv.Limits.Grace)
	}
}

// Expired is called when the deadline has passed.
func (c *Conn) Expired() {
	switch c.state {
	case Idle:
		c.expireIdle()
	case Head:
		c.expireHead()
	case Busy:
		c.expireBusy()
	case Lingering:
		c.expireLinger()
	}
}

// expireIdle closes a silent connection, unless a request has just arrived
// that this turn has not come to yet. Draining may be short of patience: a
// client that was active until now may be sending, and lingers, or the reset
// that this would earn could overtake the response before.
func (c *Conn) expireIdle() {
	if len(c.in) > 0 {
		return // its turn is about to come
	}
	s := c.srv
	before := s.Received
	c.readRequests()
	switch {
	case c.t == nil || c.state != Idle || s.Received != before:
	case s.draining && s.Now < c.since+drainLinger:
		c.linger()
	default:
		c.close()
	}
}

// expireHead gives up on a head that is not whole, unless its end has arrived
// while this process did not get to look.
func (c *Conn) expireHead() {
	s := c.srv
	c.readRequests()
	if c.t != nil && c.state == Head && s.Now >= c.since+s.Limits.HeaderTimeout {
		s.out = s.out[:0]
		c.answerAndClose(408)
	}
}

func (c *Conn) expireBusy() {
	s := c.srv
	switch {
	case c.mark == 0:
		c.drive() // the moment of retry is over
		return
	case c.mark < s.Stalled:
		c.window()
		c.unsent = -1
		return
	}
	need := int64(float64(s.Limits.MinRate) * float64(s.Now-c.mark) / 1e9)
	switch {
	case c.progress >= need:
		c.window()
		c.unsent = -1
	case c.nowrite:
		c.expireReader(need)
	default:
		c.driving = true
		c.failBody(c.x, serve.ErrTooSlow, 408)
		c.driving = false
		c.drive()
	}
}

// expireReader ends a connection whose reader is too slow. That nothing was
// written says little: the kernel has room again only when a third of its
// buffer, which may be megabytes, has gone, and a slow but decent reader needs
// many windows for that. So what counts is what the peer has acknowledged.
// Nobody knows what that was when the window began, unless it is the second in
// a row: a reader that takes nothing has two.
func (c *Conn) expireReader(need int64) {
	unsent := int64(c.t.Unsent())
	if c.unsent >= 0 && c.unsent+c.progress-unsent < need {
		c.abort()
		return
	}
	c.window()
	c.unsent = unsent
}
