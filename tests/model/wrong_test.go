package model

// wrong is what may not be.
type wrong uint8

const (
	nothing wrong = iota

	// What clients see.
	lost          // closed without a word, though no owner fell
	lostQueued    // waited in the queue of the listener, and it was reset
	gapInBytes    // reads on behind bytes that another process has read
	answeredTwice //
	answeredWrong // the answer to a later request comes first
	stuck         // something never ends

	// What leads there.
	foreignRead   // reads from a connection that is not its own
	foreignReader // has it in its epoll
	forgotten     // sent, but no verdict will ever come
	leak          // open, but nobody knows it
	ghost         // in the epoll of a process that does not have it any more
	toldAway      // closed or told to close, though it could have moved
	countedLow    // the sum of the cells is below what is open
	miscounted    // all is quiet, and the sum is wrong
	squatter      // a draining process has a listening descriptor
	unattended    // nobody accepts, though nobody died
)

var wrongNames = map[wrong]string{
	lost:          "a connection is closed without a word, though its owner was not killed",
	lostQueued:    "a connection that waited in the queue is reset",
	gapInBytes:    "a process reads on behind bytes that another one has read",
	answeredTwice: "a request is answered twice",
	answeredWrong: "a request gets no answer, and a later one does",
	stuck:         "something never ends",
	foreignRead:   "a process reads from a connection that is not its own",
	foreignReader: "a process waits to read from a connection that is not its own",
	forgotten:     "a connection was sent, and no verdict can come",
	leak:          "a descriptor is open that nobody knows",
	ghost:         "a connection is in the epoll of a process that has closed it",
	toldAway:      "a client is sent away though its connection could have moved",
	countedLow:    "fewer connections are counted than are open",
	miscounted:    "all is quiet, and the count is not that of the open connections",
	squatter:      "a draining process has a listening descriptor",
	unattended:    "nobody accepts, though no acceptor died",
}

func (w wrong) String() string { return wrongNames[w] }

func (w wrong) seenByClients() bool { return w >= lost && w <= stuck }

// blame notes the first thing that is wrong.
func (s *steps) blame(n *world, what wrong) {
	if n.wrong == nothing && (!s.scene.eye || what.seenByClients()) {
		n.wrong = what
	}
}

// check looks at a state.
func (s *steps) check(n *world) wrong {
	if n.wrong != nothing || s.scene.eye {
		return n.wrong
	}
	counted, existing := 0, 0
	for p := range n.workers {
		w := &n.workers[p]
		counted += int(int8(w.cell))
		if w.life == draining && w.listening {
			return squatter
		}
	}
	for c := range n.conns {
		if what := n.checkConn(c); what != nothing {
			return what
		}
		if n.conns[c].phase == open && n.processes(c) > 0 {
			existing++
		}
	}
	// What only a message of a dead giver holds is counted by nobody for a while.
	if counted < existing {
		return countedLow
	}
	if n.master && !n.gap && !n.accepted() {
		return unattended
	}
	return nothing
}

func (n *world) checkConn(c int) wrong {
	k := &n.conns[c]
	for p := range k.rec {
		switch r := &k.rec[p]; {
		case r.hold == live && int(k.owner) != p+1:
			return foreignReader
		case r.watched && r.hold != live:
			return ghost
		case r.hold == leaked:
			return leak
		}
	}
	for p := range k.rec {
		if k.rec[p].hold == sent && !n.verdictComes(p, c) {
			return forgotten
		}
	}
	return nothing
}

// verdictComes reports whether what was sent will be acknowledged, refused, or
// taken back at the end of the link.
func (n *world) verdictComes(p, c int) bool {
	if n.workers[p].out == 0 {
		return false
	}
	number := int(n.workers[p].out - 1)
	l := &n.links[number]
	if l.ends[far] == closed || l.ends[far] == copied || n.conns[c].rec[linkTo[number]].hold == taken {
		return true
	}
	for i := range l.fwd {
		if int(l.fwd[i].conn) == c+1 || int(l.back[i].conn) == c+1 {
			return true
		}
	}
	return false
}

// quiet looks at a state from which nothing goes on by itself.
func (s *steps) quiet(n *world) wrong {
	for p := range n.workers {
		w := &n.workers[p]
		switch {
		case w.inbox[0] != noOrder, w.outbox[0] != noReport, w.stopped:
			return stuck
		case n.alive(p) && (w.life != serving || !n.master):
			return stuck
		case w.life == gone && n.master && w.seen != reaped:
			return stuck
		}
	}
	for i := range n.links {
		if e := n.links[i].ends; e[near] != unmade && e != [2]endState{closed, closed} {
			return stuck
		}
	}
	cells := [workers]uint8{}
	for c := range s.scene.conns {
		k := &n.conns[c]
		switch {
		case k.phase == queued && n.accepted(), k.phase == open && k.done != s.scene.requests:
			return stuck
		case k.phase == open:
			cells[k.owner-1]++
		}
	}
	for p := range n.workers {
		if n.master && n.workers[p].cell != cells[p] && !s.scene.eye {
			return miscounted
		}
	}
	return nothing
}
