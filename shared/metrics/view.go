package metrics

import "sync/atomic"

// A View is a copy of a cell's totals, for the status of a worker. Each number
// is exact; together they may be a few requests apart.
type View struct {
	Accepted, Refused, Requests, ParseErrors uint64
	Received, Sent, Moved, AccessDropped     uint64
	Idle, Active, Writing, InFlight          int64
	Beat                                     int64 // CLOCK_MONOTONIC ns of the loop's last turn, 0 before the first
	Lag                                      int64 // ns, the greatest of the last 15 to 30 s
}

// Connections returns the open connections in all states.
func (v View) Connections() int64 { return v.Idle + v.Active + v.Writing }

// View returns a copy of the totals. It may be called from any process.
func (c *Cell) View() View {
	f := c.fixed
	v := c.gauges()
	v.Accepted = total(c.accepted)
	v.Refused = total(c.refused)
	v.ParseErrors = total(c.parse)
	v.Received = atomic.LoadUint64(&f.received)
	v.Sent = atomic.LoadUint64(&f.sent)
	v.Moved = atomic.LoadUint64(&f.moved)
	v.AccessDropped = atomic.LoadUint64(&f.accessDropped)
	for i := range c.hist {
		v.Requests += total(c.hist[i].buckets[:])
	}
	return v
}

// gauges returns the part of a View that is not a count.
func (c *Cell) gauges() View {
	f := c.fixed
	return View{
		Idle:     atomic.LoadInt64(&f.idle),
		Active:   atomic.LoadInt64(&f.active),
		Writing:  atomic.LoadInt64(&f.writing),
		InFlight: atomic.LoadInt64(&f.flight),
		Beat:     atomic.LoadInt64(&f.beat),
		Lag:      max(atomic.LoadInt64(&f.lagNow), atomic.LoadInt64(&f.lagBefore)),
	}
}

func total(list []uint64) (sum uint64) {
	for i := range list {
		sum += atomic.LoadUint64(&list[i])
	}
	return sum
}
