package worker

import (
	"fmt"
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
	shared bool
	fds    map[int]int            // by slot
	active map[int]*loop.Listener // by slot, those that are accepted from
}

func (w *worker) takeListener(m control.Listener, fds []int) error {
	if m.Number >= len(w.listeners) {
		closeAll(fds)
		return fmt.Errorf("listener %q has number %d, the configuration has %d listeners", m.Name, m.Number, len(w.listeners))
	}
	l := w.listeners[m.Number]
	if l == nil {
		l = &listener{
			number: m.Number, name: m.Name, shared: m.Shared,
			fds: map[int]int{}, active: map[int]*loop.Listener{},
		}
		w.listeners[m.Number] = l
	}
	for i, fd := range fds {
		slot := m.First + i
		if old, ok := l.fds[slot]; ok {
			syscall.Close(old)
		}
		l.fds[slot] = fd
	}
	return nil
}

// acceptFrom makes the sockets of these slots, and all shared ones, the ones
// that are accepted from.
func (w *worker) acceptFrom(slots []int) error {
	if w.drain != nil {
		return nil
	}
	want := map[int]bool{}
	for _, slot := range slots {
		want[slot] = true
	}
	for _, l := range w.listeners {
		if l == nil {
			continue
		}
		for slot, fd := range l.fds {
			active := l.active[slot]
			switch wanted := l.shared || want[slot]; {
			case wanted && active == nil:
				// Others may stand in for a slot that is not ours too, so such
				// a socket is shared for the time being.
				n, err := w.loop.Listen(fd, l.number, l.shared || slot != w.begin.Slot, w)
				if err != nil {
					return fmt.Errorf("listener %s: %w", l.name, err)
				}
				l.active[slot] = n
			case !wanted && active != nil:
				active.Remove()
				delete(l.active, slot)
			}
		}
	}
	return nil
}

// leaveListeners empties the queues, stops accepting and closes our copies of
// the sockets: a process that drains holds no listening descriptor, or clients
// would connect to it for ever.
func (w *worker) leaveListeners() {
	for _, l := range w.listeners {
		if l == nil {
			continue
		}
		for _, n := range l.active {
			n.Remove()
		}
		clear(l.active)
		// Also what waits for our neighbours: when several leave at once the
		// last to close a socket is the one that empties it.
		for _, fd := range l.fds {
			w.loop.Drain(fd, l.number, w, drainBurst)
			syscall.Close(fd)
		}
		clear(l.fds)
	}
}

// drainBurst is above what a queue can hold (somaxconn is 4096 on common
// systems), and keeps a flood of new connections from making a drain endless.
const drainBurst = 65536

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
