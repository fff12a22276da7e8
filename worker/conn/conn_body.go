package conn

import (
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
	switch {
	case c.x == x && c.body == bodyWaiting:
		c.body = bodyFlowing
		c.kick()
	case c.x == x && !x.Req.HasBody():
		x.Sink().End(x, nil)
	default: // the client is gone, or was answered without it
		x.Sink().End(x, serve.ErrGone)
	}
}

// More resumes a paused sink.
func (c *Conn) More(x *serve.Exchange) {
	if c.x == x && c.body == bodyPaused {
		c.body = bodyFlowing
		c.kick()
	}
}

// bodyInline uses what came with the head of a body that somebody wants.
func (c *Conn) bodyInline(x *serve.Exchange, rest []byte) (used int) {
	c.settleBody(x)
	if c.body != bodyFlowing {
		return 0
	}
	if len(rest) == 0 {
		c.expect(x)
	}
	return c.feed(x, rest)
}

// moveBody uses what has been read of the body already. One that nobody wants
// waits for the response, see serveOne.
func (c *Conn) moveBody(x *serve.Exchange) {
	c.settleBody(x)
	if c.body == bodyUnread && !c.began {
		return
	}
	if len(c.in) == 0 {
		if c.body == bodyFlowing && !c.began {
			c.expect(x)
		}
		return
	}
	used := c.feed(x, c.in)
	if c.state == Busy && used > 0 {
		c.save(c.in[used:])
	}
}

// settleBody refuses a body over the limit, and marks one that the answer did
// not wait for as unread.
func (c *Conn) settleBody(x *serve.Exchange) {
	if x.Req.ContentLength > x.BodyLimit && c.body != bodyNone && !c.began {
		c.failBody(x, serve.ErrTooLarge, 413)
		return
	}
	if c.body == bodyWaiting && x.Res.Kind != serve.Unanswered {
		c.body = bodyUnread
	}
}

// expect tells a client that waits for it that its body is wanted (RFC 9110
// section 10.1.1). An answer that does not depend on it says enough itself.
func (c *Conn) expect(x *serve.Exchange) {
	if !x.Req.ExpectContinue || x.Res.Kind != serve.Unanswered && x.Res.Kind != serve.FromSource {
		return
	}
	x.Req.ExpectContinue = false
	if c.state == Busy {
		c.queue(continueLine)
	} else {
		c.srv.out = append(c.srv.out, continueLine...)
	}
}

// feed gives the body in p to the sink, or throws it away, and returns how much
// of p was body. It stops at the end of the body and when the sink pauses.
func (c *Conn) feed(x *serve.Exchange, p []byte) (used int) {
	if c.body == bodyFlowing && len(p) > 0 {
		x.Req.ExpectContinue = false // the client does not wait
	}
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
			c.failBody(x, serve.ErrMalformed, r.Status())
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
		c.failBody(x, serve.ErrTooLarge, 413)
		return
	}
	if len(data) > 0 {
		c.body = bodyPaused // so that More counts during the call, too
		if x.Sink().Data(x, data) && c.body == bodyPaused {
			c.body = bodyFlowing
		}
	}
	if end && (c.body == bodyFlowing || c.body == bodyPaused) {
		c.body = bodyNone
		x.Sink().End(x, nil)
	}
}

// failBody ends a body that will not arrive whole, and with it the connection,
// since what follows cannot be told from it. If the response has not begun the
// client is told why, with code. One that is whole, or that the handler gave
// without asking for the body, is sent; one that may be made of it is cut.
func (c *Conn) failBody(x *serve.Exchange, why error, code int) {
	asked := c.body == bodyFlowing || c.body == bodyPaused
	c.body = bodyNone
	c.last, c.noread = true, true
	if asked {
		x.Sink().End(x, why)
	}
	switch {
	case !c.began:
		x.Override(code)
	case asked && !c.ended:
		c.abort()
	}
}
