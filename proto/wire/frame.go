package wire

import (
	"encoding/binary"
	"fmt"
)

// MaxFrame is far below what a SOCK_SEQPACKET socket takes in one piece with
// Linux's default buffers (about 200 KiB, then EMSGSIZE).
const MaxFrame = 64 << 10

const headerLen = 8

// Format is a family of frames.
type Format struct {
	Name    string // of the family, for errors
	Version uint8
	Kinds   map[uint8]Kind // by the type in the header
}

// Kind is a type of frame.
type Kind struct {
	Name string
	// write appends the fields of m; false when m is not of this kind.
	write func(c *Coder, m any) bool
	// read takes the fields of a message.
	read func(c *Coder) any
}

// Fielded is a pointer to a message, which lists its fields in the order on
// the wire.
type Fielded[T any] interface {
	*T
	Fields(c *Coder)
}

// KindOf is the kind of the frames of T, a message.
func KindOf[T any, P Fielded[T]](name string) Kind {
	return Kind{
		Name: name,
		write: func(c *Coder, m any) bool {
			v, ok := m.(T)
			if ok {
				P(&v).Fields(c)
			}
			return ok
		},
		read: func(c *Coder) any {
			var v T
			P(&v).Fields(c)
			return v
		},
	}
}

// NameOf returns the name of a known type, or its number.
func (f *Format) NameOf(kind uint8) string {
	if k, ok := f.Kinds[kind]; ok {
		return k.Name
	}
	return fmt.Sprintf("type %d", kind)
}

// Append appends the frame of m, which is of a known kind, to dst. On an
// error, a *FieldError or a *SizeError, dst is returned as it was.
func (f *Format) Append(dst []byte, kind uint8, m any) ([]byte, error) {
	k := f.Kinds[kind]
	start := len(dst)
	c := Coder{frame: k.Name, buf: append(dst, f.Version, kind, 0, 0, 0, 0, 0, 0)}
	if !k.write(&c, m) {
		return dst, &FieldError{Frame: k.Name, Field: "message", Problem: fmt.Sprintf("is a %T, want the value itself", m)}
	}
	if c.err != nil {
		return dst, c.err
	}
	n := len(c.buf) - start
	if n > MaxFrame {
		return dst, &SizeError{Frame: k.Name, Size: n}
	}
	binary.LittleEndian.PutUint32(c.buf[start+4:], uint32(n))
	return c.buf, nil
}

// Decode reads one whole frame. The message does not refer to frame. The
// error is a *VersionError, *TypeError, *SizeError or *FieldError.
func (f *Format) Decode(frame []byte) (any, error) {
	if len(frame) > 0 && frame[0] != f.Version {
		return nil, &VersionError{Format: f.Name, Version: frame[0], Speaks: f.Version}
	}
	if len(frame) < headerLen || len(frame) > MaxFrame {
		return nil, &SizeError{Frame: f.Name, Size: len(frame)}
	}
	k, ok := f.Kinds[frame[1]]
	if !ok {
		return nil, &TypeError{Format: f.Name, Type: frame[1]}
	}
	c := Coder{frame: k.Name, reading: true, buf: frame[headerLen:]}
	if frame[2] != 0 || frame[3] != 0 {
		c.Fail("header", "has bits set that this version does not know")
	}
	if n := binary.LittleEndian.Uint32(frame[4:]); n != uint32(len(frame)) {
		c.Fail("length", fmt.Sprintf("says %d, the frame has %d bytes", n, len(frame)))
	}
	m := k.read(&c)
	if len(c.buf) > 0 {
		c.Fail("end", fmt.Sprintf("is followed by %d more bytes", len(c.buf)))
	}
	if c.err != nil {
		return nil, c.err
	}
	return m, nil
}
