package control

import "srvctl/proto/wire"

// Version is the version of the frames that this package speaks. Master and
// workers run the same binary image, so another version is a mistake, not
// something to negotiate.
const Version = 3

// Limits of a frame. Larger things (the configuration, stacks) travel beside
// it as a sealed memfd.
const (
	// MaxFrame of all formats.
	MaxFrame = wire.MaxFrame
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

// format is everything there is to know about each type. A test holds it
// against the constants above.
var format = wire.Format{Name: "control", Version: Version, Kinds: map[uint8]wire.Kind{
	uint8(TypeBegin):    wire.KindOf[Begin]("begin"),
	uint8(TypeListener): wire.KindOf[Listener]("listener"),
	uint8(TypeLogs):     wire.KindOf[Logs]("logs"),
	uint8(TypePrepare):  wire.KindOf[Prepare]("prepare"),
	uint8(TypeCommit):   wire.KindOf[Commit]("commit"),
	uint8(TypeAccept):   wire.KindOf[Accept]("accept"),
	uint8(TypeDrain):    wire.KindOf[Drain]("drain"),
	uint8(TypeGive):     wire.KindOf[Give]("give"),
	uint8(TypeTake):     wire.KindOf[Take]("take"),
	uint8(TypeReady):    wire.KindOf[Ready]("ready"),
	uint8(TypeFailed):   wire.KindOf[Failed]("failed"),
	uint8(TypeServing):  wire.KindOf[Serving]("serving"),
	uint8(TypeDrained):  wire.KindOf[Drained]("drained"),
	uint8(TypeDegraded): wire.KindOf[Degraded]("degraded"),
	uint8(TypeLeft):     wire.KindOf[Left]("left"),
}}

// String returns the name of a known type, or its number.
func (t Type) String() string { return format.NameOf(uint8(t)) }

// Descriptors returns how many descriptors travel with a message. A receiver
// that got another number must close them all and drop the peer.
func Descriptors(m Message) int { return m.descriptors() }

// Append appends the frame of m to dst. On an error, a *wire.FieldError or a
// *wire.SizeError, dst is returned as it was.
func Append(dst []byte, m Message) ([]byte, error) { return format.Append(dst, uint8(m.Type()), m) }

// Decode reads one whole frame. The message does not refer to frame. The
// error is one of srvctl/proto/wire.
func Decode(frame []byte) (Message, error) {
	m, err := format.Decode(frame)
	if err != nil {
		return nil, err
	}
	return m.(Message), nil
}
