package worker

import (
	"math"
	"slices"

	"srvctl/proto/control"
	"srvctl/worker/conn"
	"srvctl/worker/loop"
)

// draining is the end of a worker: it accepts no more, finishes what it has,
// and exits. Times are of the loop's clock. An order that comes later moves
// them to earlier ones only.
type draining struct {
	begin    int64 // when the listeners are left
	until    int64 // when what is left is cut
	idle     int64 // the silence after which an idle connection is closed
	empty    []int // listeners that nobody else serves
	finished int
	moved    int // served by another process now
	cut      int
	left     bool // the listeners have been left
	cutting  bool // what ends now is counted by who ends it
	last     bool // nothing is waited for any more
	over     bool
}

const never = math.MaxInt64

// beginDrain turns readiness off and, after the delay, begins. While draining
// it makes the end come sooner, if that is what m says.
func (w *worker) beginDrain(m control.Drain) {
	if w.drain == nil {
		fault(atDrain)
		w.notReady = true
		w.drain = &draining{begin: never, until: never, idle: never}
	}
	d, now := w.drain, w.loop.Now()
	begin := now
	if w.serving { // nobody has been told that others are ready
		begin = later(now, int64(m.Delay))
	}
	until := int64(never)
	if m.Timeout > 0 {
		until = later(begin, int64(m.Timeout))
	}
	d.idle = min(d.idle, int64(m.Idle))
	if d.left {
		w.quieten()
	} else {
		d.empty = append(d.empty, m.Empty...)
	}
	if begin < d.begin {
		d.begin = begin
		w.at(begin, w.leave)
	}
	if until < d.until {
		d.until = until
		w.at(until, w.cutRest)
	}
}

// later is at plus d, or never.
func later(at, d int64) int64 {
	if d > never-at {
		return never
	}
	return at + d
}

// at calls f at that time, now if it is over.
func (w *worker) at(when int64, f func()) {
	d := when - w.loop.Now()
	if d <= 0 {
		f()
		return
	}
	w.loop.Timer(d, func() int64 { f(); return 0 })
}

// leave is the moment after which nothing is accepted any more. That comes
// first: when the connections are told, and counted, there are no others.
func (w *worker) leave() {
	d := w.drain
	if d.left {
		return
	}
	w.srv.Drain() // what the queues still hold is answered with Connection: close
	if w.control.HungUp() {
		// The order to leave queues to a successor is the last of a master that
		// is dead by now. The successor leaves too, and may have done so.
		d.empty = w.allListeners()
	}
	w.leaveListeners(d.empty)
	d.left = true
	if err := w.tell(control.Left{}); err != nil {
		w.log.Debug("master not told that the listeners were left", "err", err)
	}
	w.quieten()
	w.finishWhenEmpty()
}

// quieten tells every connection how long it may stay idle.
func (w *worker) quieten() {
	w.srv.Limits.DrainIdle = w.drain.idle
	w.loop.Each(func(ev loop.Events) {
		if c, ok := ev.(*conn.Conn); ok {
			c.Drain()
		}
	})
}

// cutRest ends what did not end in time.
func (w *worker) cutRest() {
	d := w.drain
	if d.over {
		return
	}
	w.leave()
	d.cutting = true
	w.loop.Each(func(ev loop.Events) {
		c, ok := ev.(*conn.Conn)
		d.count(ok && c.Cut())
	})
	if d.cut > 0 {
		w.log.Warn("connections cut", "cut", d.cut)
	}
	w.finishWhenEmpty()
}

// count counts a connection that was cut, or ended just in time.
func (d *draining) count(cut bool) {
	if cut {
		d.cut++
	} else {
		d.finished++
	}
}

// terminate ends the process now, but not without what is in its buffers. What
// waits in the queues is left to the neighbours: here it would only be cut.
func (w *worker) terminate() {
	if w.drain == nil {
		w.notReady = true
		w.drain = &draining{idle: 0}
	}
	w.drain.empty, w.drain.last = nil, true
	w.cutRest()
}

// finishWhenEmpty ends the process when the last connection has gone. Those of
// which nobody knows whether another process has them are waited for: they are
// not for us to read, nor to close if it does not.
func (w *worker) finishWhenEmpty() {
	d := w.drain
	if d == nil || !d.left || d.over || w.loop.Sockets() > 0 || w.unconfirmed > 0 && !d.last {
		return
	}
	if w.unconfirmed > 0 {
		w.log.Warn("connections were sent to a successor that has not answered", "connections", w.unconfirmed)
	}
	d.over = true
	if err := w.tell(control.Drained{Finished: d.finished, Moved: d.moved, Cut: d.cut}); err != nil {
		w.log.Debug("master not told of the end", "err", err)
	}
	w.loop.Stop()
}

// leaving reports whether listeners are not this process's business any more.
func (w *worker) leaving() bool { return w.drain != nil && w.drain.left }

// leaveListeners stops accepting and closes our copies of the sockets: a
// process that drains holds no listening descriptor, or clients would connect
// to it for ever. What waits in a queue is for those who accept from it next.
// The queues of the listeners in empty have nobody, so they are emptied first.
func (w *worker) leaveListeners(empty []int) {
	for _, l := range w.listeners {
		if l == nil {
			continue
		}
		l.remove()
		for slot, fd := range l.fds {
			// Those of our neighbours too: when several leave at once, the
			// last to close a socket is the one that empties it.
			if slices.Contains(empty, l.number) {
				w.loop.Drain(fd, l.number, w, drainBurst)
			}
			l.close(slot)
		}
	}
}

// drainBurst is above what a queue can hold (somaxconn is 4096 on common
// systems), and keeps a flood of new connections from making a drain endless.
const drainBurst = 65536
