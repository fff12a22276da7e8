package handover

import (
	"time"

	"srvctl/proto/wire"
)

// Version is the version of the frames that this package speaks. Two workers
// may run different binaries, one before and one after an upgrade: who gets
// another version ends the hand-over, and the connections are drained.
const Version = 1

// Limits of a frame.
const (
	// MaxListeners of a configuration.
	MaxListeners = 4096
	// MaxBytes that travel with a connection: with the other fields they fit
	// a frame.
	MaxBytes = 60 << 10
	// MaxReason is the longest reason in bytes; Append cuts longer ones.
	MaxReason = 1 << 10
)

// Message is one frame's content. The types of this package are the only
// ones, and they are used as values: handover.Ack{...}, not &handover.Ack.
type Message interface {
	// kind is the type in the frame's header.
	kind() uint8
}

// Conn hands over one connection. With it travels its descriptor.
type Conn struct {
	Seq      uint64
	Listener int           // number in the taker's configuration
	Peer     []byte        // the client's address: 4 or 16 bytes, or none
	Requests int           // that have been served
	Head     bool          // a part of a request has come
	Age      time.Duration // of that part, or of the silence
	Bytes    []byte        // read and not used
}

// Ack says that the taker serves the connection.
type Ack struct {
	Seq uint64
}

// Nack says that the taker has not touched the connection, and why. A Reason
// longer than MaxReason is cut.
type Nack struct {
	Seq    uint64
	Reason string
}

func (Conn) kind() uint8 { return 1 }
func (Ack) kind() uint8  { return 2 }
func (Nack) kind() uint8 { return 3 }

var format = wire.Format{Name: "hand-over", Version: Version, Kinds: map[uint8]wire.Kind{
	1: wire.KindOf[Conn]("conn"),
	2: wire.KindOf[Ack]("ack"),
	3: wire.KindOf[Nack]("nack"),
}}

// Descriptors returns how many descriptors travel with a message.
func Descriptors(m Message) int {
	if _, ok := m.(Conn); ok {
		return 1
	}
	return 0
}

// Append appends the frame of m to dst. On an error, a *wire.FieldError, dst
// is returned as it was.
func Append(dst []byte, m Message) ([]byte, error) { return format.Append(dst, m.kind(), m) }

// Decode reads one whole frame. The message does not refer to frame. The
// error is one of srvctl/proto/wire.
func Decode(frame []byte) (Message, error) {
	m, err := format.Decode(frame)
	if err != nil {
		return nil, err
	}
	return m.(Message), nil
}

// Fields lists the fields in the order on the wire.
func (m *Conn) Fields(c *wire.Coder) {
	c.Bits("seq", &m.Seq)
	c.Integer("listener", &m.Listener, MaxListeners-1)
	c.Bytes("peer", &m.Peer, 16)
	c.Integer("requests", &m.Requests, wire.MaxInt)
	c.Flag("head", &m.Head)
	c.Duration("age", &m.Age)
	c.Bytes("bytes", &m.Bytes, MaxBytes)
	c.Check("peer", len(m.Peer) == 0 || len(m.Peer) == 4 || len(m.Peer) == 16, "is no address")
	c.Check("bytes", !m.Head || len(m.Bytes) > 0, "are none, but a part of a request has come")
}

// Fields lists the fields in the order on the wire.
func (m *Ack) Fields(c *wire.Coder) { c.Bits("seq", &m.Seq) }

// Fields lists the fields in the order on the wire.
func (m *Nack) Fields(c *wire.Coder) {
	c.Bits("seq", &m.Seq)
	c.Text("reason", &m.Reason, MaxReason)
}
