package master

import (
	"fmt"
	"syscall"
	"time"

	"srvctl/shared/metrics"
)

// unkillableAfter is how long a process may survive SIGKILL, which it does
// while the kernel waits for a disk, before the master stops waiting for it.
const unkillableAfter = 5 * time.Second

// ended is posted when a worker has been reaped, after everything it said.
type ended struct{ worker *worker }

func (e ended) apply(m *master, now time.Time) {
	w := e.worker
	s := m.slotOf(w)
	m.bury(w)
	if s == nil {
		return // given up earlier
	}
	asked := s.state == slotDraining && w.proc.status() == 0 || s.state == slotDying && w.verdict == ""
	served := time.Duration(0)
	if s.state == slotServing {
		served = now.Sub(s.since)
	}
	m.account(s, w)
	s.worker = nil
	if asked {
		m.log.Info("worker ended", "slot", s.number, "generation", w.generation, "pid", w.proc.pid(), "exit", exitText(w.proc.status()))
		m.vacate(now, s, "", "ended", 0)
		return
	}
	if s.state == slotDraining {
		s.gen.crashed++
		if m.phase == phaseStopping {
			m.stop.crashed++
		}
	}
	s.lastExit, s.exitAt = w.epitaph(), now
	m.log.Error("worker ended unexpectedly", "slot", s.number, "generation", w.generation, "pid", w.proc.pid(), "exit", s.lastExit, "output", w.tail.Text())
	m.vacate(now, s, w.reason, w.lastWords(), served)
}

// account adds what a worker finished and cut while it drained to what is
// known of its generation and of the end of the server.
func (m *master) account(s *slot, w *worker) {
	s.gen.finished, s.gen.moved, s.gen.cut = s.gen.finished+w.finished, s.gen.moved+w.moved, s.gen.cut+w.cut
	if m.phase == phaseStopping {
		m.stop.finished, m.stop.cut = m.stop.finished+w.finished, m.stop.cut+w.cut
	}
	if m.rolling() { // the answer is still to come
		m.reload.report.drained(w)
	}
	for _, op := range s.gen.waiting {
		op.report.drained(w)
	}
}

// epitaph says in a line why a worker has ended.
func (w *worker) epitaph() string {
	if w.verdict != "" {
		return w.verdict // how it was ended then says no more
	}
	text := exitText(w.proc.status())
	if line := w.tail.Headline(); line != "" {
		text += ": " + line
	}
	return text
}

// lastWords is the epitaph with everything the worker wrote.
func (w *worker) lastWords() string {
	out := w.tail.Text()
	if out == "" || w.failure != "" {
		return w.epitaph()
	}
	return or(w.verdict, exitText(w.proc.status())) + "\n" + out
}

// bury gives back everything that belonged to a process that has been reaped.
func (m *master) bury(w *worker) {
	w.discard()
	w.link.Close()
	w.unmap()
	m.host.Clear(w.index)
	m.indexes[w.index] = false
}

// vacate decides what becomes of a slot without a process: it ends a first
// start or a reload, waits for another worker, or stays empty because its
// generation drains or the server stops. reason is the label of the restart
// counter, "" for a plain crash.
func (m *master) vacate(now time.Time, s *slot, reason, text string, served time.Duration) {
	switch {
	case s.gen == m.next:
		s.set(now, slotVacant)
		m.failReload(now, fmt.Errorf("worker %d of generation %d: %s", s.number, s.gen.number, text))
		m.undone(now)
		m.settle(now)
	case s.gen != m.gen:
		s.set(now, slotVacant)
		m.rebalance(now)
		m.rollOn(now)
		m.settleOld(now)
		m.settle(now)
	case m.phase == phaseStarting:
		s.set(now, slotVacant)
		m.abort(now, fmt.Errorf("worker %d of the first start: %s", s.number, text))
	case m.phase == phaseServing:
		pause := s.pause(served)
		s.set(now, slotWaiting, pause)
		s.restarts++
		m.count(func() { m.registry.Restarted(or(reason, metrics.RestartCrash)) })
		m.log.Warn("worker is restarted", "slot", s.number, "in", pause.String(), "restarts", s.restarts)
		m.rebalance(now)
		m.reconnect(now)
		m.rollOn(now)
	default:
		s.set(now, slotVacant)
		m.settle(now)
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// condemn ends a worker that cannot do its work. reason is the label of the
// restart counter, verdict says it in words.
func (m *master) condemn(now time.Time, s *slot, reason, verdict string) {
	m.condemnBy(now, s, syscall.SIGKILL, reason, verdict)
}

func (m *master) condemnBy(now time.Time, s *slot, sig syscall.Signal, reason, verdict string) {
	w := s.worker
	if s.state == slotDying {
		return
	}
	w.reason, w.verdict = reason, verdict
	m.log.Error("worker is ended", "slot", s.number, "generation", w.generation, "pid", w.proc.pid(), "err", verdict)
	m.kill(now, s, sig)
}

// kill signals the worker of a slot to end: SIGTERM first where it may have
// something to write, SIGKILL where it has nothing or would not listen.
func (m *master) kill(now time.Time, s *slot, sig syscall.Signal) {
	w := s.worker
	w.discard()
	w.killed = sig == syscall.SIGKILL
	limit := dyingGrace
	switch sig {
	case syscall.SIGKILL:
		limit = unkillableAfter
	case syscall.SIGABRT:
		limit = stacksGrace
	}
	if s.state == slotDying {
		s.deadline = now.Add(limit)
	} else {
		s.set(now, slotDying, limit)
	}
	if err := w.proc.signal(sig); err != nil {
		m.log.Error("worker cannot be signalled", "slot", w.slot, "pid", w.proc.pid(), "err", err)
	}
}

// expire handles a slot whose state has lasted too long.
func (m *master) expire(now time.Time, s *slot) {
	s.deadline = time.Time{}
	if s.worker != nil && s.worker.silent && s.state != slotDying {
		m.condemn(now, s, "control", "closed its control channel")
		return
	}
	limit := s.gen.config.ReadyTimeout
	switch s.state {
	case slotStarting:
		m.condemn(now, s, "ready_timeout", fmt.Sprintf("was not ready within ready_timeout (%v)", limit))
	case slotOpening:
		m.condemn(now, s, "ready_timeout", fmt.Sprintf("was ready but did not accept within ready_timeout (%v)", limit))
	case slotWaiting:
		m.start(now, s)
	case slotDraining:
		s.gen.killed++
		if m.phase == phaseStopping {
			m.stop.killed++
		}
		m.log.Warn("worker did not end in time", "slot", s.number, "generation", s.gen.number, "pid", s.worker.proc.pid(), "connections", s.worker.cell.View().Connections())
		m.tell(s.gen, fmt.Sprintf("slot %d: did not end in time, it is ended", s.number))
		m.kill(now, s, syscall.SIGTERM)
	case slotDying:
		if !s.worker.killed {
			m.kill(now, s, syscall.SIGKILL)
			return
		}
		m.log.Error("worker does not end although it was killed: the kernel waits for a device", "slot", s.number, "pid", s.worker.proc.pid())
		// It is given up: it does nothing more, its number stays taken, and the
		// slot may have another.
		s.lastExit, s.exitAt = or(s.worker.verdict, "killed")+": does not end", now
		s.worker = nil
		m.vacate(now, s, "", "does not end although it was killed", 0)
	}
}
