package conn

import (
	"syscall"

	"srvctl/proto/http1"
	"srvctl/worker/serve"
)

var (
	optionClose = []byte("Connection: close\r\n")
	optionKeep  = []byte("Connection: keep-alive\r\n")
	chunkedLine = []byte("Transfer-Encoding: chunked\r\n")
	crlf        = []byte("\r\n")
)

// option decides whether the connection goes on after this response and
// returns the field line that says so.
func (c *Conn) option(x *serve.Exchange) []byte {
	s := c.srv
	if !x.Req.Persistent() || x.Res.Close ||
		(s.Limits.Requests > 0 && int(c.requests) >= s.Limits.Requests) ||
		(c.body != bodyNone && c.abandoned(x) && c.unreadable(x)) {
		c.last = true
	}
	switch {
	case c.last:
		return optionClose
	case x.Req.Minor == 0:
		return optionKeep
	}
	return nil
}

// abandoned reports whether the rest of the body is not wanted. A source may be
// made from it, other answers are not.
func (c *Conn) abandoned(x *serve.Exchange) bool {
	return c.body == bodyUnread || x.Res.Kind != serve.FromSource
}

// unreadable reports whether the body that the answer did not wait for is
// better not read: too long, or never sent because the client still waits for
// 100 (Continue).
func (c *Conn) unreadable(x *serve.Exchange) bool {
	return x.Req.ExpectContinue || (!x.Req.Chunked && c.bodyLeft > maxDiscard)
}

// render appends the head of x's response to dst, and the body when that is
// small and in memory; a larger one is returned as rest.
func (c *Conn) render(dst []byte, x *serve.Exchange) (out, rest []byte) {
	s := c.srv
	opt := c.option(x)
	head := x.Req.Method == http1.MethodHead
	c.sent = 0
	if x.Res.Kind == serve.FromReady {
		if !head {
			c.sent = int64(len(x.Res.Ready.Body()))
		}
		return x.Res.Ready.Append(dst, s.date[:], opt, x.Res.Fields, head)
	}
	code := x.Res.Status
	bare := code == 204 || code == 304
	c.framed = x.Res.Kind == serve.FromSource && x.Res.Length < 0 && !bare
	if c.framed && x.Req.Minor == 0 {
		// HTTP/1.0 knows no chunks: the end of the stream ends the body.
		c.framed, c.last, opt = false, true, optionClose
	}
	dst = http1.AppendStatusLine(dst, code)
	dst = append(dst, serve.ServerField...)
	dst = append(dst, "Date: "...)
	dst = append(dst, s.date[:]...)
	dst = append(dst, crlf...)
	dst = append(dst, x.Res.Fields...)
	if c.framed {
		dst = append(dst, chunkedLine...)
	} else if x.Res.Length >= 0 && !bare {
		dst = http1.AppendContentLength(dst, x.Res.Length)
	}
	dst = append(dst, opt...)
	dst = append(dst, crlf...)
	if head || bare {
		c.framed = false
		c.ended = true
		return dst, nil
	}
	if x.Res.Kind == serve.FromBytes {
		c.sent = x.Res.Length
		if len(x.Res.Body) <= inlineBody {
			return append(dst, x.Res.Body...), nil
		}
		return dst, x.Res.Body
	}
	return dst, nil
}

// inlineBody is the size up to which copying a body behind its head is cheaper
// than sending it as a piece of its own.
const inlineBody = 8 << 10

// beginResponse renders the answer of x into c.out and c.rest.
func (c *Conn) beginResponse(x *serve.Exchange) {
	c.began = true
	if c.srv.draining && c.drains() && !c.follows(x, c.in) {
		c.last = true
	}
	if c.out == nil {
		c.out = c.srv.keep(nil)
	}
	c.out, c.rest = c.render(c.out, x)
	c.respLeft = x.Res.Length
	switch x.Res.Kind {
	case serve.FromReady, serve.FromBytes:
		c.ended = true
	default:
		c.ended = c.ended || c.respLeft == 0
	}
}

// push sends what is in out and rest; true when all of it has gone. What takes
// less than it was given is full: there is no second call to hear so.
func (c *Conn) push(more bool) bool {
	if len(c.out)+len(c.rest) > 0 {
		n, err := c.write(more)
		if err != nil && err != syscall.EAGAIN {
			c.abort()
			return false
		}
		c.moved(n)
		k := min(n, len(c.out))
		c.out = c.out[:copy(c.out, c.out[k:])]
		c.rest = c.rest[n-k:]
		if len(c.out)+len(c.rest) > 0 {
			c.nowrite = true
			return false
		}
	}
	c.nowrite = false
	if c.out != nil {
		c.srv.drop(c.out)
		c.out = nil
	}
	c.rest = nil
	return true
}

func (c *Conn) write(more bool) (int, error) {
	switch {
	case len(c.rest) == 0 && more:
		return c.t.WriteMore(c.out)
	case len(c.rest) == 0:
		return c.t.Write(c.out)
	case len(c.out) == 0:
		return c.t.Write(c.rest)
	}
	return c.t.Write2(c.out, c.rest)
}

// moved counts n bytes that were sent.
func (c *Conn) moved(n int) {
	c.srv.Sent += int64(n)
	c.progress += int64(n)
}
