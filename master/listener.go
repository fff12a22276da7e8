package master

import (
	"errors"
	"fmt"
	"slices"

	"srvctl/conf"
	"srvctl/shared/sock"
)

// A listener is one address of a generation with the sockets of all slots. The
// set of sockets is the same in every generation that has the address.
type listener struct {
	number int // in the configuration
	name   string
	shared bool // every worker accepts from all of its sockets
	set    *sock.Set
}

func specOf(l *conf.Listener) sock.Spec {
	return sock.Spec{Address: l.Address, Backlog: l.Backlog, ReusePort: l.ReusePort, Mode: l.Mode, Owner: l.Owner}
}

// has reports whether a listener of the generation has this set.
func (g *generation) has(set *sock.Set) bool {
	return slices.ContainsFunc(g.listeners, func(l *listener) bool { return l.set == set })
}

// prepareListeners gives a generation its listeners: those that were bound for
// it, and those that the generation in force has at the same address, made fit
// for it without an effect yet. After an error everything is as it was.
func (m *master) prepareListeners(d *draft) error {
	var errs []error
	for i := range d.gen.config.Listeners {
		c := &d.gen.config.Listeners[i]
		l := &listener{number: i, name: c.Name, set: d.bound[i]}
		if l.set != nil {
			l.shared = l.set.Shared
			d.gen.listeners = append(d.gen.listeners, l)
			continue
		}
		l.set = d.kept[i]
		if err := m.env.prepare(l.set, specOf(c), len(d.gen.slots)); err != nil {
			errs = append(errs, fmt.Errorf("listener %s: %w", c.Name, err))
			continue
		}
		l.shared = l.set.WillShare()
		d.gen.listeners = append(d.gen.listeners, l)
	}
	if err := errors.Join(errs...); err != nil {
		m.rollbackListeners(d.gen)
		return err
	}
	return nil
}

// rollbackListeners undoes prepareListeners.
func (m *master) rollbackListeners(g *generation) {
	for _, l := range g.listeners {
		if m.gen.has(l.set) {
			m.env.rollback(l.set)
		} else {
			m.env.close(l.set)
		}
	}
	g.listeners = nil
}

// commitListeners makes the listeners of a generation the ones of the server.
// Those that are gone are closed when the first worker that has them drains.
func (m *master) commitListeners(from, to *generation) {
	for _, l := range to.listeners {
		if from.has(l.set) {
			if note := m.env.commit(l.set); note != "" {
				to.notes = append(to.notes, fmt.Sprintf("listener %s: %s", l.name, note))
			}
		}
	}
	for _, l := range from.listeners {
		if !to.has(l.set) {
			m.gone = append(m.gone, l.set)
			m.service.unstore(l.set.Spec.Address)
		}
	}
	m.store(to)
}

// closeGone closes what is not configured any more, right before the workers
// that have it are told to leave it: the last to hold it must be one of them,
// since they empty its queue. Not sooner: an address that took the place of an
// overlapping one listens first, and looks for strangers there.
func (m *master) closeGone() {
	for _, set := range m.gone {
		m.env.close(set)
	}
	m.gone = nil
}

// store gives copies of all sockets to the service manager, which hands them
// to the next master if this one is killed.
func (m *master) store(g *generation) {
	for _, l := range g.listeners {
		m.service.store(l.set.Spec.Address, l.set.Files)
	}
}

// leaveListeners gives up all sockets before the workers of a server that
// stops are told to drain. They live on in the workers, which empty their
// queues and then close them too; from then on clients are refused at once.
// Copies kept here would let them connect, and hang until the last worker has
// drained, or be reset when this process closes a queue after everybody who
// empties it has gone.
func (m *master) leaveListeners() {
	m.closeGone()
	for _, l := range m.gen.listeners {
		m.service.unstore(l.set.Spec.Address)
		m.env.leave(l.set)
	}
}

// all returns the numbers of all listeners of the generation.
func (g *generation) all() []int {
	numbers := make([]int, len(g.listeners))
	for i, l := range g.listeners {
		numbers[i] = l.number
	}
	return numbers
}
