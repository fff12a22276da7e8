package master

import (
	"time"

	"srvctl/proto/control"
	"srvctl/shared/sock"
)

// connect joins a worker that is about to drain with the one that takes its
// connections, by a pair of sockets that this process does not read. Where
// there is nobody to take them, or no listener that both have, the worker
// drains by closing what is idle, as it would otherwise.
func (m *master) connect(now time.Time, from *slot) {
	to := m.heirOf(from)
	if to == nil {
		return
	}
	common := commonListeners(from.gen, to.gen)
	if len(common) == 0 {
		return
	}
	give, take, err := sock.Pair()
	if err != nil {
		m.log.Warn("connections cannot be moved, they are closed when idle", "slot", from.number, "generation", from.gen.number, "err", err)
		return
	}
	from.worker.heir = to.worker
	m.send(now, to, control.Take{Slot: from.number, Generation: from.gen.number}, take)
	m.send(now, from, control.Give{Listeners: common}, give)
	closeAll([]int{give, take})
}

// heirOf returns the slot whose worker takes the connections of another's: the
// one of the same number in the generation in force, or any that serves. Those
// of slots that are gone are spread over all that remain.
func (m *master) heirOf(from *slot) *slot {
	n := len(m.gen.slots)
	for i := range n {
		if s := m.gen.slots[(from.number+i)%n]; s != from && s.state == slotServing {
			return s
		}
	}
	return nil
}

// commonListeners pairs the listeners that both generations have as one and
// the same set of sockets. Connections of the others end where they are.
func commonListeners(from, to *generation) (common []control.Pair) {
	for _, l := range from.listeners {
		for _, n := range to.listeners {
			if l.set == n.set {
				common = append(common, control.Pair{Old: l.number, New: n.number})
			}
		}
	}
	return common
}

// reconnect finds another heir for every worker that drains and whose heir has
// ended. What the dead one had not acknowledged is back with the giver.
func (m *master) reconnect(now time.Time) {
	if m.phase != phaseServing {
		return
	}
	for _, g := range m.old {
		for _, s := range g.slots {
			if s.state == slotDraining && s.worker.heir != nil && !s.worker.heir.lives() {
				m.connect(now, s)
			}
		}
	}
}

// disinherit finds another heir for the workers that drain into one that is
// about to drain itself: it passes on what comes, but ends when it has nothing
// left.
func (m *master) disinherit(now time.Time, heir *worker) {
	for _, g := range m.old {
		for _, s := range g.slots {
			if s.state == slotDraining && s.worker.heir == heir {
				m.connect(now, s)
			}
		}
	}
}

// lives reports whether the worker has not been reaped. One that drains itself
// still takes, or refuses in words.
func (w *worker) lives() bool { return w.home.worker == w }
