package conn

import (
	"io"
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
	if !x.Req.Persistent() || x.Res.Close || s.draining ||
		(s.Limits.Requests > 0 && c.requests >= s.Limits.Requests) ||
		(c.body != bodyNone && c.unreadable(x)) {
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
		x.Res.Length = 0
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
	c.out, c.rest = c.render(c.out, x)
	c.respLeft = x.Res.Length
	switch x.Res.Kind {
	case serve.FromReady, serve.FromBytes:
		c.ended = true
	default:
		c.ended = c.ended || c.respLeft == 0
	}
}

// push sends what is in out and rest; true when all of it has gone.
func (c *Conn) push(more bool) bool {
	s := c.srv
	for len(c.out)+len(c.rest) > 0 {
		var n int
		var err error
		switch {
		case len(c.rest) == 0 && more:
			n, err = c.t.WriteMore(c.out)
		case len(c.rest) == 0:
			n, err = c.t.Write(c.out)
		case len(c.out) == 0:
			n, err = c.t.Write(c.rest)
		default:
			n, err = c.t.Write2(c.out, c.rest)
		}
		s.Sent += int64(n)
		c.progress += int64(n)
		if k := min(n, len(c.out)); k == len(c.out) {
			c.out = c.out[:0]
			c.rest = c.rest[n-k:]
		} else {
			c.out = c.out[:copy(c.out, c.out[k:])]
		}
		if err == syscall.EAGAIN || (err == nil && n == 0) {
			c.waitWritable()
			return false
		}
		if err != nil {
			c.abort()
			return false
		}
	}
	if c.out != nil {
		s.drop(c.out)
		c.out = nil
	}
	c.rest = nil
	return true
}

func (c *Conn) waitWritable() { c.nowrite = true }

// produce sends the next part of a body that is not in memory. It returns
// false when it has to wait: for the reader, the disk, the source or its turn.
func (c *Conn) produce(x *serve.Exchange) bool {
	if x.Res.Kind == serve.FromFile {
		return c.produceFile(x)
	}
	return c.produceSource(x)
}

func (c *Conn) produceFile(x *serve.Exchange) bool {
	s := c.srv
	for quantum := int64(fileQuantum); ; {
		n := min(c.respLeft, quantum)
		if !c.resident(x, n) {
			return false
		}
		// The head goes with the first bytes of the file.
		if len(c.out) > 0 && !c.push(true) {
			return false
		}
		got, err := c.t.SendFile(x.Res.File.FD(), x.Res.Off, int(n))
		s.Sent += int64(got)
		c.progress += int64(got)
		c.sent += int64(got)
		x.Res.Off += int64(got)
		c.respLeft -= int64(got)
		quantum -= int64(got)
		switch {
		case c.respLeft == 0:
			c.ended = true
			return true
		case err == syscall.EAGAIN:
			c.waitWritable()
			return false
		case err != nil || got == 0:
			// The file ends before the length that was promised: the client
			// must not take what it got for whole.
			c.abort()
			return false
		case quantum <= 0:
			c.t.Requeue()
			return false
		}
	}
}

// resident makes sure that sending the next n bytes will not wait for the
// disk. When they have to be read, the pool does it.
func (c *Conn) resident(x *serve.Exchange, n int64) bool {
	if c.loading {
		return false
	}
	f, off := x.Res.File, x.Res.Off
	if f.Resident(off, n) {
		return true
	}
	c.loading = true
	if !x.Offload(func() { f.Load(off, n) }, func(x *serve.Exchange) {
		if c.x == x {
			c.loading = false
		}
	}) {
		c.loading = false
		c.t.Requeue()
	}
	return false
}

func (c *Conn) produceSource(x *serve.Exchange) bool {
	s := c.srv
	if s.pull == nil {
		s.pull = make([]byte, pullSize+len("\r\n"))
	}
	for budget := turnBytes; budget > 0; {
		room := pullSize
		if c.respLeft >= 0 {
			room = int(min(int64(room), c.respLeft))
		}
		n, err := x.Res.Source.Read(x, s.pull[:room])
		if c.state != Busy {
			return false
		}
		budget -= n
		if n > 0 && !c.emit(n) {
			return false
		}
		switch {
		case err == io.EOF || (c.respLeft == 0 && !c.framed):
			return c.endSource(x)
		case err != nil:
			c.abort()
			return false
		case len(c.out) > 0:
			return c.push(false)
		case n == 0:
			return false
		}
	}
	c.t.Requeue()
	return false
}

// emit sends n bytes of s.pull as body; false when the connection is gone.
func (c *Conn) emit(n int) bool {
	s := c.srv
	data := s.pull[:n]
	s.out = s.out[:0]
	if c.framed {
		s.out = http1.AppendChunkHeader(s.out, n)
		data = append(data, crlf...)
	} else if c.respLeft >= 0 {
		c.respLeft -= int64(n)
	}
	c.sent += int64(n)
	if len(c.out) > 0 {
		c.out = append(append(c.out, s.out...), data...)
		return true
	}
	k, err := c.t.Write2(s.out, data)
	if err != nil && err != syscall.EAGAIN {
		c.abort()
		return false
	}
	s.Sent += int64(k)
	c.progress += int64(k)
	if k < len(s.out) {
		c.out = append(c.out, s.out[k:]...)
		k = len(s.out)
	}
	c.out = append(c.out, data[k-len(s.out):]...)
	return true
}

// endSource ends a body from a source: with the last chunk, or by checking
// that a promised length was kept.
func (c *Conn) endSource(x *serve.Exchange) bool {
	if c.framed {
		c.out = http1.AppendLastChunk(c.out, nil)
	} else if c.respLeft > 0 {
		c.abort()
		return false
	}
	c.ended = true
	return true
}
