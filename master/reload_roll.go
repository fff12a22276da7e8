package master

import (
	"fmt"
	"time"
)

// barrier is called when a worker of the next generation is ready. The first
// lets the others start; when all are, the generation is put into force, and
// from there on there is no way back: a worker that fails is restarted.
func (m *master) barrier(now time.Time) {
	for _, s := range m.next.slots {
		if s.state == slotVacant {
			m.start(now, s)
		}
	}
	if !m.next.allIn(slotReady) {
		return
	}
	r := m.reload
	from, to := m.gen, m.next
	m.old, m.gen, m.next = append(m.old, from), to, nil
	m.commitListeners(from, to)
	m.adopt(r.draft, from)
	r.draft, m.scaled = nil, r.scaled
	r.report.Generation = to.number
	from.unseal()
	for _, s := range from.slots {
		if !s.state.accepting() {
			m.retire(now, s) // nothing is in flight there
		}
	}
	r.set(reloadRolling)
	r.deadline = now.Add(2 * to.config.ReadyTimeout)
	m.wakeAt(r.deadline)
	m.rollOn(now)
}

// adopt takes over what a draft brought besides sockets.
func (m *master) adopt(d *draft, from *generation) {
	g := d.gen
	if from != nil {
		if own := g.logs.takeOwn(); own != nil { // nil: it could not be opened again, the old one goes on
			m.log.SetOutput(own)
		}
		m.log.SetLevel(g.config.Log.Level)
		m.log.SetFormat(g.config.Log.Format)
		m.beside(from.logs.close)
	}
	if d.admin != nil {
		old := m.admin
		m.admin = d.admin
		if old != nil {
			m.beside(old.close)
		}
	}
	for _, note := range g.notes {
		m.log.Warn(note)
	}
	m.count(func() { m.registry.SetGeneration(g.number) })
	m.watchFiles()
}

// rolling reports whether slots change over.
func (m *master) rolling() bool { return m.reload != nil && m.reload.stage == reloadRolling }

// rollOn lets slot after slot change over: the new worker accepts, then the old
// one drains. A slot whose new worker has crashed is passed over once others
// serve, which then accept from its sockets.
func (m *master) rollOn(now time.Time) {
	r := m.reload
	if !m.rolling() {
		return
	}
	for ; r.turn < len(m.gen.slots); r.turn++ {
		s := m.gen.slots[r.turn]
		if s.state == slotReady {
			m.open(now, s)
		}
		if s.state == slotOpening {
			return
		}
		if m.gen.serving() {
			if !m.goneSettled() {
				return
			}
			m.retireSlot(now, r.turn)
		}
	}
	if m.gen.serving() && !r.walked {
		r.walked = true
		m.retireRest(now)
		r.deadline = now.Add(leaveLimit)
		r.moving = now.Add(moveLimit)
	}
	late := !now.Before(r.deadline)
	switch {
	case m.gen.serving():
		if late || m.allLeft() && !m.stillMoving(now) {
			m.countMoved()
			m.endReload(now)
		}
	case late:
		r.failed = fmt.Errorf("generation %d is in force, but none of its workers can serve: %s; the workers before go on until one can",
			m.gen.number, or(m.gen.slots[0].lastExit, "see the log"))
		m.endReload(now)
	}
}

// goneSettled reports whether the listeners that are not configured any more
// can be closed. That begins once a new worker serves: an address that took the
// place of an overlapping one listens by then.
func (m *master) goneSettled() bool {
	r := m.reload
	if len(m.gone) > 0 && !r.settling {
		r.settling = true
		m.giveUp(m.gone, func(m *master, now time.Time) {
			m.closeGone()
			m.rollOn(now)
		})
	}
	return len(m.gone) == 0
}

// leaveLimit is how long the old workers may take to leave the sockets before
// the answer does not wait for them: one that is stopped or hangs never does.
const leaveLimit = 2 * time.Second

const (
	// moveLimit is how long the answer waits for connections that move: what is
	// idle has moved long before, what is busy follows when it can.
	moveLimit = 250 * time.Millisecond
	// movePace is how often that is looked at: it shows in shared memory only.
	movePace = 5 * time.Millisecond
)

// stillMoving reports whether idle connections are still with old workers that
// have somebody to give them to.
func (m *master) stillMoving(now time.Time) bool {
	if !now.Before(m.reload.moving) {
		return false
	}
	for _, g := range m.old {
		for _, s := range g.slots {
			if s.state == slotDraining && s.worker.heir != nil && s.worker.cell.View().Idle > 0 {
				m.wakeAt(now.Add(movePace))
				return true
			}
		}
	}
	return false
}

// countMoved notes how many connections have moved so far.
func (m *master) countMoved() {
	for _, g := range m.old {
		for _, s := range g.slots {
			if w := s.worker; w != nil {
				w.moved = max(w.moved, int(w.cell.View().Moved))
				m.reload.report.drained(w)
			}
		}
	}
}

// allLeft reports whether every worker that drains has left the sockets. Those
// that are being ended do not accept either, or not for long.
func (m *master) allLeft() bool {
	for _, g := range m.old {
		for _, s := range g.slots {
			if s.state == slotDraining && !s.worker.left {
				return false
			}
		}
	}
	return true
}

// retireSlot lets the workers of this slot in all generations before drain.
func (m *master) retireSlot(now time.Time, number int) {
	var left *slot
	for _, g := range m.old {
		if number < len(g.slots) && m.retire(now, g.slots[number]) {
			left = g.slots[number]
		}
	}
	var came *slot
	if number < len(m.gen.slots) {
		came = m.gen.slots[number]
	}
	if m.reload != nil {
		m.reload.changed(came, left)
	}
}

// retireRest lets every worker drain that is not of the generation in force,
// and leaves alone those that do.
func (m *master) retireRest(now time.Time) {
	most := 0
	for _, g := range m.old {
		most = max(most, len(g.slots))
	}
	for number := range most {
		for _, g := range m.old {
			if number < len(g.slots) && g.slots[number].state != slotDraining && g.slots[number].state != slotVacant {
				m.retireSlot(now, number)
				break
			}
		}
	}
	m.rebalance(now)
}

// watchFiles makes changes of the configuration's files a reload, if that is
// wanted.
func (m *master) watchFiles() {
	c := m.gen.config
	if !c.Reload.Watch {
		if m.watcher != nil {
			m.watcher.watch(nil)
		}
		return
	}
	if m.watcher == nil {
		m.watcher = newWatcher(
			func() { m.post(reloadRequest{why: "the files have changed"}) },
			func(err error) { m.log.Error("configuration's files cannot be watched", "err", err) })
	}
	m.watcher.watch(c.Watch)
}
