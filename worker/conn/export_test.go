package conn

import (
	"fmt"

	"srvctl/worker/serve"
)

// What tests of the connection see of its inside: that nothing is held which
// should not be, and that a connection which waits does wait for something.

// The caps that tests count against.
const (
	TurnBytes     = turnBytes
	TurnCount     = turnCount
	FileQuantum   = fileQuantum
	MaxDiscard    = maxDiscard
	MaxBuffers    = maxBuffers
	LingerSilence = lingerSilence
	LingerTotal   = lingerTotal
	DrainLinger   = drainLinger
)

// Spare is how many connections, exchanges and buffers wait to be used again.
func (s *Server) Spare() (conns, exchanges, buffers int) {
	return len(s.conns), len(s.xs), len(s.bufs) + len(s.large)
}

// SpareExchange reports whether x waits to be used again.
func (s *Server) SpareExchange(x *serve.Exchange) bool {
	for _, spare := range s.xs {
		if spare == x {
			return true
		}
	}
	return false
}

// Held is how many bytes of buffers c holds.
func (c *Conn) Held() int { return cap(c.in) + cap(c.out) }

// String is for the messages of failed tests.
func (c *Conn) String() string {
	return fmt.Sprintf("%v: in %d out %d job %t x %t body %d began %t ended %t noread %t nowrite %t",
		c.state, len(c.in), len(c.out), c.job != nil, c.x != nil, c.body, c.began, c.ended, c.noread, c.nowrite)
}

// Check reports what is wrong with a connection that waits. queued says
// whether it has asked for another turn.
func (c *Conn) Check(queued bool) error {
	switch {
	case c.driving:
		return fmt.Errorf("%v: still driving", c.state)
	case c.state == Closed && (c.t != nil || c.x != nil || c.in != nil || c.out != nil):
		return fmt.Errorf("closed, but not recycled")
	case c.state == Closed:
		return nil
	}
	ok := false
	switch c.state {
	case Idle:
		ok = c.x == nil && c.out == nil && c.job == nil && (c.in == nil || queued) && !c.noread && !c.nowrite
	case Head:
		ok = len(c.in) > 0 && c.out == nil && c.job == nil && !c.noread && !c.nowrite
	case Lingering:
		ok = c.x == nil && c.in == nil && c.out == nil && c.job == nil && !c.noread && !c.nowrite
	case Busy:
		ok = c.nowrite || queued || c.retry || c.x != nil && c.waits()
		ok = ok && (!c.nowrite || len(c.out)+len(c.rest) > 0 || c.respLeft > 0)
	}
	if !ok {
		return fmt.Errorf("%v, queued %t", c, queued)
	}
	return nil
}

// waits reports whether a busy connection waits for the client's body, or for
// something that will call back.
func (c *Conn) waits() bool {
	reading := (c.body == bodyFlowing || c.body == bodyUnread) && len(c.in) == 0 && !c.noread
	source := c.x.Res.Kind == serve.FromSource && !c.ended
	return reading || c.body == bodyPaused || source || c.loading || c.x.Pending()
}
