package master

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"srvctl/proto/control"
)

// said is posted for each frame of a worker.
type said struct {
	worker *worker
	msg    control.Message
	err    error // the frame could not be understood
}

func (e said) apply(m *master, now time.Time) {
	s := m.slotOf(e.worker)
	if s == nil {
		return
	}
	if e.err != nil {
		m.condemn(now, s, "control", fmt.Sprintf("sent what cannot be understood: %v", e.err))
		return
	}
	switch msg := e.msg.(type) {
	case control.Ready:
		m.heardReady(now, s, msg)
	case control.Failed:
		e.worker.failure = clean(msg.Reason)
		m.condemnBy(now, s, syscall.SIGTERM, "start", "cannot serve: "+e.worker.failure) // it ends by itself
	case control.Serving:
		m.heardServing(now, s)
	case control.Left:
		e.worker.left = true
		m.rollOn(now)
	case control.Drained:
		m.heardDrained(now, s, msg)
	case control.Degraded:
		m.heardDegraded(s, clean(msg.Key), clean(msg.Text))
	default:
		m.condemn(now, s, "control", fmt.Sprintf("sent a frame that only the master may send: %v", e.msg.Type()))
	}
}

// slotOf returns the slot whose process a worker is, nil when its end has been
// handled already.
func (m *master) slotOf(w *worker) *slot {
	if w.home.worker == w {
		return w.home
	}
	return nil
}

// hungUp is posted when the link of a worker ends. That is what the end of a
// process looks like from here, and its exit, which follows, says why. A
// process that closed its link and lives on has to go: nobody can talk to it.
type hungUp struct {
	worker *worker
	err    error
}

func (e hungUp) apply(m *master, now time.Time) {
	s := m.slotOf(e.worker)
	if s == nil || s.state == slotDraining || s.state == slotDying {
		return // its exit is bounded already
	}
	e.worker.silent = true
	s.deadline = now.Add(dyingGrace)
}

// heardReady handles the answer to Prepare. In a first start and in a reload
// it is a barrier: the first worker is the canary for the others, and nobody
// accepts before all are ready. A restarted worker goes on at once.
func (m *master) heardReady(now time.Time, s *slot, msg control.Ready) {
	if s.state != slotStarting {
		m.outOfTurn(now, s, "ready")
		return
	}
	if msg.Checksum != s.gen.checksum {
		m.condemn(now, s, "start", "has built another configuration than the one it was given")
		return
	}
	s.worker.readyIn = now.Sub(s.since)
	s.set(now, slotReady)
	switch {
	case s.gen == m.next:
		m.barrier(now)
	case m.phase == phaseStarting:
		m.firstReady(now)
	case m.rolling():
		r := m.reload
		m.rollOn(now)
		if s.state == slotReady && s.number < r.turn { // its turn is over: it was restarted
			m.open(now, s)
		}
	default:
		m.open(now, s)
	}
}

// firstReady starts the workers that wait for the first, or lets all of them
// accept.
func (m *master) firstReady(now time.Time) {
	for _, other := range m.gen.slots {
		if other.state == slotVacant {
			m.start(now, other)
		}
	}
	if m.gen.allIn(slotReady) {
		m.openAll(now)
	}
}

// open makes a ready worker accept.
func (m *master) open(now time.Time, s *slot) {
	if m.listen(now, s) {
		m.commit(now, s, m.acceptSet(s))
	}
}

// openAll does that for the first start: nobody accepts before all can.
func (m *master) openAll(now time.Time) {
	for _, s := range m.gen.slots {
		if !m.listen(now, s) {
			return
		}
	}
	for _, s := range m.gen.slots {
		m.commit(now, s, m.acceptSet(s))
	}
}

// listen lets a slot's sockets take connections, from its first ready worker
// on: a listening socket without a worker would let clients hang.
func (m *master) listen(now time.Time, s *slot) bool {
	for _, l := range s.gen.listeners {
		if err := m.env.listen(l.set, s.number); err != nil {
			m.condemn(now, s, "start", fmt.Sprintf("listener %s: %v", l.name, err))
			return false
		}
	}
	return true
}

func (m *master) commit(now time.Time, s *slot, accept []int) {
	s.set(now, slotOpening, s.gen.config.ReadyTimeout)
	m.forgetAccepts(s.number)
	s.worker.accepts = accept
	m.send(now, s, control.Commit{Accept: accept})
}

// forgetAccepts makes sure that workers that were told to accept from the
// sockets of a slot, which may not have listened then, are told again when they
// have to.
func (m *master) forgetAccepts(number int) {
	for s := range m.slots() {
		if s.worker != nil && s.number != number && slices.Contains(s.worker.accepts, number) {
			s.worker.accepts = nil
		}
	}
}

func (m *master) heardServing(now time.Time, s *slot) {
	if s.state != slotOpening {
		if s.state != slotDraining { // it crossed with Drain
			m.outOfTurn(now, s, "serving")
		}
		return
	}
	s.set(now, slotServing)
	if m.phase == phaseServing {
		m.log.Info("worker serves", "slot", s.number, "generation", s.worker.generation, "pid", s.worker.proc.pid())
		if !m.rolling() { // which does it once, at its end: each of many workers would be told of each
			m.rebalance(now)
		}
		m.takeOver(now, s)
		return
	}
	if m.phase == phaseStarting && m.gen.allIn(slotServing) { // a stop may have begun before its listeners are given up
		m.started(now)
	}
}

// takeOver goes on with what waited for a worker that serves now: the roll of
// a reload, or the workers of generations before that had to stay when nobody
// of this one could serve.
func (m *master) takeOver(now time.Time, s *slot) {
	m.reconnect(now)
	switch {
	case m.rolling():
		m.rollOn(now)
	case s.gen == m.gen:
		m.retireRest(now)
	}
}

// heardDrained handles the last frame of a worker: no client waits for it any
// more, so it may take its time to write its logs and exit.
func (m *master) heardDrained(now time.Time, s *slot, msg control.Drained) {
	w := s.worker
	if s.state == slotDraining {
		s.deadline = now.Add(exitGrace)
	}
	w.finished, w.moved, w.cut = msg.Finished, msg.Moved, msg.Cut
	m.log.Info("worker drained", "slot", s.number, "generation", w.generation, "pid", w.proc.pid(), "finished", msg.Finished, "moved", msg.Moved, "cut", msg.Cut)
	m.tell(s.gen, fmt.Sprintf("slot %d: drained, %s", s.number, outcome(msg.Finished, msg.Moved, msg.Cut)))
}

// outcome says what became of the connections of workers that drained.
func outcome(finished, moved, cut int) string {
	text := plural(finished, "connection") + " finished"
	if moved > 0 {
		text += fmt.Sprintf(", %d moved", moved)
	}
	return text + fmt.Sprintf(", %d cut", cut)
}

// maxDegraded bounds what one worker may report: beyond it a report is logged
// and not kept.
const maxDegraded = 64

func (m *master) heardDegraded(s *slot, key, text string) {
	w := s.worker
	if text == "" {
		delete(w.degraded, key)
		m.log.Info("worker recovered", "slot", s.number, "generation", w.generation, "pid", w.proc.pid(), "key", key)
		return
	}
	if _, known := w.degraded[key]; known || len(w.degraded) < maxDegraded {
		w.degraded[key] = text
	}
	m.log.Warn("worker degraded", "slot", s.number, "generation", w.generation, "pid", w.proc.pid(), "key", key, "err", text)
}

func (m *master) outOfTurn(now time.Time, s *slot, what string) {
	m.condemn(now, s, "control", fmt.Sprintf("said %s while %v", what, s.state))
}
