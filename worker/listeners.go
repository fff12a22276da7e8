package worker

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"srvctl/proto/control"
	"srvctl/shared/metrics"
	"srvctl/worker/loop"
)

// listener is one listener of the configuration with the sockets of all slots,
// so that a neighbour can be stood in for.
type listener struct {
	number int
	name   string
	shared bool                   // all sockets are everybody's
	fds    map[int]int            // by slot
	active map[int]*loop.Listener // by slot, those that are accepted from
}

// takeListener takes sockets. Of a slot that has one already, the new one takes
// its place.
func (w *worker) takeListener(m control.Listener, fds []int) error {
	if m.Number >= len(w.listeners) {
		closeAll(fds)
		return fmt.Errorf("listener %q has number %d, the configuration has %d listeners", m.Name, m.Number, len(w.listeners))
	}
	if w.leaving() { // sent before the master knew
		closeAll(fds)
		return nil
	}
	l := w.listeners[m.Number]
	if l == nil {
		l = &listener{number: m.Number, name: m.Name, fds: map[int]int{}, active: map[int]*loop.Listener{}}
		w.listeners[m.Number] = l
	}
	l.shared = m.Shared
	var errs []error
	for i, fd := range fds {
		slot := m.First + i
		again := l.active[slot] != nil
		l.close(slot)
		l.fds[slot] = fd
		if again {
			errs = append(errs, w.accept(l, slot))
		}
	}
	return errors.Join(errs...)
}

// close closes the socket of a slot, if there is one. Before that it leaves
// epoll: others hold the socket too, and it would stay registered.
func (l *listener) close(slot int) {
	if n := l.active[slot]; n != nil {
		n.Leave()
		delete(l.active, slot)
	}
	if fd, ok := l.fds[slot]; ok {
		syscall.Close(fd)
		delete(l.fds, slot)
	}
}

// remove stops accepting from all sockets.
func (l *listener) remove() {
	for _, n := range l.active {
		n.Leave()
	}
	clear(l.active)
}

// sweep looks for connections that another process was woken for and has not
// taken.
func (w *worker) sweep() {
	for _, l := range w.listeners {
		if l == nil {
			continue
		}
		for _, n := range l.active {
			n.Sweep()
		}
	}
}

// accept begins to accept from the socket of a slot. Others may stand in for a
// slot that is not ours, and those of slots that are gone belong to everybody,
// so such a socket is shared for the time being. One that does not listen yet,
// because its own slot has never served, is left out: nobody can be waiting
// there, and the master says it again once it does.
func (w *worker) accept(l *listener, slot int) error {
	if !listening(l.fds[slot]) {
		return nil
	}
	n, err := w.loop.Listen(l.fds[slot], l.number, l.shared || slot != w.begin.Slot, w)
	if err != nil {
		return fmt.Errorf("listener %s, socket of slot %d: %w", l.name, slot, err)
	}
	l.active[slot] = n
	return nil
}

func listening(fd int) bool {
	on, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	return err != nil || on != 0
}

// acceptFrom makes the sockets of these slots, and all shared ones, the ones
// that are accepted from. One that fails does not keep the others from it.
func (w *worker) acceptFrom(slots []int) error {
	var errs []error
	for _, l := range w.listeners {
		if l == nil {
			continue
		}
		for slot := range l.fds {
			active := l.active[slot]
			switch wanted := l.shared || slices.Contains(slots, slot); {
			case wanted && active == nil:
				errs = append(errs, w.accept(l, slot))
			case !wanted && active != nil:
				active.Leave()
				delete(l.active, slot)
			}
		}
	}
	return errors.Join(errs...)
}

// Accepted takes a new connection.
func (w *worker) Accepted(s *loop.Socket, number int) {
	w.cell.Accepted(number)
	if !w.host.Acquire(w.begin.Index, int64(w.conf.Limits.Connections)) {
		w.cell.Refused(metrics.RefusedLimit)
		w.log.Warn("connection refused: limits.connections of the host is reached", "limit", w.conf.Limits.Connections)
		w.srv.TurnAway(s, 503)
		return
	}
	c := w.srv.Accept(s, s.Peer(), number)
	s.SetEvents(c)
	c.Start()
}

// Short is told that accepting pauses or goes on.
func (w *worker) Short(err error, refused *loop.Socket, number int) {
	if err == nil {
		w.tellShort("")
		return
	}
	reason := metrics.RefusedDescriptors
	if err == syscall.ENOMEM || err == syscall.ENOBUFS {
		reason = metrics.RefusedMemory
	}
	if refused != nil {
		w.cell.Accepted(number)
		w.cell.Refused(reason)
		w.srv.TurnAway(refused, 503)
	}
	w.log.Error("accepting pauses", "err", err, "hint", "raise limits.open_files or lower limits.connections")
	w.tellShort("accepting pauses: " + err.Error() + "; raise limits.open_files or lower limits.connections")
}

// tellShort reports the shortage once, and once when it is over.
func (w *worker) tellShort(text string) {
	if short := text != ""; short != w.short {
		w.short = short
		if err := w.tell(control.Degraded{Key: "accept", Text: text}); err != nil {
			w.log.Warn("master not told", "err", err)
		}
	}
}
