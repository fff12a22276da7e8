package conn

import (
	"syscall"

	"srvctl/proto/http1"
	"srvctl/worker/serve"
)

var continueLine = []byte("HTTP/1.1 100 Continue\r\n\r\n")

func (c *Conn) beginBody(x *serve.Exchange) {
	c.body = bodyWaiting
	c.bodyLeft, c.bodySeen = x.Req.ContentLength, 0
	if x.Req.Chunked {
		c.chunked.Reset()
	}
}

// Receive starts delivery of the body to x's sink.
func (c *Conn) Receive(x *serve.Exchange) {
	if c.x != x {
		return
	}
	if c.body == bodyNone {
		x.Sink().End(x, nil)
		return
	}
	c.body = bodyFlowing
	if c.state == Busy {
		c.drive()
	}
}

// More resumes a paused sink.
func (c *Conn) More(x *serve.Exchange) {
	if c.x == x && c.body == bodyPaused {
		c.body = bodyFlowing
		c.drive()
	}
}

// bodyInline uses what came with the head. It also decides about a body that
// nobody asked for.
func (c *Conn) bodyInline(x *serve.Exchange, rest []byte) (used int) {
	c.settleBody(x)
	if c.body == bodyFlowing && len(rest) == 0 {
		c.expect(x)
	}
	return c.feed(x, rest)
}

// settleBody refuses a body over the limit, and marks one that the answer did
// not wait for as unread.
func (c *Conn) settleBody(x *serve.Exchange) {
	if x.Req.ContentLength > x.BodyLimit && c.body != bodyNone && !c.began {
		c.failBody(x, serve.ErrTooLarge)
		return
	}
	if c.body == bodyWaiting && x.Res.Kind != serve.Unanswered {
		c.body = bodyUnread
	}
}

// expect tells a client that waits for it that its body is wanted (RFC 9110
// section 10.1.1).
func (c *Conn) expect(x *serve.Exchange) {
	if !x.Req.ExpectContinue {
		return
	}
	x.Req.ExpectContinue = false
	if c.state == Busy {
		c.out = append(c.out, continueLine...)
	} else {
		c.srv.out = append(c.srv.out, continueLine...)
	}
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
	s := c.srv
	n, err := c.t.Read(s.in)
	if n == 0 {
		if err != syscall.EAGAIN {
			c.close()
		}
		return
	}
	s.Received += int64(n)
	c.progress += int64(n)
	x := c.x
	c.driving = true
	used := c.feed(x, s.in[:n])
	c.driving = false
	if c.state == Closed {
		c.recycle()
		return
	}
	if used < n {
		if c.in == nil {
			c.in = s.keep(s.in[used:n])
		} else {
			c.in = append(c.in, s.in[used:n]...)
		}
	}
	c.drive()
}

// feed gives the body in p to the sink, or throws it away, and returns how much
// of p was body. It stops at the end of the body and when the sink pauses.
func (c *Conn) feed(x *serve.Exchange, p []byte) (used int) {
	for used < len(p) && (c.body == bodyFlowing || c.body == bodyUnread) {
		if !x.Req.Chunked {
			k := int(min(c.bodyLeft, int64(len(p)-used)))
			c.bodyLeft -= int64(k)
			used += k
			c.deliver(x, p[used-k:used], c.bodyLeft == 0)
			continue
		}
		data, n, done, r := c.chunked.Decode(p[used:])
		used += n
		if r != http1.OK {
			c.srv.Observer.Refused(c, r)
			c.failBody(x, serve.ErrMalformed)
			return used
		}
		if n == 0 && !done {
			return used
		}
		c.deliver(x, data, done)
	}
	return used
}

// deliver takes a run of body bytes; end says that the body is complete.
func (c *Conn) deliver(x *serve.Exchange, data []byte, end bool) {
	c.bodySeen += int64(len(data))
	if c.body == bodyUnread {
		if end {
			c.body = bodyNone
		} else if c.bodySeen > maxDiscard {
			c.last = true
		}
		return
	}
	if c.bodySeen > x.BodyLimit {
		c.failBody(x, serve.ErrTooLarge)
		return
	}
	if len(data) > 0 && !x.Sink().Data(x, data) && c.body == bodyFlowing {
		c.body = bodyPaused
	}
	if end && (c.body == bodyFlowing || c.body == bodyPaused) {
		c.body = bodyNone
		x.Sink().End(x, nil)
	}
}

// failBody ends a body that will not arrive whole. If the response has not
// begun the client is told why; otherwise the connection is cut, since the
// framing of what follows is unknown.
func (c *Conn) failBody(x *serve.Exchange, why error) {
	asked := c.body == bodyFlowing || c.body == bodyPaused
	c.body = bodyNone
	c.last = true
	if asked {
		x.Sink().End(x, why)
	}
	if c.state == Closed {
		return
	}
	if c.began {
		c.abort()
		return
	}
	code := 400
	switch why {
	case serve.ErrTooLarge:
		code = 413
	case serve.ErrTooSlow:
		code = 408
	}
	x.Override(code)
}
