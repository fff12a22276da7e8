package master

import (
	"iter"
	"slices"
	"time"

	"srvctl/conf"
	"srvctl/proto/control"
	"srvctl/shared/metrics"
)

// A generation is one configuration and the slots that serve it. It belongs
// to the loop.
type generation struct {
	number    int
	config    *conf.Config
	sealed    int            // memfd that holds the configuration, for the workers; -1 once no more are started
	checksum  uint64         // of what it holds
	layout    metrics.Layout // of its workers' stats cells
	user      *credential    // of the workers; nil: this process's own
	logs      *logFiles
	listeners []*listener // in the order of the configuration
	slots     []*slot
	notes     []string // what is not as configured as long as it serves

	finished int // connections that ended while its workers drained
	moved    int // those that workers of later generations serve now
	cut      int
	killed   int          // workers that did not end in time
	crashed  int          // workers that ended by themselves while they drained
	evicted  bool         // told to end at once, for the sake of a later one
	waiting  []*operation // who wants to know of its end
}

// newGeneration returns a generation with vacant slots.
func newGeneration(number int, c *conf.Config) *generation {
	g := &generation{number: number, config: c, sealed: -1}
	for i := range c.Workers {
		g.slots = append(g.slots, &slot{gen: g, number: i})
	}
	return g
}

// generations returns all that may have processes: the one in force, the one
// that a reload prepares, and those that drain, the oldest first.
func (m *master) generations() iter.Seq[*generation] {
	return func(yield func(*generation) bool) {
		for _, g := range m.old {
			if !yield(g) {
				return
			}
		}
		if yield(m.gen) && m.next != nil {
			yield(m.next)
		}
	}
}

// slots returns the slots of all generations.
func (m *master) slots() iter.Seq[*slot] {
	return func(yield func(*slot) bool) {
		for g := range m.generations() {
			for _, s := range g.slots {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// sockets is the greatest number of sockets that a listener of the generation
// has: at least one for each slot, more after the number of workers was
// lowered.
func (g *generation) sockets() int {
	n := len(g.slots)
	for _, l := range g.listeners {
		n = max(n, len(l.set.Files))
	}
	return n
}

// covered reports whether a worker accepts from the sockets of a slot because
// they are its own. Those of a first start will.
func (m *master) covered(number int) bool {
	if m.phase == phaseStarting {
		return number < len(m.gen.slots)
	}
	for g := range m.generations() {
		if number < len(g.slots) && g.slots[number].state.accepting() {
			return true
		}
	}
	return false
}

// acceptSet returns the slots whose sockets the worker of s should accept
// from, in ascending order: its own, and those that no worker accepts from as
// its own, because it has crashed or because there are fewer workers than
// before. All others share those, so that connections that wait there are not
// lost, only a little less evenly spread.
func (m *master) acceptSet(s *slot) []int {
	var set []int
	for number := range s.gen.sockets() {
		if number == s.number || !m.covered(number) {
			set = append(set, number)
		}
	}
	return set
}

// rebalance tells every worker which slots' sockets it accepts from, where
// that has changed.
func (m *master) rebalance(now time.Time) {
	if m.phase != phaseServing {
		return
	}
	for s := range m.slots() {
		if s.state != slotServing {
			continue
		}
		set := m.acceptSet(s)
		if !slices.Equal(set, s.worker.accepts) {
			s.worker.accepts = set
			m.send(now, s, control.Accept{Slots: set})
		}
	}
}

// allIn reports whether every slot is in this state.
func (g *generation) allIn(state slotState) bool {
	for _, s := range g.slots {
		if s.state != state {
			return false
		}
	}
	return true
}

// anyIn reports whether a slot is in a state of this kind.
func (g *generation) anyIn(kind func(slotState) bool) bool {
	for _, s := range g.slots {
		if kind(s.state) {
			return true
		}
	}
	return false
}

// serving reports whether any worker of the generation serves.
func (g *generation) serving() bool {
	return g.anyIn(func(s slotState) bool { return s == slotServing })
}

// tally returns the number of slots in each state that any slot is in.
func (m *master) tally() map[string]int {
	n := make(map[string]int)
	for s := range m.slots() {
		if s.gen == m.gen || s.state != slotVacant {
			n[s.state.String()]++
		}
	}
	return n
}
