package master

import (
	"fmt"
	"slices"
	"time"
)

const (
	// A worker that crashes is started again after this pause, which doubles
	// with each crash, so that a worker that cannot live costs little, and one
	// that met a rare bug is back before anybody notices.
	backoffFirst = 100 * time.Millisecond
	backoffMax   = 10 * time.Second

	// A worker that served for this long is healthy: its next crash is a first
	// one. There is no limit on the number of restarts: a crash that a client
	// can cause would otherwise let him switch the server off.
	healthyAfter = 60 * time.Second

	// A worker that was signalled has this long to end before the next, harder
	// signal.
	dyingGrace = time.Second
)

// A slot is the place of one worker in its generation. The sockets of a
// listener belong to the slot, not to the process: they outlive it. It belongs
// to the loop.
type slot struct {
	gen      *generation
	number   int
	state    slotState // changed by set only
	since    time.Time // when state was entered
	deadline time.Time // when state must be left; zero: no limit
	worker   *worker   // not nil exactly when state.hasProcess()

	backoff  time.Duration // the last pause before a start, 0 after a healthy time
	restarts int
	lastExit string    // how the last worker ended, "" when none did
	exitAt   time.Time // when that was
}

// set moves the slot to another state. All states but the ones that are told a
// limit may last for ever.
func (s *slot) set(now time.Time, to slotState, limit ...time.Duration) {
	if !slices.Contains(slotExits[s.state], to) {
		panic(fmt.Sprintf("master: slot %d cannot go from %v to %v", s.number, s.state, to))
	}
	if to.hasProcess() != (s.worker != nil) {
		panic(fmt.Sprintf("master: slot %d is %v with worker %v", s.number, to, s.worker))
	}
	s.state, s.since, s.deadline = to, now, time.Time{}
	if len(limit) > 0 {
		s.deadline = now.Add(limit[0])
	}
}

// pause returns how long the next start of the slot has to wait, given how
// long its worker had served.
func (s *slot) pause(served time.Duration) time.Duration {
	if served >= healthyAfter {
		s.backoff = 0
	}
	s.backoff = min(max(2*s.backoff, backoffFirst), backoffMax)
	return s.backoff
}
