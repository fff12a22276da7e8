package master

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"srvctl/proto/control"
	"srvctl/shared/sock"
)

// errStopped ends a start that the operator did not wait for.
var errStopped = errors.New("stopped before it was ready")

// stopping is what is known of the end of the server. It belongs to the loop.
type stopping struct {
	began         time.Time
	limit         time.Duration // of the drain
	closeAt       time.Time     // when the listeners are given up; zero: that has begun
	settled       bool          // no connection begins any more
	left          bool          // the workers were told to leave
	told          []*operation  // of others that the stop has ended
	hard          bool          // at once: nothing more is waited for
	asked         []*operation
	finished, cut int // connections
	killed        int // workers that did not end in time
	crashed       int // workers that ended by themselves while draining
}

// stopRequest asks for the end of the server.
type stopRequest struct {
	why     string
	hard    bool
	timeout time.Duration // 0: drain.timeout
	op      *operation    // who asked, nil for a signal
}

func (e stopRequest) apply(m *master, now time.Time) {
	if e.op != nil {
		m.stop.asked = append(m.stop.asked, e.op)
	}
	switch m.phase {
	case phaseStarting:
		m.log.Info("stopping", "why", e.why)
		m.stopReload(now)
		if m.gen.anyIn(slotState.accepting) { // told to serve, so somebody may have been answered
			m.err = errStopped
			m.drain(now, e)
			return
		}
		m.abort(now, errStopped)
	case phaseServing:
		m.stopReload(now)
		m.log.Info("stopping", "why", e.why, "delay", m.gen.config.Drain.Delay.String(), "timeout", m.drainTimeout(e).String())
		m.drain(now, e)
	case phaseStopping:
		if e.hard && !m.stop.hard {
			m.log.Warn("stopping at once", "why", e.why)
			m.harden(now)
		}
	}
}

func (m *master) drainTimeout(e stopRequest) time.Duration {
	if e.timeout > 0 {
		return e.timeout
	}
	return m.gen.config.Drain.Timeout
}

// drain makes every worker finish what is in flight and end. Readiness is
// false from here on; after drain.delay, in which whoever reads that can turn
// elsewhere, the listeners are given up, and then the workers drain.
func (m *master) drain(now time.Time, e stopRequest) {
	m.setPhase(phaseStopping)
	cfg := m.gen.config
	st := &m.stop
	st.began, st.limit = now, m.drainTimeout(e)
	m.service.stopping("draining")
	m.service.extend(cfg.Drain.Delay + settleLimit + st.limit + drainGrace + exitGrace)
	switch {
	case e.hard:
		m.leaveListeners()
		m.harden(now)
		m.settle(now)
	case cfg.Drain.Delay > 0:
		// The workers' own readiness, which sites may show, turns false too.
		// Their delay is longer: the order to leave ends it.
		for s := range m.slots() {
			if s.state.accepting() {
				m.drainSlot(now, s, m.finalOrder(s, cfg.Drain.Delay+2*settleLimit))
			}
		}
		st.closeAt = now.Add(cfg.Drain.Delay)
	default:
		m.closeDoors(now)
	}
}

// closeDoors begins to give up the listeners.
func (m *master) closeDoors(now time.Time) {
	m.stop.closeAt = time.Time{}
	for s := range m.slots() {
		if s.state.hasProcess() && !s.state.accepting() && s.state != slotDraining && s.state != slotDying {
			m.kill(now, s, syscall.SIGKILL) // it has not accepted anything yet
		}
	}
	var sets []*sock.Set
	for _, l := range m.gen.listeners {
		sets = append(sets, l.set)
	}
	m.giveUp(append(sets, m.gone...), func(m *master, now time.Time) {
		m.stop.settled = true
		m.leave(now)
	})
}

// leave lets the workers drain, once no connection begins any more. Whoever
// holds the sockets and does not accept goes first: this process gives them up,
// and those that were killed must be gone. So the last to hold one is a worker
// that empties its queue.
func (m *master) leave(now time.Time) {
	if !m.stop.settled || m.stop.left {
		return
	}
	for s := range m.slots() {
		if s.state == slotDying || s.state == slotForking {
			return // settle comes back
		}
	}
	m.stop.left = true
	m.leaveListeners()
	for s := range m.slots() {
		if s.state == slotDraining { // since a reload, or for drain.delay
			m.hasten(now, s, m.finalOrder(s, 0))
		} else {
			m.drainSlot(now, s, m.finalOrder(s, 0))
		}
	}
	m.settle(now)
}

// finalOrder is the drain of a worker at the end of the server: nobody comes
// after it.
func (m *master) finalOrder(s *slot, delay time.Duration) control.Drain {
	return control.Drain{Timeout: m.stop.limit, Idle: m.gen.config.Drain.Idle, Delay: delay, Why: control.WhyStop, Empty: s.gen.all()}
}

// harden ends every worker now. SIGTERM lets it write its logs.
func (m *master) harden(now time.Time) {
	m.stop.hard = true
	for s := range m.slots() {
		if s.state.hasProcess() && s.state != slotDying {
			m.kill(now, s, syscall.SIGTERM)
		}
	}
}

// abort ends a first start: nothing was served, so nothing has to be finished.
func (m *master) abort(now time.Time, err error) {
	if m.phase != phaseStarting {
		return
	}
	m.err = err
	m.setPhase(phaseStopping)
	m.stop.began = now
	for _, s := range m.gen.slots {
		if s.state.hasProcess() && s.state != slotDying {
			m.kill(now, s, syscall.SIGKILL)
		}
	}
	m.settle(now)
}

// settle ends the loop once the server stops and no process is left.
func (m *master) settle(now time.Time) {
	if m.phase != phaseStopping {
		return
	}
	m.leave(now)
	for s := range m.slots() {
		if s.state != slotVacant {
			return
		}
	}
	m.setPhase(phaseGone)
}

// summary says how the server ended.
func (st *stopping) summary(now time.Time) string {
	text := fmt.Sprintf("stopped after %v: %s finished, %d cut", now.Sub(st.began).Round(time.Millisecond), plural(st.finished, "connection"), st.cut)
	if st.killed > 0 {
		text += fmt.Sprintf(", %s did not end in time", plural(st.killed, "worker"))
	}
	if st.crashed > 0 {
		text += fmt.Sprintf(", %s crashed", plural(st.crashed, "worker"))
	}
	return text
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// tell sends a line to everybody who waits for the end of the server or of
// this generation.
func (m *master) tell(g *generation, text string) {
	for _, op := range m.stop.asked {
		op.progress(text)
	}
	for _, op := range g.waiting {
		op.progress(text)
	}
	if m.rolling() { // those who will wait
		for _, a := range m.reload.askers {
			if a.wait {
				a.op.progress(text)
			}
		}
	}
}
