package model

// What a worker does besides moving connections.

// lifecycle is the orders that it gets, and its beginning and end.
func (s *steps) lifecycle(p int) {
	w := &s.now.workers[p]
	switch {
	case w.life == starting:
		n := s.fork()
		n.workers[p].life = ready
		n.report(p, reportReady)
		s.emit(action{what: isReady, p: p})
	case w.inbox[0] != noOrder:
		n := s.fork()
		o := pop(n.workers[p].inbox[:])
		s.obey(n, p, o)
		s.emit(action{what: obeys, p: p, o: o})
	}
	if !s.now.master && !w.orphan && w.inbox[0] == noOrder {
		s.orphaned(p)
	}
	if w.life == draining && s.drained(p) {
		n := s.fork()
		if n.workers[p].cell != 0 {
			s.blame(n, miscounted)
		}
		s.die(n, p)
		s.why = byRefuse // what a fallen giver had left to it
		s.emit(action{what: exits, p: p})
	}
	if w.listening {
		for c := range s.scene.conns {
			if s.now.conns[c].phase == queued {
				n := s.fork()
				n.accept(p, c)
				s.emit(action{what: accepts, p: p, c: c})
			}
		}
	}
}

// report tells the master something, if there is one.
func (n *world) report(p int, r report) {
	if n.master {
		push(n.workers[p].outbox[:], r)
	}
}

func (n *world) accept(p, c int) {
	k := &n.conns[c]
	k.phase, k.owner = open, uint8(p+1)
	k.rec[p] = record{hold: live, watched: true}
	n.workers[p].cell++
}

func (s *steps) obey(n *world, p int, o order) {
	w := &n.workers[p]
	if number, e, ok := o.carries(); ok {
		if e == near && w.out != 0 {
			s.replaceLink(n, p, int(w.out-1))
		}
		if l := &n.links[number]; l.ends[e] == flying {
			l.ends[e] = held
		}
		if e == near {
			w.out = uint8(number + 1)
		}
		return
	}
	switch {
	case o == orderCommit && w.life == ready:
		w.life, w.listening = serving, true
		n.gap = false
		n.report(p, reportServing)
	case o == orderDrain && w.life == serving:
		// The successor that was to have the queue may have left already.
		if !n.master && !s.rules.has(drainTrustsSuccessor) {
			s.emptyQueue(n, p)
		}
		w.life = draining
		w.listening = s.rules.has(keepsListening)
		n.report(p, reportLeft)
	}
}

// replaceLink ends the link before a second give. What the dead taker has
// acknowledged was its own: so the verdicts come first.
func (s *steps) replaceLink(n *world, p, number int) {
	if s.rules.has(secondGiveDropsFirst) {
		s.takeAllBack(n, p, number)
	}
	for n.links[number].ends[near] == held && s.verdict(n, number) {
	}
}

// orphaned is the end of the control channel: the queue is emptied, because
// nobody may be there who does it later, and the listener is left.
func (s *steps) orphaned(p int) {
	n := s.fork()
	w := &n.workers[p]
	w.orphan = true
	switch w.life {
	case starting:
		s.die(n, p)
	case ready, serving:
		if !s.rules.has(orphanLeavesQueue) {
			s.emptyQueue(n, p)
		}
		w.life, w.listening = draining, false
	}
	s.emit(action{what: notices, p: p})
}

// emptyQueue accepts all that waits.
func (s *steps) emptyQueue(n *world, p int) {
	for c := range s.scene.conns {
		if n.conns[c].phase == queued {
			n.accept(p, c)
		}
	}
}

// drained reports whether nothing is left to finish, to move, or to be
// acknowledged.
func (s *steps) drained(p int) bool {
	for c := range s.now.conns {
		switch s.now.conns[c].rec[p].hold {
		case live, taken:
			return false
		case sent:
			if !s.rules.has(exitsUnacknowledged) {
				return false
			}
		}
	}
	return true
}

// serve is what a worker does with a connection that it has in its epoll.
func (s *steps) serve(p, c int) {
	k := &s.now.conns[c]
	r := k.rec[p]
	if r.hold != live {
		return
	}
	if k.out < k.sent {
		n := s.fork()
		s.read(n, p, c)
		s.emit(action{what: reads, p: p, c: c})
	}
	if !r.busy && r.next < r.end {
		n := s.fork()
		n.conns[c].rec[p].busy = true
		n.conns[c].rec[p].next++
		s.emit(action{what: begins, p: p, c: c})
	}
	if r.busy {
		n := s.fork()
		last := s.answer(n, p, c)
		s.emit(action{what: answers, p: p, c: c, last: last})
	}
	idle := !r.busy && r.next == r.end
	if stays := s.now.stays(p, c); s.now.workers[p].life == draining && idle && (stays || s.rules.has(closesIdle)) {
		n := s.fork()
		if !stays {
			s.blame(n, toldAway)
		}
		s.hangUp(n, p, c)
		s.emit(action{what: quiets, p: p, c: c})
	}
}

// stays reports whether, as p knows, the connection cannot move.
func (n *world) stays(p, c int) bool {
	return n.conns[c].stranded || n.workers[p].out == 0
}

func (s *steps) read(n *world, p, c int) {
	k := &n.conns[c]
	if k.owner != uint8(p+1) {
		s.blame(n, foreignRead)
	}
	if k.rec[p].end != k.out {
		s.blame(n, gapInBytes)
	}
	k.out++
	k.rec[p].end++
}

// answer sends the answer to the request in flight. While draining it is the
// last of its connection if that cannot move and no request waits behind.
func (s *steps) answer(n *world, p, c int) (last bool) {
	k := &n.conns[c]
	r := &k.rec[p]
	switch request := r.next - 1; {
	case request < k.done:
		s.blame(n, answeredTwice)
	case request > k.done:
		s.blame(n, answeredWrong)
	}
	k.done++
	r.busy = false
	if n.workers[p].life != draining || r.next != r.end {
		return false
	}
	if stays := n.stays(p, c); !stays && !s.rules.has(tellsAway) {
		return false
	}
	if !k.stranded && n.canMove(p) {
		s.blame(n, toldAway)
	}
	s.hangUp(n, p, c)
	return true
}

// canMove reports whether p has a link, or was sent its first one.
func (n *world) canMove(p int) bool {
	for i := range n.links {
		if linkFrom[i] == p && n.links[i].ends[near] == closed {
			return false // when another one comes is not known here
		}
	}
	for _, o := range n.workers[p].inbox {
		if _, e, ok := o.carries(); ok && e == near {
			return true
		}
	}
	return n.workers[p].out != 0
}

// hangUp ends a connection, and the client sees it.
func (s *steps) hangUp(n *world, p, c int) {
	n.conns[c].phase = ended
	s.forget(n, p, c)
	n.workers[p].cell--
}
