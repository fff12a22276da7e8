package loop

import "math/bits"

// The timer wheel has slots of 2^26 ns (67 ms), so a deadline fires up to that
// much late, and reaches 137 s ahead; later deadlines wait in the farthest slot
// and are put back from there.
const (
	tickShift = 26
	slots     = 2048
)

// timer is an entry of the wheel. Moving a deadline back costs one store: the
// entry stays where it is and is looked at again when its slot comes up. Only a
// deadline earlier than the slot moves the entry.
type timer struct {
	next, prev *timer
	at         int64 // deadline, 0 for none
	tick       int64 // of the slot it is linked into, valid while linked
	owner      expirer
}

type expirer interface{ expired() }

type wheel struct {
	heads [slots]timer // ring heads
	due   timer        // ring head of the slot being fired
	used  [slots / 64]uint64
	tick  int64 // everything before it has been looked at
	count int
}

func (w *wheel) init(now int64) {
	w.tick = now >> tickShift
	for i := range w.heads {
		h := &w.heads[i]
		h.next, h.prev = h, h
	}
}

// set gives t a deadline; 0 takes it away.
func (w *wheel) set(t *timer, at int64) {
	t.at = at
	if at == 0 {
		return
	}
	tick := at >> tickShift
	if t.next != nil {
		if tick >= t.tick {
			return
		}
		w.unlink(t)
	}
	w.link(t, tick)
}

func (w *wheel) link(t *timer, tick int64) {
	tick = max(tick, w.tick)
	tick = min(tick, w.tick+slots-1)
	t.tick = tick
	i := int(tick & (slots - 1))
	h := &w.heads[i]
	t.next, t.prev = h, h.prev
	h.prev.next = t
	h.prev = t
	w.used[i>>6] |= 1 << (i & 63)
	w.count++
}

func (w *wheel) unlink(t *timer) {
	if t.next == nil {
		return
	}
	t.next.prev, t.prev.next = t.prev, t.next
	t.next, t.prev = nil, nil
	i := int(t.tick & (slots - 1))
	if h := &w.heads[i]; h.next == h {
		w.used[i>>6] &^= 1 << (i & 63)
	}
	w.count--
}

// advance fires what is due. A slot is looked at when its whole span has
// passed.
func (w *wheel) advance(now int64) {
	end := now >> tickShift
	for w.tick < end && w.count > 0 {
		i := int(w.tick & (slots - 1))
		w.tick++ // first, or what a callback sets could go where nobody looks again
		if w.used[i>>6]&(1<<(i&63)) != 0 {
			w.fire(i, now)
		}
	}
	w.tick = max(w.tick, end)
}

// fire empties a slot. Its entries move to a ring of their own first: callbacks
// may take away or move any entry, and put new ones into the slot.
func (w *wheel) fire(i int, now int64) {
	h, due := &w.heads[i], &w.due
	due.next, due.prev = h.next, h.prev
	due.next.prev, due.prev.next = due, due
	h.next, h.prev = h, h
	w.used[i>>6] &^= 1 << (i & 63)
	for due.next != due {
		t := due.next
		w.unlink(t)
		switch {
		case t.at == 0:
		case t.at <= now:
			t.at = 0
			t.owner.expired()
		default:
			w.link(t, t.at>>tickShift)
		}
	}
}

// next returns when the wheel wants to be advanced, 0 for never.
func (w *wheel) next() int64 {
	if w.count == 0 {
		return 0
	}
	start := int(w.tick & (slots - 1))
	for n := 0; n <= len(w.used); n++ {
		word := (start>>6 + n) % len(w.used)
		set := w.used[word]
		if n == 0 {
			set &= ^uint64(0) << (start & 63)
		} else if n == len(w.used) {
			set &= 1<<(start&63) - 1
		}
		if set != 0 {
			i := word<<6 + bits.TrailingZeros64(set)
			ahead := int64(i-start) & (slots - 1)
			return (w.tick + ahead + 1) << tickShift
		}
	}
	return 0
}
