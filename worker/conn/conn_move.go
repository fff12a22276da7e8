package conn

import "net/netip"

// Record is what a connection is besides its stream, when it moves to another
// process: between two requests, or in the middle of a head.
type Record struct {
	Listener int
	Peer     netip.Addr
	Requests int    // that were begun
	Head     bool   // in the middle of a head: Bytes are a part of it
	Age      int64  // nanoseconds of the silence, or since the head began
	Bytes    []byte // read and not used
}

// drains reports whether the connection ends here while the server drains,
// because it cannot be moved. A secure one cannot: its keys are here.
func (c *Conn) drains() bool {
	moves := c.srv.Moves
	return c.stays || c.Secure || uint(c.Listener) >= uint(len(moves)) || !moves[c.Listener]
}

// offer puts a connection that has come to a place where it can be moved into
// the queue of those to be moved.
func (c *Conn) offer() {
	s := c.srv
	if s.draining && c.place == 0 && !c.drains() {
		s.movable = append(s.movable, c)
		c.place = int32(len(s.movable))
	}
}

// withdraw takes it out of that queue.
func (c *Conn) withdraw() {
	if c.place > 0 {
		c.srv.movable[c.place-1] = nil
		c.place = 0
	}
}

// NextToMove returns the next connection that has nothing in flight and nothing
// unsent, and of which at most that many bytes were read and not used; nil when
// there is none now. The owner moves it at once: it calls Release.
//
// A connection that waits to be moved is served until its turn comes. One that
// is at work then comes back by itself when it has finished.
func (s *Server) NextToMove(bytes int) *Conn {
	for s.moved < len(s.movable) {
		c := s.movable[s.moved]
		s.moved++
		if c == nil {
			continue
		}
		s.movable[s.moved-1] = nil
		c.place = 0
		if (c.state == Idle || c.state == Head) && len(c.in) <= bytes && !c.drains() {
			return c
		}
	}
	s.movable, s.moved = s.movable[:0], 0
	return nil
}

// Release ends the connection here, but not its stream: t is the caller's, who
// hears nothing of Closed. c must be one that NextToMove returned.
func (c *Conn) Release() (r Record, t Transport) {
	r = Record{
		Listener: c.Listener, Peer: c.Peer, Requests: int(c.requests),
		Head: c.state == Head, Age: c.srv.Now - c.since, Bytes: c.in,
	}
	t, c.t, c.in = c.t, nil, nil
	c.dropExchange()
	c.setState(Closed)
	c.recycle()
	return r, t
}

// movedGrace is what a connection that was moved when its silence was nearly
// over gets at least: its client may have sent a request while it moved.
const movedGrace = 1e9

// Resume makes a connection of one that was released, here or elsewhere, over
// t, which must be ready for use. Like Accept, it looks at nothing before
// Start. What was begun goes on, under the limits of this server. stays says
// that it cannot be moved any more.
func (s *Server) Resume(t Transport, r Record, stays bool) *Conn {
	c := s.takeConn()
	c.t, c.Peer, c.Listener, c.stays = t, r.Peer, r.Listener, stays
	c.requests = int32(r.Requests)
	c.since = s.Now - r.Age
	c.in = r.Bytes
	if r.Head {
		c.state = Head
		t.SetDeadline(max(s.Now+1, c.since+s.Limits.HeaderTimeout))
	} else {
		t.SetDeadline(max(s.Now+movedGrace, c.since+c.silence()))
	}
	c.count(1)
	if s.draining {
		c.offer()
	}
	return c
}
