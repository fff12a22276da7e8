package master

import (
	"syscall"
	"time"

	"srvctl/proto/control"
)

// drainGrace is how much longer than drain.timeout a worker may take: it cuts
// what is left itself when the time is up, and tells how many that were.
const drainGrace = time.Second

// exitGrace is how long a worker that has drained may take to exit.
const exitGrace = 5 * time.Second

// retire lets the worker of a slot drain because a later generation serves. It
// reports whether one does from now on: it does nothing to those that drain
// or end already.
func (m *master) retire(now time.Time, s *slot) bool {
	cfg := s.gen.config
	if s.state.accepting() {
		m.connect(now, s)
		m.disinherit(now, s.worker)
	}
	return m.drainSlot(now, s, control.Drain{
		Timeout: cfg.Drain.Timeout, Idle: cfg.Drain.Idle, Why: control.WhyReload, Empty: m.goneFrom(s.gen),
	})
}

// goneFrom returns the numbers of the listeners of a generation that later
// ones do not have.
func (m *master) goneFrom(g *generation) (gone []int) {
	for _, l := range g.listeners {
		if !m.gen.has(l.set) {
			gone = append(gone, l.number)
		}
	}
	return gone
}

// drainSlot gives the worker of a slot the order to drain, or ends it when it
// never accepted anything. It reports whether the worker drains from now on.
func (m *master) drainSlot(now time.Time, s *slot, order control.Drain) bool {
	switch {
	case s.state == slotWaiting:
		s.set(now, slotVacant)
	case s.state.accepting():
		m.closeGone()
		s.set(now, slotDraining, order.Delay+order.Timeout+drainGrace)
		m.send(now, s, order)
		return true
	case s.state.hasProcess() && s.state != slotDying && s.state != slotDraining:
		m.kill(now, s, syscall.SIGKILL)
	}
	return false
}

// hasten gives a worker that drains less time.
func (m *master) hasten(now time.Time, s *slot, order control.Drain) {
	end := now.Add(order.Timeout + drainGrace)
	if s.deadline.IsZero() || end.Before(s.deadline) {
		s.deadline = end
	}
	m.send(now, s, order)
}
