package model

// What the kernel does, by itself, when descriptors are closed.

// closeEnd closes the last descriptor of an end of a link. What was queued to
// it is dropped, which the other end learns of as ECONNRESET, once and before
// anything else; what it has sent itself can still be read there.
func (s *steps) closeEnd(n *world, number int, e end) {
	l := &n.links[number]
	if s.rules.has(masterKeepsEnds) {
		l.ends[e] = copied
		return
	}
	l.ends[e] = closed
	unread := length(l.fwd[:])
	if e == near {
		unread = length(l.back[:])
		l.back = [maxWindow]verdict{}
	} else {
		l.fwd = [maxWindow]message{}
	}
	l.reset[e] = false
	l.reset[e.other()] = unread > 0 && l.ends[e.other()] != closed
}

// die ends a process: all it had is closed.
func (s *steps) die(n *world, p int) {
	w := &n.workers[p]
	w.life, w.stopped, w.out = gone, false, 0
	w.inbox = [maxOrders]order{}
	if w.listening {
		w.listening = false
		n.gap = n.gap || !n.acceptedAfter(p)
	}
	for c := range n.conns {
		n.conns[c].rec[p] = record{}
	}
	for i := range n.links {
		s.closeOwn(n, p, i)
	}
	if !n.master {
		w.outbox = [maxReports]report{}
	}
}

// closeOwn closes the ends of a link that a process holds or was sent.
func (s *steps) closeOwn(n *world, p, number int) {
	for e, q := range [2]int{linkFrom[number], linkTo[number]} {
		if st := n.links[number].ends[e]; q == p && (st == held || st == flying) {
			s.closeEnd(n, number, end(e))
		}
	}
}

// accepted reports whether anybody accepts from the listener.
func (n *world) accepted() bool { return n.acceptedAfter(-1) }

// acceptedAfter reports whether a worker newer than p does.
func (n *world) acceptedAfter(p int) bool {
	for q := p + 1; q < workers; q++ {
		if n.workers[q].listening {
			return true
		}
	}
	return false
}

// forget closes p's copy of a connection. The registration in its epoll belongs
// to the open file, not to the descriptor: if it was not deleted and somebody
// else has the connection open, it stays and can never be deleted any more.
func (s *steps) forget(n *world, p, c int) {
	watched := n.conns[c].rec[p].watched && s.rules.has(closesWithoutDel)
	n.conns[c].rec[p] = record{watched: watched}
}

// inFlight reports whether a message holds the connection.
func (n *world) inFlight(c int) bool {
	for i := range n.links {
		for _, m := range n.links[i].fwd {
			if m.conn == uint8(c+1) {
				return true
			}
		}
	}
	return false
}

// processes counts the processes that have the connection open.
func (n *world) processes(c int) (count int) {
	for p := range n.conns[c].rec {
		if n.conns[c].rec[p].hold != none {
			count++
		}
	}
	return count
}

// cause is why a step closes what it closes.
type cause uint8

const (
	byRule    cause = iota
	byFall          // a process was killed, or cut what it had
	byRefuse        // a connection of a giver that fell was refused by the taker
	byVerdict       // the giver closed its copy of what a taker that fell had acknowledged
)

// settle closes the connections that nobody holds any more, and blames whoever
// is to blame. A connection may vanish without a word only together with the
// process that owned it: when that falls, when it fell and the taker refuses
// what it left, when it fell and the giver hears that it had been the owner. One
// that waits in the queue may be reset only when the master is dead as well as
// the newest worker that accepted.
func (s *steps) settle(n *world, why cause) {
	for c := range n.conns {
		k := &n.conns[c]
		switch {
		case k.phase == queued && !n.master && !n.accepted():
			if why != byFall && !n.gap {
				s.blame(n, lostQueued)
			}
			*k = connection{phase: ended}
		case k.phase < open || n.processes(c) > 0 || n.inFlight(c):
		default:
			if k.phase == open && !n.excused(k.owner, why) {
				s.blame(n, lost)
			}
			*k = connection{phase: ended}
		}
	}
}

func (n *world) excused(owner uint8, why cause) bool {
	return why != byRule && owner != nobody && n.workers[owner-1].fell
}
