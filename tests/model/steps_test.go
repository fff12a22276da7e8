package model

// steps makes the states that can follow a state.
type steps struct {
	rules rules
	scene scene
	now   *world
	next  world
	why   cause
	yield func(*world, action)
}

// fork begins a step.
func (s *steps) fork() *world {
	s.next, s.why = *s.now, byRule
	return &s.next
}

// emit ends it.
func (s *steps) emit(a action) {
	s.settle(&s.next, s.why)
	s.yield(&s.next, a)
}

// from calls yield with every state that can follow w, and how. The state is
// only valid during the call.
func (s *steps) from(w *world, yield func(*world, action)) {
	s.now, s.yield = w, yield
	for c := range s.scene.conns {
		s.client(c)
	}
	for p := range w.workers {
		if w.runs(p) {
			s.lifecycle(p)
			for c := range s.scene.conns {
				s.serve(p, c)
				s.giving(p, c)
			}
		}
	}
	for i := range w.links {
		if l := &w.links[i]; l.ends[near] == held && w.runs(linkFrom[i]) {
			s.verdicts(i)
		}
		if l := &w.links[i]; l.ends[far] == held && w.runs(linkTo[i]) {
			s.taking(i)
		}
	}
	if w.master {
		s.supervise()
	}
	s.harm()
}

// client is all that a client does. It may send at any time, also before it has
// the answers to what it sent.
func (s *steps) client(c int) {
	k := &s.now.conns[c]
	if k.phase == outside && (s.now.master || s.now.accepted()) {
		n := s.fork()
		n.conns[c].phase = queued
		s.emit(action{what: connects, c: c})
	}
	if (k.phase == queued || k.phase == open) && k.sent < s.scene.requests {
		n := s.fork()
		n.conns[c].sent++
		s.emit(action{what: asks, c: c})
	}
}

// harm is what no rule can prevent. These steps are not needed for anything to
// end well.
func (s *steps) harm() {
	w := s.now
	for p := range w.workers {
		if !w.alive(p) {
			continue
		}
		if w.left.kills > 0 {
			n := s.fork()
			n.left.kills--
			s.fall(n, p)
			s.emit(action{what: killed, p: p})
		}
		if w.left.cuts > 0 && w.workers[p].life == draining && w.runs(p) {
			n := s.fork()
			n.left.cuts--
			s.fall(n, p)
			s.emit(action{what: cuts, p: p})
		}
		if w.left.stops > 0 && !w.workers[p].stopped {
			n := s.fork()
			n.left.stops--
			n.workers[p].stopped = true
			s.emit(action{what: stops, p: p})
		}
		if w.workers[p].stopped {
			n := s.fork()
			n.workers[p].stopped = false
			s.emit(action{what: continues, p: p})
		}
	}
	if w.master && w.left.masterKills > 0 {
		n := s.fork()
		n.left.masterKills--
		n.master = false
		for p := range n.workers {
			n.workers[p].outbox = [maxReports]report{}
		}
		s.why = byFall
		s.emit(action{what: masterDies})
	}
}

// fall ends a process that has not finished.
func (s *steps) fall(n *world, p int) {
	s.why = byFall
	n.workers[p].fell = true
	s.die(n, p)
}
