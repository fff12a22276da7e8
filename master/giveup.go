package master

import (
	"strings"
	"time"

	"srvctl/shared/sock"
)

// settleLimit is how long handshakes that have begun are waited for before a
// listener is given up: some round trips of a far client. A flood of half-open
// ones must not hold a stop for longer.
const settleLimit = 500 * time.Millisecond

// giveUp lets no connection begin at these listeners any more and calls done,
// on the loop, when those that were beginning are in the queues. To close a
// socket without that resets whoever comes between the last accept and the end.
func (m *master) giveUp(sets []*sock.Set, done func(m *master, now time.Time)) {
	copies := make([]*sock.Set, 0, len(sets))
	var files []*sock.Set
	for _, set := range sets {
		if strings.HasPrefix(set.Spec.Address, "unix:") {
			files = append(files, set) // nothing to wait for there
			continue
		}
		m.refuse(set)
		// Settle reads the addresses alone, and the loop may change the rest.
		copied := *set
		copies = append(copies, &copied)
	}
	m.beside(func() {
		halfOpen, err := m.env.settle(settleLimit, copies...)
		m.post(settled{halfOpen, err, files, done})
	})
}

func (m *master) refuse(set *sock.Set) {
	if err := m.env.refuse(set); err != nil {
		m.log.Warn("listener is closed without waiting for handshakes", "addr", set.Bound, "err", err)
	}
}

// settled is posted when no handshake is outstanding, or the time is up.
type settled struct {
	halfOpen int
	err      error
	files    []*sock.Set // to be refused at the last moment: their sockets wake workers from then on
	done     func(m *master, now time.Time)
}

func (e settled) apply(m *master, now time.Time) {
	if e.err != nil {
		m.log.Warn("handshakes could not be waited for", "err", e.err)
	}
	if e.halfOpen > 0 {
		m.log.Warn("handshakes are not waited for any longer: they are reset", "connections", e.halfOpen)
	}
	for _, set := range e.files {
		m.refuse(set)
	}
	e.done(m, now)
}
