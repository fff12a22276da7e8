package model

// supervise is what the master does.
func (s *steps) supervise() {
	w := s.now
	for p := range w.workers {
		k := &w.workers[p]
		switch {
		case k.outbox[0] != noReport:
			n := s.fork()
			r := pop(n.workers[p].outbox[:])
			s.hear(n, p, r)
			s.emit(action{what: masterHears, p: p, r: r})
		case k.life == gone && k.seen != reaped:
			n := s.fork()
			s.reap(n, p)
			s.emit(action{what: masterReaps, p: p})
		}
		if k.stopped {
			n := s.fork()
			s.fall(n, p)
			s.emit(action{what: masterKills, p: p})
		}
	}
	first := &w.workers[older]
	if w.left.reloads > 0 && w.workers[third].life == absent && w.workers[newer].seen == accepting &&
		(first.seen == retired || first.seen == reaped) && first.outbox[0] == noReport && first.life >= draining {
		n := s.fork()
		n.left.reloads--
		n.workers[third].launch()
		s.emit(action{what: masterReloads, p: third})
	}
}

func (k *worker) launch() { k.life, k.seen = starting, launched }

func (s *steps) hear(n *world, p int, r report) {
	switch r {
	case reportReady:
		n.workers[p].seen = committed
		s.order(n, p, orderCommit)
		if s.rules.has(drainsBeforeServing) {
			s.succeed(n, p)
		}
	case reportServing:
		n.workers[p].seen = accepting
		s.succeed(n, p)
	case reportLeft:
		if s.rules.has(clearsEarly) {
			n.workers[p].cell = 0
		}
	}
}

// order sends a control frame. To a process that has ended it cannot be sent.
func (s *steps) order(n *world, p int, o order) {
	if n.workers[p].life == gone {
		if number, e, ok := o.carries(); ok {
			s.closeEnd(n, number, e)
		}
		return
	}
	push(n.workers[p].inbox[:], o)
}

// succeed lets the workers before x give it their connections and end. One that
// drains already gets another link if the worker it gave to is dead.
func (s *steps) succeed(n *world, x int) {
	for y := range x {
		switch seen := n.workers[y].seen; {
		case seen == accepting:
			n.workers[y].seen = retired
			if s.rules.has(drainsBeforeGive) {
				s.order(n, y, orderDrain)
			}
			s.join(n, y, x)
			if !s.rules.has(drainsBeforeGive) {
				s.order(n, y, orderDrain)
			}
		case seen == retired && n.successorReaped(y):
			s.join(n, y, x)
		}
	}
}

// join makes a link.
func (s *steps) join(n *world, from, to int) {
	number := linkBetween(from, to)
	if n.links[number].ends[near] != unmade {
		return
	}
	n.links[number].ends = [2]endState{flying, flying}
	s.order(n, from, give(number))
	s.order(n, to, take(number))
}

func (n *world) successorReaped(y int) bool {
	for x := workers - 1; x > y; x-- {
		if n.links[linkBetween(y, x)].ends[near] != unmade {
			return n.workers[x].seen == reaped
		}
	}
	return false
}

// reap is the end of a process: what it counted does not count any more, and
// one that was in force is replaced.
func (s *steps) reap(n *world, p int) {
	k := &n.workers[p]
	inForce := k.seen == committed || k.seen == accepting
	k.seen = reaped
	if !s.rules.has(keepsDeadCells) {
		k.cell = 0
	}
	if s.scene.rejoins {
		for x := range n.workers {
			if n.workers[x].seen == accepting {
				s.succeed(n, x)
			}
		}
	}
	if inForce && p != older && n.left.spares > 0 && n.workers[third].life == absent {
		n.left.spares--
		n.workers[third].launch()
	}
}
