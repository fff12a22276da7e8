package master

import (
	"fmt"
	"syscall"
	"time"

	"srvctl/shared/metrics"
)

const (
	// stacksGrace is what a worker that was told to abort gets to write its
	// stacks, which takes a Go program milliseconds.
	stacksGrace = 2 * time.Second

	// maxContinued is how often a worker that somebody stops is continued
	// before it is replaced; a worker that served healthyAfter since starts
	// from none.
	maxContinued = 3

	// starvedShare is the part of a processor below which a process that is
	// ready to run counts as starved, not as hung: a loop that spins gets more.
	starvedShare = 0.05
)

// pulse is what the loop knows of the heartbeat of one worker. A worker beats
// in each turn of its loop, at least once in heartbeat.interval: one that is
// busy beats more often, not less.
type pulse struct {
	beat      int64         // the last one that was seen, on the host's monotonic clock
	silent    time.Duration // how long this process has watched and seen no other
	looked    time.Time     // when it was looked at last
	first     *evidence     // gathered when the silence became too long
	asked     bool          // evidence is being gathered
	continued int           // how often the worker was continued
	last      time.Time     // when that was
	told      bool          // its silence was told, and that it is left alone
}

// look takes a beat into account. Only time that this process was awake
// counts: after it was stopped itself, or the whole machine was, everybody
// gets his time anew.
func (p *pulse) look(now time.Time, beat int64, interval time.Duration) {
	passed := min(now.Sub(p.looked), 2*interval)
	p.looked = now
	if beat != p.beat {
		*p = pulse{beat: beat, looked: now, asked: p.asked, continued: p.continued, last: p.last}
		return
	}
	p.silent += passed
}

// checkPulses looks at every worker that should beat, and asks for evidence
// where one has not for heartbeat.timeout.
func (m *master) checkPulses(now time.Time) {
	for s := range m.slots() {
		if s.state != slotServing && s.state != slotDraining {
			continue
		}
		w, beating := s.worker, s.gen.config.Heartbeat
		view := w.cell.View()
		if view.Beat == 0 || w.silent {
			continue // it has not begun, or it ends
		}
		w.pulse.look(now, view.Beat, beating.Interval)
		if w.pulse.silent >= beating.Timeout && !w.pulse.asked {
			w.pulse.asked = true
			m.beside(func() { m.post(examined{w, m.env.examine(w.proc.pid())}) })
		}
	}
	m.pulseAt = now.Add(m.gen.config.Heartbeat.Interval)
}

// examined is posted with what the system says of a worker whose loop does not
// turn.
type examined struct {
	worker *worker
	found  evidence
}

func (e examined) apply(m *master, now time.Time) {
	w := e.worker
	p := &w.pulse
	p.asked = false
	s := m.slotOf(w)
	if s == nil || s.state != slotServing && s.state != slotDraining {
		return
	}
	limit := s.gen.config.Heartbeat.Timeout
	if p.silent < limit {
		return // it beats again
	}
	f := &e.found
	f.inFlight, f.connections = w.cell.View().InFlight, w.cell.View().Connections()
	switch {
	case p.first == nil:
		// Once more in an interval: only two looks show what a process does
		// with its time.
		p.first = f
	case f.stopped():
		m.continueStopped(now, s, f)
	case f.traced():
		m.leaveAlone(s, f, "a debugger has stopped it: it is left alone")
	case f.starved(p.first):
		m.leaveAlone(s, f, "it is ready to run and gets no processor: the host is overloaded, it is left alone")
		p.first = f
	case m.aborting():
		// One at a time: whatever makes several hang at once is rarely cured by
		// killing all of them.
	default:
		m.abortHung(now, s, f)
	}
}

// continueStopped continues a worker that somebody has stopped.
func (m *master) continueStopped(now time.Time, s *slot, f *evidence) {
	w := s.worker
	p := &w.pulse
	if now.Sub(p.last) > healthyAfter {
		p.continued = 0
	}
	if p.continued >= maxContinued {
		m.condemn(now, s, metrics.RestartHang, fmt.Sprintf("was stopped again after it was continued %d times: %v", p.continued, f))
		return
	}
	p.continued, p.last = p.continued+1, now
	p.silent, p.first = 0, nil // it has its time anew
	m.log.Warn("worker was stopped and is continued", "slot", s.number, "generation", w.generation, "pid", w.proc.pid(),
		"in_flight", f.inFlight, "connections", f.connections, "state", f.state, "wchan", f.wchan)
	if err := w.proc.signal(syscall.SIGCONT); err != nil {
		m.log.Error("worker cannot be signalled", "slot", s.number, "pid", w.proc.pid(), "err", err)
	}
}

// leaveAlone tells of a worker that does not beat and is not to blame.
func (m *master) leaveAlone(s *slot, f *evidence, why string) {
	w := s.worker
	if !w.pulse.told {
		w.pulse.told = true
		m.log.Warn("worker has no heartbeat", "slot", s.number, "generation", w.generation, "pid", w.proc.pid(), "err", why, "evidence", f.String())
	}
}

// aborting reports whether a hung worker is being ended.
func (m *master) aborting() bool {
	for s := range m.slots() {
		if s.state == slotDying && s.worker.reason == metrics.RestartHang {
			return true
		}
	}
	return false
}

// abortHung ends a worker that hangs, in a way that shows where.
func (m *master) abortHung(now time.Time, s *slot, f *evidence) {
	w := s.worker
	w.tail.keepAll()
	m.condemnBy(now, s, syscall.SIGABRT, metrics.RestartHang,
		fmt.Sprintf("hung: no heartbeat for %v: %v", w.pulse.silent.Round(100*time.Millisecond), f))
}
