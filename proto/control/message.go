package control

import (
	"time"

	"srvctl/proto/wire"
)

// Message is one frame's content. The types of this package are the only
// ones, and they are used as values: control.Ready{...}, not &control.Ready.
type Message interface {
	// Type names the kind of frame.
	Type() Type
	// descriptors is how many descriptors travel with the frame.
	descriptors() int
}

// Reasons of Drain.
const (
	WhyStop   = "stop"
	WhyReload = "reload"
)

// Begin is the first frame to a worker: who it is. With it travels one
// descriptor, the sealed memfd that holds the configuration.
type Begin struct {
	Slot       int
	Generation int
	Index      int    // number of the process in the tables shared by the host
	Workers    int    // slots of this generation
	Instance   string // names this server among others on the host
}

// Listener hands over sockets of one listener. With it travel Count
// descriptors, the sockets of the slots First, First+1, ...; a listener with
// more than MaxDescriptors slots comes in several frames.
type Listener struct {
	Number  int // index among the listeners of the configuration
	Name    string
	Address string // as bound: port 0 is resolved
	Shared  bool   // every worker accepts from all of its sockets, which is one unless it was sliced before
	First   int
	Count   int // at least 1
}

// Logs hands over log files. With it travels one descriptor per name, in the
// same order: "log", "access", "access:SITE". A name that came before is
// replaced; names that are not in the frame stay as they are.
type Logs struct {
	Names []string
}

// Prepare asks the worker to build and warm everything and to answer with
// Ready or Failed. Everything it needs has come before.
type Prepare struct{}

// Commit makes a ready worker serve: it accepts from the sockets of these
// slots, and from every shared socket, and answers Serving.
type Commit struct {
	Accept []int
}

// Accept replaces the slots that a serving worker accepts from, when a
// neighbour has crashed or is back. Shared sockets are not concerned.
type Accept struct {
	Slots []int
}

// Drain makes the worker stop accepting, finish what is in flight and exit. It
// may come again to a worker that drains: then it counts from its arrival, and
// only ever makes the end come sooner.
type Drain struct {
	Timeout time.Duration // for everything; 0 for no limit
	Idle    time.Duration // the silence after which an idle connection is closed; 0 for at once
	Delay   time.Duration // how long readiness is false before it begins
	Why     string        // WhyStop or WhyReload
	// Empty are the numbers of the listeners that nobody else will serve: what
	// waits in their queues is accepted before they are closed. The queues of
	// the others belong to a successor.
	Empty []int
}

// Give comes before Drain and names the process to which the connections go
// that can be moved. With it travels one descriptor, the worker's end of a
// SOCK_SEQPACKET pair; what is said there is srvctl/proto/handover's. It may
// come again when the process at the other end has died and has been replaced.
type Give struct {
	// Listeners are those whose connections may be moved, at least one.
	Listeners []Pair
}

// Pair is a listener of a configuration and the same one of another.
type Pair struct {
	Old, New int // their numbers
}

// Take names a process whose connections come to this one, which serves. With
// it travels one descriptor, the other end of the pair of a Give.
type Take struct {
	Slot       int // of the process that gives
	Generation int
}

// Ready answers Prepare: everything is built, nothing is accepted yet.
type Ready struct {
	Checksum uint64 // of the configuration the worker has built
}

// Failed answers Prepare: the worker cannot serve and is about to exit. A
// Reason longer than MaxText is cut.
type Failed struct {
	Reason string
}

// Serving answers Commit: the worker accepts connections.
type Serving struct{}

// Drained is the last frame of a worker that was told to drain.
type Drained struct {
	Finished int // connections that ended with nothing outstanding
	Moved    int // connections that another process serves now
	Cut      int // connections that ended in the middle of a request because time was up
}

// Left says that a worker that was told to drain has closed its copies of all
// sockets: from now on only others accept.
type Left struct{}

// Degraded says that the worker serves, but not as configured. One Key has
// one Text at a time; an empty Text means it is over. A Text longer than
// MaxText is cut.
type Degraded struct {
	Key  string
	Text string
}

func (Begin) Type() Type    { return TypeBegin }
func (Listener) Type() Type { return TypeListener }
func (Logs) Type() Type     { return TypeLogs }
func (Prepare) Type() Type  { return TypePrepare }
func (Commit) Type() Type   { return TypeCommit }
func (Accept) Type() Type   { return TypeAccept }
func (Drain) Type() Type    { return TypeDrain }
func (Give) Type() Type     { return TypeGive }
func (Take) Type() Type     { return TypeTake }
func (Ready) Type() Type    { return TypeReady }
func (Failed) Type() Type   { return TypeFailed }
func (Serving) Type() Type  { return TypeServing }
func (Drained) Type() Type  { return TypeDrained }
func (Degraded) Type() Type { return TypeDegraded }
func (Left) Type() Type     { return TypeLeft }

