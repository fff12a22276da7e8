package worker

import (
	"srvctl/proto/control"
	"srvctl/worker/conn"
	"srvctl/worker/loop"
)

// draining is the end of a worker: it accepts no more, finishes what it has,
// and exits.
type draining struct {
	order    control.Drain
	finished int
	cut      int
	left     bool // the listeners have been left
	cutting  bool // what ends now does not end by itself
	over     bool
}

// beginDrain turns readiness off and, after the delay, begins.
func (w *worker) beginDrain(m control.Drain) {
	if w.drain != nil {
		return
	}
	fault(atDrain)
	w.drain = &draining{order: m}
	w.notReady = true
	if m.Delay > 0 {
		w.loop.Timer(int64(m.Delay), func() int64 { w.drainNow(); return 0 })
		return
	}
	w.drainNow()
}

func (w *worker) drainNow() {
	d := w.drain
	if d.left {
		return
	}
	w.srv.Limits.DrainIdle = int64(d.order.Idle)
	w.srv.Drain() // what the queues still hold is answered with Connection: close
	w.leaveListeners()
	d.left = true
	w.loop.Each(func(ev loop.Events) {
		if c, ok := ev.(*conn.Conn); ok {
			c.Drain()
		}
	})
	if d.order.Timeout > 0 {
		w.loop.Timer(int64(d.order.Timeout), func() int64 { w.cutRest(); return 0 })
	}
	w.finishWhenEmpty()
}

// cutRest ends what did not end in time.
func (w *worker) cutRest() {
	d := w.drain
	if d.over {
		return
	}
	d.cut, d.cutting = w.loop.Sockets(), true
	w.loop.Each(func(ev loop.Events) {
		if c, ok := ev.(*conn.Conn); ok {
			c.Cut()
		}
	})
	if d.cut > 0 {
		w.log.Warn("connections cut", "cut", d.cut)
	}
	w.finishWhenEmpty()
}

// terminate ends the process now, but not without what is in its buffers.
func (w *worker) terminate() {
	if w.drain == nil {
		w.drain = &draining{}
	}
	if !w.drain.left {
		w.notReady = true
		w.srv.Drain()
		w.leaveListeners()
		w.drain.left = true
	}
	w.cutRest()
}

// finishWhenEmpty ends the process when the last connection has gone.
func (w *worker) finishWhenEmpty() {
	d := w.drain
	if d == nil || !d.left || d.over || w.loop.Sockets() > 0 {
		return
	}
	d.over = true
	if err := w.tell(control.Drained{Finished: d.finished, Cut: d.cut}); err != nil {
		w.log.Debug("master not told of the end", "err", err)
	}
	w.loop.Stop()
}
