package model

// The hand-over between two workers.

// giving is what a draining worker does with a connection that can move.
func (s *steps) giving(p, c int) {
	w, k := &s.now.workers[p], &s.now.conns[c]
	r := k.rec[p]
	if r.hold == sent && s.rules.has(resumesOnTimeout) {
		n := s.fork()
		s.takeBack(n, p, c)
		s.emit(action{what: timesOut, p: p, c: c})
	}
	if w.life != draining || w.out == 0 || r.hold != live || k.phase != open || k.stranded {
		return
	}
	if r.busy && !s.rules.has(movesBusy) {
		return
	}
	l := &s.now.links[w.out-1]
	if l.ends[far] == closed || s.now.unacknowledged(p) >= s.scene.window {
		return // EPIPE, or no room: what comes out of the link will say which
	}
	n := s.fork()
	s.send(n, p, c)
	s.emit(action{what: sends, p: p, c: c})
}

func (n *world) unacknowledged(p int) (count int) {
	for c := range n.conns {
		if n.conns[c].rec[p].hold == sent {
			count++
		}
	}
	return count
}

// send puts a connection into the link and keeps a copy, which is not read.
func (s *steps) send(n *world, p, c int) {
	r := &n.conns[c].rec[p]
	m := message{conn: uint8(c + 1), next: r.next, end: r.end}
	if s.rules.has(leavesBytes) {
		m.end = m.next
	}
	push(n.links[n.workers[p].out-1].fwd[:], m)
	r.hold, r.watched = sent, s.rules.has(keepsWatching)
	if s.rules.has(countsAtSend) {
		n.workers[p].cell--
	}
	if s.rules.has(closesAtSend) {
		s.forget(n, p, c)
		n.workers[p].cell--
	}
}

// verdicts is the giver reading its link.
func (s *steps) verdicts(number int) {
	n := s.fork()
	if s.verdict(n, number) {
		s.emit(action{what: hears, p: linkFrom[number], l: number})
	}
	if s.rules.has(hangsUpAlive) && s.now.unacknowledged(linkFrom[number]) > 0 {
		n := s.fork()
		s.takeAllBack(n, linkFrom[number], number)
		s.emit(action{what: givesUp, p: linkFrom[number], l: number})
	}
}

// verdict takes what comes out of the link next: verdicts first, then its end.
// A reset says that something was dropped, and nothing of what was answered
// before that: it is not the end. It reports false when there is nothing yet.
func (s *steps) verdict(n *world, number int) bool {
	s.why = byVerdict
	l, p := &n.links[number], linkFrom[number]
	over := l.ends[far] == closed
	if l.reset[near] && s.rules.has(takesResetForEnd) || over && s.rules.has(takesHangupForEnd) {
		s.takeAllBack(n, p, number)
		return true
	}
	l.reset[near] = false
	if l.back[0].conn == 0 {
		if over {
			s.takeAllBack(n, p, number)
		}
		return over
	}
	v := pop(l.back[:])
	c := int(v.conn - 1)
	if !v.ack {
		s.takeBack(n, p, c)
		return true
	}
	if n.conns[c].rec[p].hold != sent { // by a mistake
		return true
	}
	n.conns[c].rec[p].watched = s.rules.has(keepsWatching)
	n.conns[c].rec[p] = record{watched: n.conns[c].rec[p].watched}
	if !s.rules.has(countsAtSend) && !s.rules.has(neverCountsOff) {
		n.workers[p].cell--
	}
	return true
}

// takeAllBack ends the link: what was not acknowledged was not read there.
func (s *steps) takeAllBack(n *world, p, number int) {
	for c := range n.conns {
		if n.conns[c].rec[p].hold == sent && !s.rules.has(forgetsUnacknowledged) {
			s.takeBack(n, p, c)
		}
	}
	s.closeEnd(n, number, near)
	n.workers[p].out = 0
}