func (Begin) descriptors() int      { return 1 }
func (m Listener) descriptors() int { return m.Count }
func (m Logs) descriptors() int     { return len(m.Names) }
func (Prepare) descriptors() int    { return 0 }
func (Commit) descriptors() int     { return 0 }
func (Accept) descriptors() int     { return 0 }
func (Drain) descriptors() int      { return 0 }
func (Give) descriptors() int       { return 1 }
func (Take) descriptors() int       { return 1 }
func (Ready) descriptors() int      { return 0 }
func (Failed) descriptors() int     { return 0 }
func (Serving) descriptors() int    { return 0 }
func (Drained) descriptors() int    { return 0 }
func (Degraded) descriptors() int   { return 0 }
func (Left) descriptors() int       { return 0 }

// The fields of each frame, once for both directions: what is written and
// what is read cannot drift apart. The order is the order on the wire.

func (m *Begin) Fields(c *wire.Coder) {
	c.Integer("slot", &m.Slot, MaxSlots-1)
	c.Integer("generation", &m.Generation, wire.MaxInt)
	c.Integer("index", &m.Index, wire.MaxInt)
	c.Integer("workers", &m.Workers, MaxSlots)
	c.String("instance", &m.Instance, MaxName)
}

func (m *Listener) Fields(c *wire.Coder) {
	c.Integer("number", &m.Number, MaxListeners-1)
	c.String("name", &m.Name, MaxName)
	c.String("address", &m.Address, MaxName)
	c.Flag("shared", &m.Shared)
	c.Integer("first", &m.First, MaxSlots-1)
	c.Integer("count", &m.Count, MaxDescriptors)
	c.Check("count", m.Count > 0, "is 0")
	c.Check("count", m.First+m.Count <= MaxSlots, "goes beyond the last slot")
}

func (m *Logs) Fields(c *wire.Coder)    { names(c, "names", &m.Names, MaxDescriptors) }
func (m *Prepare) Fields(c *wire.Coder) {}
func (m *Commit) Fields(c *wire.Coder)  { indexes(c, "accept", &m.Accept, MaxSlots) }
func (m *Accept) Fields(c *wire.Coder)  { indexes(c, "slots", &m.Slots, MaxSlots) }

func (m *Drain) Fields(c *wire.Coder) {
	c.Duration("timeout", &m.Timeout)
	c.Duration("idle", &m.Idle)
	c.Duration("delay", &m.Delay)
	c.String("why", &m.Why, MaxName)
	indexes(c, "empty", &m.Empty, MaxListeners)
}

func (m *Give) Fields(c *wire.Coder) {
	wire.List(c, "listeners", &m.Listeners, MaxListeners, func(p *Pair) {
		c.Index("listeners", &p.Old, MaxListeners)
		c.Index("listeners", &p.New, MaxListeners)
	})
	c.Check("listeners", len(m.Listeners) > 0, "are none")
}

func (m *Take) Fields(c *wire.Coder) {
	c.Integer("slot", &m.Slot, MaxSlots-1)
	c.Integer("generation", &m.Generation, wire.MaxInt)
}

func (m *Ready) Fields(c *wire.Coder)   { c.Bits("checksum", &m.Checksum) }
func (m *Failed) Fields(c *wire.Coder)  { c.Text("reason", &m.Reason, MaxText) }
func (m *Serving) Fields(c *wire.Coder) {}

func (m *Drained) Fields(c *wire.Coder) {
	c.Integer("finished", &m.Finished, wire.MaxInt)
	c.Integer("moved", &m.Moved, wire.MaxInt)
	c.Integer("cut", &m.Cut, wire.MaxInt)
}

func (m *Left) Fields(c *wire.Coder) {}

func (m *Degraded) Fields(c *wire.Coder) {
	c.String("key", &m.Key, MaxName)
	c.Text("text", &m.Text, MaxText)
}

func names(c *wire.Coder, field string, v *[]string, limit int) {
	wire.List(c, field, v, limit, func(s *string) { c.String(field, s, MaxName) })
}

// indexes moves a list of at most limit numbers that are below limit.
func indexes(c *wire.Coder, field string, v *[]int, limit int) {
	wire.List(c, field, v, limit, func(n *int) { c.Index(field, n, limit) })
}
