package control

import (
	"encoding/binary"
	"fmt"
)

// Version is the version of the frames that this package speaks. Master and
// workers run the same binary image, so another version is a mistake, not
// something to negotiate.
const Version = 3

// Limits of a frame. Larger things (the configuration, stacks) travel beside
// it as a sealed memfd.
const (
	// MaxFrame is far below what a SOCK_SEQPACKET socket takes in one piece
	// with Linux's default buffers (about 200 KiB, then EMSGSIZE).
	MaxFrame = 64 << 10
	// MaxDescriptors that travel with one frame; the kernel takes 253.
	MaxDescriptors = 128
	// MaxSlots of a server.
	MaxSlots = 1024
	// MaxListeners of a configuration: a drain may have to name them all.
	MaxListeners = 4096
	// MaxName is the longest name, key or address in bytes.
	MaxName = 1024
	// MaxText is the longest free text in bytes; Append cuts longer ones.
	MaxText = 32 << 10
)

const headerLen = 8

// Type is the kind of a frame.
type Type uint8

// Frames from the master to a worker.
const (
	TypeBegin Type = 1 + iota
	TypeListener
	TypeLogs
	TypePrepare
	TypeCommit
	TypeAccept
	TypeDrain
	TypeGive
	TypeTake
)

// Frames from a worker to the master.
const (
	TypeReady Type = 65 + iota
	TypeFailed
	TypeServing
	TypeDrained
	TypeDegraded
	TypeLeft
)

// kinds is everything there is to know about each type. A test holds it
// against the constants above.
var kinds = map[Type]kind{
	TypeBegin:    kindOf[Begin]("begin"),
	TypeListener: kindOf[Listener]("listener"),
	TypeLogs:     kindOf[Logs]("logs"),
	TypePrepare:  kindOf[Prepare]("prepare"),
	TypeCommit:   kindOf[Commit]("commit"),
	TypeAccept:   kindOf[Accept]("accept"),
	TypeDrain:    kindOf[Drain]("drain"),
	TypeGive:     kindOf[Give]("give"),
	TypeTake:     kindOf[Take]("take"),
	TypeReady:    kindOf[Ready]("ready"),
	TypeFailed:   kindOf[Failed]("failed"),
	TypeServing:  kindOf[Serving]("serving"),
	TypeDrained:  kindOf[Drained]("drained"),
	TypeDegraded: kindOf[Degraded]("degraded"),
	TypeLeft:     kindOf[Left]("left"),
}

type kind struct {
	name string
	// write appends the fields of m; false when m is not of this kind.
	write func(c *coder, m Message) bool
	// read takes the fields of a message.
	read func(c *coder) Message
}

// fielded is a pointer to a message, which lists its fields.
type fielded[T any] interface {
	*T
	fields(*coder)
}

func kindOf[T Message, P fielded[T]](name string) kind {
	return kind{
		name: name,
		write: func(c *coder, m Message) bool {
			v, ok := m.(T)
			if ok {
				P(&v).fields(c)
			}
			return ok
		},
		read: func(c *coder) Message {
			var v T
			P(&v).fields(c)
			return v
		},
	}
}

// String returns the name of a known type, or its number.
func (t Type) String() string {
	if k, ok := kinds[t]; ok {
		return k.name
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Descriptors returns how many descriptors travel with a message. A receiver
// that got another number must close them all and drop the peer.
func Descriptors(m Message) int { return m.descriptors() }

// Append appends the frame of m to dst. On an error, a *FieldError or a
// *SizeError, dst is returned as it was.
func Append(dst []byte, m Message) ([]byte, error) {
	t := m.Type()
	start := len(dst)
	c := coder{kind: t, buf: append(dst, Version, byte(t), 0, 0, 0, 0, 0, 0)}
	if !kinds[t].write(&c, m) {
		return dst, &FieldError{Type: t, Field: "message", Problem: fmt.Sprintf("is a %T, want the value itself", m)}
	}
	if c.err != nil {
		return dst, c.err
	}
	n := len(c.buf) - start
	if n > MaxFrame {
		return dst, &SizeError{Type: t, Size: n}
	}
	binary.LittleEndian.PutUint32(c.buf[start+4:], uint32(n))
	return c.buf, nil
}

// Decode reads one whole frame. The message does not refer to frame. The
// error is a *VersionError, *TypeError, *SizeError or *FieldError.
func Decode(frame []byte) (Message, error) {
	if len(frame) > 0 && frame[0] != Version {
		return nil, &VersionError{Version: frame[0]}
	}
	if len(frame) < headerLen || len(frame) > MaxFrame {
		return nil, &SizeError{Size: len(frame)}
	}
	t := Type(frame[1])
	k, ok := kinds[t]
	if !ok {
		return nil, &TypeError{Type: t}
	}
	if frame[2] != 0 || frame[3] != 0 {
		return nil, &FieldError{Type: t, Field: "header", Problem: "has bits set that this version does not know"}
	}
	if n := binary.LittleEndian.Uint32(frame[4:]); n != uint32(len(frame)) {
		return nil, &FieldError{Type: t, Field: "length", Problem: fmt.Sprintf("says %d, the frame has %d bytes", n, len(frame))}
	}
	c := coder{kind: t, reading: true, buf: frame[headerLen:]}
	m := k.read(&c)
	if c.err == nil && len(c.buf) > 0 {
		c.fail("end", fmt.Sprintf("is followed by %d more bytes", len(c.buf)))
	}
	if c.err != nil {
		return nil, c.err
	}
	return m, nil
}
