package conn

import (
	"io"
	"syscall"

	"srvctl/proto/http1"
	"srvctl/worker/serve"
)

// produce sends the next part of a body that is not in memory. It returns
// false when it has to wait: for the reader, the disk, the source or its turn.
func (c *Conn) produce(x *serve.Exchange) bool {
	if x.Res.Kind == serve.FromFile {
		return c.produceFile(x)
	}
	return c.produceSource(x)
}

func (c *Conn) produceFile(x *serve.Exchange) bool {
	for quantum := int64(fileQuantum); quantum > 0; {
		n := min(c.respLeft, quantum)
		if !c.resident(x, n) {
			return false
		}
		if !c.intact(x) {
			return false
		}
		// The head goes with the first bytes of the file.
		if len(c.out) > 0 && !c.push(true) {
			return false
		}
		got, err := c.t.SendFile(x.Res.File.FD(), x.Res.Off, int(n))
		if err == syscall.EAGAIN {
			c.nowrite = true
			return false
		}
		if err != nil || got == 0 {
			// The file ends before the length that was promised: the client
			// must not take what it got for whole.
			c.abort()
			return false
		}
		c.moved(got)
		c.sent += int64(got)
		x.Res.Off += int64(got)
		c.respLeft -= int64(got)
		quantum -= int64(got)
		if c.respLeft == 0 {
			c.ended = true
			return true
		}
		if int64(got) < n { // full, or the next call tells that the file ends
			c.nowrite = true
			return false
		}
	}
	c.t.Requeue()
	return false
}

// intact makes sure that the file is still the one whose head was sent. A file
// that is being appended to has its new time a moment before its new size, so
// it is asked again before the connection is cut.
func (c *Conn) intact(x *serve.Exchange) bool {
	switch {
	case x.Res.File.Intact():
		c.doubt = false
		return true
	case c.doubt:
		c.abort()
	default:
		c.doubt, c.retry = true, true
	}
	return false
}

// resident makes sure that sending the next n bytes will not wait for the
// disk. When they have to be read, the pool does it; after that they are sent
// in any case, or a short memory could hold them up for ever.
func (c *Conn) resident(x *serve.Exchange, n int64) bool {
	if c.loading {
		return false
	}
	f, off := x.Res.File, x.Res.Off
	if c.loaded || f.Resident(off, n) {
		c.loaded = false
		return true
	}
	c.loading = x.Offload(func() { f.Load(off, n) }, func(x *serve.Exchange) {
		if c.x == x {
			c.loading, c.loaded = false, true
		}
	})
	c.retry = !c.loading
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
		budget -= n
		if n > 0 && !c.emit(n) {
			return false
		}
		switch {
		case err == io.EOF || (c.respLeft == 0 && !c.framed):
			return c.endSource()
		case err != nil:
			c.abort()
			return false
		case len(c.out) > 0:
			return !c.nowrite && c.push(false)
		case n == 0:
			return false
		}
	}
	c.t.Requeue()
	return false
}

// emit sends n bytes of s.pull as body, behind what waits in out. What the
// transport does not take waits there too. false: the connection is gone.
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
	c.moved(k)
	if k < len(s.out)+len(data) {
		h := min(k, len(s.out))
		c.queue(s.out[h:])
		c.queue(data[k-h:])
		c.nowrite = true
	}
	return true
}

// endSource ends a body from a source: with the last chunk, or by checking
// that a promised length was kept.
func (c *Conn) endSource() bool {
	if c.framed {
		c.out = http1.AppendLastChunk(c.out, nil)
	} else if c.respLeft > 0 {
		c.abort()
		return false
	}
	c.ended = true
	return true
}
