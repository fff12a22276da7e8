package conn

import "srvctl/worker/serve"

// arm starts or stops the minimum rate's window. It runs only while the client
// is what is waited for: the clock stands while a handler works or a sink is
// full.
func (c *Conn) arm() {
	if !c.nowrite && c.body != bodyFlowing && c.body != bodyUnread {
		if c.mark != 0 {
			c.mark = 0
			c.t.SetDeadline(0)
		}
		return
	}
	if c.body == bodyFlowing || c.body == bodyUnread {
		c.noread = false
	}
	if c.mark == 0 {
		c.window()
	}
}

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
		c.srv.out = c.srv.out[:0]
		c.answerAndClose(408)
	case Busy:
		c.expireBusy()
	case Lingering:
		c.close()
	}
}

// expireIdle closes a silent connection, unless a request has just arrived
// that this turn has not come to yet.
func (c *Conn) expireIdle() {
	before := c.srv.Received
	c.readRequests()
	if c.t != nil && c.state == Idle && c.srv.Received == before {
		c.close()
	}
}

func (c *Conn) expireBusy() {
	s := c.srv
	if c.mark == 0 {
		return
	}
	elapsed := s.Now - c.mark
	if c.progress >= int64(float64(s.Limits.MinRate)*float64(elapsed)/1e9) {
		c.window()
		return
	}
	if c.nowrite || c.x == nil || c.began {
		c.abort()
		return
	}
	c.failBody(c.x, serve.ErrTooSlow)
	c.drive()
}