// takeBack reads a connection again, which stays here from now on.
func (s *steps) takeBack(n *world, p, c int) {
	k := &n.conns[c]
	if k.rec[p].hold != sent {
		return
	}
	k.rec[p].hold, k.rec[p].watched = live, true
	k.stranded = !s.rules.has(offersAgain)
	if s.rules.has(countsAtSend) {
		n.workers[p].cell++
	}
}

// taking is the taker reading its link. It takes one connection after the other.
func (s *steps) taking(number int) {
	l, p := &s.now.links[number], linkTo[number]
	for c := range s.scene.conns {
		k := &s.now.conns[c]
		if h := k.rec[p].hold; h == taken || h == live && int(k.owner) != p+1 {
			if int(k.owner) == linkFrom[number]+1 {
				s.acknowledge(number, c)
			}
			return
		}
	}
	orphans := l.ends[near] == closed
	if l.fwd[0].conn == 0 || orphans && s.rules.has(dropsOrphans) {
		if orphans {
			n := s.fork()
			s.closeEnd(n, number, far)
			s.emit(action{what: ends, p: p, l: number})
		}
		return
	}
	refuses := s.now.workers[p].life == draining && !(s.scene.passesOn && s.now.workers[p].out != 0)
	if refuses || s.scene.full {
		s.refuse(number)
	}
	if !refuses {
		n := s.fork()
		m := pop(n.links[number].fwd[:])
		s.take(n, p, m)
		s.emit(action{what: takes, p: p, c: int(m.conn - 1), l: number})
	}
}

// take counts the connection before it says so, because then the giver counts
// it off.
func (s *steps) take(n *world, p int, m message) {
	r := &n.conns[m.conn-1].rec[p]
	*r = record{hold: taken, next: m.next, end: m.end}
	if s.rules.has(readsBeforeAck) {
		r.hold, r.watched = live, true
	}
	if s.rules.has(acksBeforeCount) {
		l := &n.links[linkBetween(int(n.conns[m.conn-1].owner-1), p)]
		if l.ends[near] == held {
			push(l.back[:], verdict{conn: m.conn, ack: true})
		}
		return
	}
	n.workers[p].cell++
}

// refuse sends a nack and closes what came.
func (s *steps) refuse(number int) {
	n := s.fork()
	l, p := &n.links[number], linkTo[number]
	m := pop(l.fwd[:])
	if l.ends[near] != closed {
		push(l.back[:], verdict{conn: m.conn})
	}
	if s.rules.has(keepsRefused) {
		n.conns[m.conn-1].rec[p].hold = leaked
	}
	s.why = byRefuse
	s.emit(action{what: refuses, p: p, c: int(m.conn - 1), l: number})
}

// acknowledge makes the connection the taker's own: from the moment when the
// ack is in the link. A giver whose end is closed never takes anything back: so
// what came from it belongs to the taker without a word. An ack that cannot be
// sent while the giver lives ends the link.
func (s *steps) acknowledge(number, c int) {
	p := linkTo[number]
	alone := s.now.links[number].ends[near] == closed
	if alone && s.rules.has(closesOrphans) || !alone && s.now.left.failedAcks > 0 {
		s.failAck(number, c, alone)
	}
	if alone && s.rules.has(closesOrphans) {
		return
	}
	n := s.fork()
	if s.rules.has(acksBeforeCount) {
		n.workers[p].cell++
	} else if !alone {
		push(n.links[number].back[:], verdict{conn: uint8(c + 1), ack: true})
	}
	k := &n.conns[c]
	k.owner = uint8(p + 1)
	k.rec[p].hold, k.rec[p].watched = live, true
	what := acks
	if alone {
		what = inherits
	}
	s.emit(action{what: what, p: p, c: c, l: number})
}

// failAck is an ack that could not be sent.
func (s *steps) failAck(number, c int, alone bool) {
	p := linkTo[number]
	n := s.fork()
	if !alone {
		n.left.failedAcks--
	}
	if s.rules.has(keepsUnacknowledged) {
		n.conns[c].rec[p].hold = live
	} else {
		n.conns[c].rec[p] = record{}
		n.workers[p].cell--
		s.closeEnd(n, number, far)
	}
	s.emit(action{what: cannotAck, p: p, c: c, l: number})
}
