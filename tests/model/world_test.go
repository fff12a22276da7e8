package model

// The numbers of a world: small, because every order of events is tried.
const (
	workers    = 3 // the old one, the new one, and the next or the replacement
	maxConns   = 3
	maxWindow  = 2
	maxOrders  = 4
	maxReports = 3
	numLinks   = 3
)

// The workers.
const (
	older = iota
	newer
	third
)

const nobody = 0 // an owner is 1 + the number of a worker

// life is what a worker is doing.
type life uint8

const (
	absent   life = iota // not started yet. Exits: starting
	starting             // builds and warms. Exits: ready, gone
	ready                // waits for Commit. Exits: serving, draining, gone
	serving              // accepts and answers. Exits: draining, gone
	draining             // has left the listeners. Exits: gone
	gone                 // exited or killed. No exits
)

// seen is how the master thinks of a worker.
type seen uint8

const (
	unknown   seen = iota
	launched       // forked, not yet Ready
	committed      // was sent Commit
	accepting      // said Serving
	retired        // was sent Drain
	reaped         // wait4 returned it, its cell is cleared
)

// order is a control frame to a worker, with the link whose end travels in it.
type order uint8

const (
	noOrder order = iota
	orderCommit
	orderDrain
	orderGive // + link
	orderTake = orderGive + numLinks
)

func give(link int) order { return orderGive + order(link) }
func take(link int) order { return orderTake + order(link) }

// carries returns the link of which an end travels in the frame, and which end.
func (o order) carries() (link int, e end, ok bool) {
	switch {
	case o >= orderTake:
		return int(o - orderTake), far, true
	case o >= orderGive:
		return int(o - orderGive), near, true
	}
	return 0, near, false
}

// report is a control frame to the master.
type report uint8

const (
	noReport report = iota
	reportReady
	reportServing
	reportLeft
)

// worker is a process.
type worker struct {
	life      life
	stopped   bool // SIGSTOP
	fell      bool // it was killed, or cut what it had: not its last wish
	listening bool // holds listening descriptors, in epoll
	orphan    bool // has noticed that the master is gone
	cell      uint8
	seen      seen
	out       uint8 // 1 + the link it gives connections to, while it holds the near end
	inbox     [maxOrders]order
	outbox    [maxReports]report
}

// hold is what a worker has of a connection.
type hold uint8

const (
	none   hold = iota // no descriptor
	live               // in epoll: it reads
	taken              // received and not yet acknowledged
	sent               // sent and not yet acknowledged: kept, never read
	leaked             // a descriptor that nobody remembers
)

// record is what a worker knows of a connection. Requests are numbered from 0;
// those from next to end-1 are in its buffer.
type record struct {
	hold      hold
	next, end uint8
	busy      bool // the exchange of request next-1 is in flight
	watched   bool // registered in its epoll
}

// phase is how a connection stands as the client sees it.
type phase uint8

const (
	outside phase = iota // not connected
	queued               // in the listener's queue
	open                 // accepted
	ended                // told Connection: close, or closed
)

// connection is the truth about a connection: that of the client and the
// kernel, and what each worker has of it.
type connection struct {
	phase    phase
	owner    uint8 // who alone may read
	stranded bool  // it was refused or taken back: it cannot move any more
	sent     uint8 // requests that the client has sent
	out      uint8 // of these, read from the socket
	done     uint8 // answered
	rec      [workers]record
}

// message is a conn frame in a link. It holds a descriptor.
type message struct {
	conn      uint8 // 1 + number
	next, end uint8
}

// verdict is an ack or a nack in a link.
type verdict struct {
	conn uint8 // 1 + number
	ack  bool
}

// end names the two ends of a link.
type end uint8

const (
	near end = iota // the sender's
	far             // the receiver's
)

func (e end) other() end { return 1 - e }

// endState is where an end of a link is.
type endState uint8

const (
	unmade endState = iota
	flying          // in a control frame that was not read yet
	held            // by its worker
	closed          // no descriptor is left
	copied          // by a mistake: the master has kept a copy of it
)

// link is a SOCK_SEQPACKET pair from one worker to a later one.
type link struct {
	ends  [2]endState
	reset [2]bool // the other end was closed with messages unread: ECONNRESET, once
	fwd   [maxWindow]message
	back  [maxWindow]verdict
}

var linkFrom = [numLinks]int{older, older, newer}
var linkTo = [numLinks]int{newer, third, third}

func linkBetween(from, to int) int { return from + to - 1 } // 0>1: 0, 0>2: 1, 1>2: 2

// budget is what may still go wrong.
type budget struct {
	kills, stops, cuts, masterKills, failedAcks, reloads, spares uint8
}

// world is a state: comparable, without pointers.
type world struct {
	master  bool // lives
	gap     bool // the newest that accepted died, and none has come after it
	left    budget
	wrong   wrong
	workers [workers]worker
	links   [numLinks]link
	conns   [maxConns]connection
}

func (w *world) alive(p int) bool {
	l := w.workers[p].life
	return l != absent && l != gone
}

// runs reports whether p takes steps.
func (w *world) runs(p int) bool { return w.alive(p) && !w.workers[p].stopped }

// push appends to a queue that ends at its first zero.
func push[T comparable](queue []T, v T) {
	var zero T
	for i := range queue {
		if queue[i] == zero {
			queue[i] = v
			return
		}
	}
	panic("model: a queue of the model is too short")
}

// pop takes the head of a queue.
func pop[T comparable](queue []T) (v T) {
	var zero T
	v = queue[0]
	copy(queue, queue[1:])
	queue[len(queue)-1] = zero
	return v
}

func length[T comparable](queue []T) (n int) {
	var zero T
	for n < len(queue) && queue[n] != zero {
		n++
	}
	return n
}
