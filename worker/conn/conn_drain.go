package conn

import (
	"srvctl/proto/http1"
	"srvctl/worker/serve"
)

// Drain of a Server makes every response from now on the last of its
// connection, but for those with a further whole request behind them in what
// has been read, and but for connections that can be moved, see Moves. The
// owner then calls Drain of each connection. It may do so again after it has
// shortened Limits.DrainIdle or changed what can be moved.
func (s *Server) Drain() { s.draining = true }

// Draining reports whether Drain was called.
func (s *Server) Draining() bool { return s.draining }

// Drain ends the connection when it can be done without loss: an idle one when
// it has been silent for the quiet window, the others with their last response.
// One that can be moved is not ended.
func (c *Conn) Drain() {
	switch c.state {
	case Idle:
		c.t.SetDeadline(max(c.srv.Now, c.since+c.silence()))
		c.offer()
	case Head:
		c.offer()
	case Lingering:
		c.t.SetDeadline(min(c.srv.Now+drainLinger, c.since+lingerSilence))
	}
}

// silence is how long the connection may be idle.
func (c *Conn) silence() int64 {
	s := c.srv
	if s.draining && c.drains() {
		return min(s.Limits.KeepAlive, s.Limits.DrainIdle)
	}
	return s.Limits.KeepAlive
}

// Cut ends the connection whatever it is doing, because time is up. It reports
// whether that left the client without something: an answer it waits for, or
// the end of one.
func (c *Conn) Cut() (unfinished bool) {
	unfinished = c.state == Head || c.state == Busy || len(c.in) > 0
	c.end(c.state == Busy)
	return unfinished
}

// follows reports whether rest, which was read behind what has been used of
// x's request, holds the whole of another one, so that the response to x need
// not be the last while draining: what has been read whole is answered. A
// request of which a part is missing is not begun any more. The client learns
// that from Connection: close in the last response (RFC 9112 section 9.6), and
// may send it again on another connection.
//
// So a client that never stops sending gets answers to one more read at most.
func (c *Conn) follows(x *serve.Exchange, rest []byte) bool {
	if c.body != bodyNone {
		var chunks http1.Chunked
		if x.Req.Chunked {
			chunks = c.chunked
		}
		n, whole := skipBody(x.Req.Chunked, c.bodyLeft, &chunks, rest)
		if !whole {
			return false
		}
		rest = rest[n:]
	}
	h := &c.srv.ahead
	h.Reset()
	n, _ := h.Parse(rest, &c.srv.Limits.Head)
	if n == 0 {
		return false
	}
	_, whole := skipBody(h.Chunked, h.ContentLength, &http1.Chunked{}, rest[n:])
	return whole
}

// skipBody returns where in p a body ends, and whether it does so without a
// mistake. It has left bytes, or those that chunks, a copy, still finds.
func skipBody(chunked bool, left int64, chunks *http1.Chunked, p []byte) (n int, whole bool) {
	if !chunked {
		return int(min(left, int64(len(p)))), left <= int64(len(p))
	}
	for n < len(p) {
		_, used, done, r := chunks.Decode(p[n:])
		n += used
		if done || r != http1.OK {
			return n, done
		}
	}
	return n, false
}

// drainLinger is how long a connection stays half closed while draining. RFC
// 9112 section 9.6 wants it to be so "until the server is reasonably certain
// that its own TCP stack has received the client's acknowledgement of the
// packet(s) containing the server's last response". The kernel knows whether
// that is so. A second more is for what the client sent before it saw the end,
// which would make it lose the response to a reset: on its way through the
// network that takes less.
const drainLinger = 1e9

// lingering is how long the silence of a client, and how long all of it, may
// last when the last response has gone.
func (s *Server) lingering() (silence, total int64) {
	if s.draining {
		return drainLinger, lingerSilence
	}
	return lingerSilence, lingerTotal
}

// expireLinger closes a connection that has lingered long enough, but not
// before what has come is read, nor, while draining, before the client has
// acknowledged what it was sent.
func (c *Conn) expireLinger() {
	s := c.srv
	before := s.Received
	c.discard()
	if c.t == nil || s.Received != before {
		return
	}
	if end := c.since + lingerSilence; s.draining && s.Now < end && c.t.Unsent() > 0 {
		c.t.SetDeadline(min(s.Now+drainLinger, end))
		return
	}
	c.close()
}
