package master

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// failReload undoes a reload that has not reached its barrier.
func (m *master) failReload(now time.Time, err error) {
	r := m.reload
	if r.failed == nil {
		r.failed = err
	}
	switch r.stage {
	case reloadPreparing:
		r.set(reloadUndoing)
		for _, s := range m.next.slots {
			if s.state.hasProcess() && s.state != slotDying {
				m.kill(now, s, syscall.SIGKILL)
			}
		}
		m.undone(now)
	case reloadUndoing, reloadRolling:
	case reloadLoading, reloadWaiting:
		if d := r.draft; d != nil {
			r.draft = nil
			m.beside(d.discard)
		}
		m.endReload(now)
	}
}

// undone ends an undone reload once its last process is gone.
func (m *master) undone(now time.Time) {
	r := m.reload
	if r == nil || r.stage != reloadUndoing || !m.next.allIn(slotVacant) {
		return
	}
	m.rollbackListeners(m.next)
	m.next = nil
	m.beside(r.draft.release)
	r.draft = nil
	m.endReload(now)
}

// endReload answers everybody who waits and goes on to what was asked for
// meanwhile.
func (m *master) endReload(now time.Time) {
	r := m.reload
	m.reload = nil
	r.stopped = true
	took := now.Sub(r.began)
	r.report.TookMS = took.Milliseconds()
	r.report.Result, r.report.Generation = reloadOK, m.gen.number
	if r.failed != nil {
		r.report.Result, r.report.Error = reloadFailed, r.failed.Error()
		if r.failed == errStopping {
			m.log.Info("reload ended", "err", r.failed)
		} else {
			m.log.Error("reload failed, the generation in force goes on", "generation", m.gen.number, "err", r.failed)
		}
		m.service.ready(fmt.Sprintf("reload failed, generation %d goes on: %v", m.gen.number, r.failed))
	} else {
		m.log.Info("reload done", "generation", m.gen.number, "workers", len(m.gen.slots), "in", took.Round(time.Millisecond).String())
		m.service.ready(fmt.Sprintf("serving, generation %d, %s", m.gen.number, plural(len(m.gen.slots), "worker")))
		r.tell(r.summary(m))
	}
	m.last = &LastReload{
		Result: r.report.Result, At: now.Format(time.RFC3339Nano), Generation: m.gen.number,
		Error: r.report.Error, TookMS: r.report.TookMS,
	}
	outcome := r.report.Result
	m.count(func() { m.registry.Reloaded(outcome) })
	m.answerReload(r)
	m.settleOld(now)
	m.beginUpgrade(now)
	m.beginReload(now)
}

// answerReload answers who asked, or lets him wait for the old generation.
func (m *master) answerReload(r *reload) {
	for _, a := range r.askers {
		if r.failed != nil {
			next := fmt.Sprintf("generation %d goes on unchanged", m.gen.number)
			if r.stage == reloadRolling {
				next = "see `srvctl status`"
			}
			a.op.send(reportAnswer(r.report))
			a.op.finish(endAnswer(1, "reload: "+r.failed.Error(), next))
			continue
		}
		if a.wait && len(m.old) > 0 {
			g := m.old[len(m.old)-1]
			g.waiting = append(g.waiting, a.op)
			a.op.report = &r.report
			continue
		}
		a.op.send(reportAnswer(r.report))
		a.op.finish(endAnswer(0, "", ""))
	}
}

// settleOld forgets the generations whose last process is gone, and tells who
// waited for that.
func (m *master) settleOld(now time.Time) {
	if m.rolling() {
		return // its slots may not have had their turn
	}
	m.old = slices.DeleteFunc(m.old, func(g *generation) bool {
		if !g.allIn(slotVacant) {
			return false
		}
		text := fmt.Sprintf("generation %d has drained: %s", g.number, outcome(g.finished, g.moved, g.cut))
		m.log.Info("old generation has drained", "generation", g.number, "finished", g.finished, "moved", g.moved, "cut", g.cut, "killed", g.killed, "crashed", g.crashed)
		for _, op := range g.waiting {
			op.progress(text)
			op.send(reportAnswer(*op.report))
			op.finish(endAnswer(0, "", ""))
		}
		g.waiting = nil
		return true
	})
	m.makeRoom(now)
}

// errStopping ends a reload that the end of the server has overtaken.
var errStopping = errors.New("the server stops")

// stopReload ends whatever a reload is doing, because the server stops.
func (m *master) stopReload(now time.Time) {
	m.stopUpgrade()
	for _, a := range m.again.askers {
		a.op.finish(endAnswer(1, "reload: the server stops: nothing was changed", ""))
		m.stop.told = append(m.stop.told, a.op)
	}
	m.again = wanted{}
	if r := m.reload; r != nil {
		for _, a := range r.askers {
			m.stop.told = append(m.stop.told, a.op)
		}
		if r.stage == reloadRolling {
			r.failed = errStopping
			m.endReload(now)
		} else {
			m.failReload(now, errStopping)
		}
	}
	for _, g := range m.old {
		for _, op := range g.waiting {
			op.finish(endAnswer(1, "reload: the new generation serves, but the server stops before the old one has drained", ""))
			m.stop.told = append(m.stop.told, op)
		}
		g.waiting = nil
	}
}
