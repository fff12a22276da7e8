package loop

// White-box: the wheel is not seen from outside but by real time, and a
// property needs hours of it.

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const tick = int64(1) << tickShift

// alarm is a timer in a test: it notes when it fires.
type alarm struct {
	timer
	w     *wheel
	now   *int64
	fired []int64
	then  func(a *alarm)
}

func (a *alarm) expired() {
	a.fired = append(a.fired, *a.now)
	if a.then != nil {
		a.then(a)
	}
}

// clockwork is a wheel whose time the test moves.
type clockwork struct {
	wheel
	now int64
}

func newClockwork() *clockwork {
	c := &clockwork{now: 1_000_000_000_123}
	c.init(c.now)
	return c
}

func (c *clockwork) alarm(then func(a *alarm)) *alarm {
	a := &alarm{w: &c.wheel, now: &c.now, then: then}
	a.owner = a
	return a
}

// to moves the time, waking up when the wheel wants it, as the loop does.
func (c *clockwork) to(t testing.TB, end int64) {
	t.Helper()
	for {
		next := c.next()
		if next == 0 || next > end {
			break
		}
		if next <= c.now {
			next = c.now // late already
		}
		c.now = next
		before := c.tick
		c.advance(c.now)
		if c.tick == before {
			t.Fatalf("the wheel wants to wake up at %d again and again", next)
		}
	}
	c.now = max(c.now, end)
	c.advance(c.now)
}

// The model is a list: every alarm fires once, not before its deadline and at
// most a tick after it, whatever is done to it before.
func TestWheelAgainstAList(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		c := newClockwork()
		alarms := make([]*alarm, 1+r.IntN(60))
		want := make([]int64, len(alarms)) // deadline, 0 for none
		for i := range alarms {
			alarms[i] = c.alarm(nil)
		}
		for range 300 {
			i := r.IntN(len(alarms))
			switch r.IntN(6) {
			case 0:
				want[i] = 0
				c.set(&alarms[i].timer, 0)
			case 1:
				want[i] = 0
				c.unlink(&alarms[i].timer)
				alarms[i].at = 0
			case 2, 3, 4:
				at := c.now + []int64{r.Int64N(3 * tick), r.Int64N(1e9), r.Int64N(200e9), r.Int64N(3600e9)}[r.IntN(4)]
				want[i] = at
				c.set(&alarms[i].timer, at)
			case 5:
				before := c.now
				c.to(t, c.now+[]int64{r.Int64N(tick), r.Int64N(10 * tick), r.Int64N(300e9)}[r.IntN(3)])
				for j, a := range alarms {
					checkAlarm(t, seed, a, &want[j], before, c.now)
				}
			}
		}
		c.to(t, c.now+4000e9)
		for j, a := range alarms {
			checkAlarm(t, seed, a, &want[j], 0, c.now)
		}
		if c.count != 0 || c.next() != 0 {
			t.Fatalf("seed %d: %d entries are left, the next at %d", seed, c.count, c.next())
		}
	}
}

func checkAlarm(t *testing.T, seed uint64, a *alarm, want *int64, before, now int64) {
	t.Helper()
	due := *want != 0 && *want>>tickShift < now>>tickShift
	switch {
	case !due && len(a.fired) == 0:
	case due && len(a.fired) == 1 && a.fired[0] >= *want && a.fired[0] <= max(*want, before)+tick:
		a.fired, *want = nil, 0
	default:
		t.Fatalf("seed %d: deadline %d at %d: fired %v", seed, *want, now, a.fired)
	}
}

// What callbacks do to the wheel while it fires.
func TestWheelInCallbacks(t *testing.T) {
	t.Run("again", func(t *testing.T) {
		c := newClockwork()
		a := c.alarm(func(a *alarm) { a.w.set(&a.timer, *a.now+1e9) })
		c.set(&a.timer, c.now+1e9)
		c.to(t, c.now+10e9)
		if n := len(a.fired); n < 9 || n > 10 {
			t.Errorf("fired %d times in 10 s, want 9 or 10", n)
		}
	})
	t.Run("again, in the past", func(t *testing.T) {
		c := newClockwork()
		a := c.alarm(func(a *alarm) { a.w.set(&a.timer, 1) })
		c.set(&a.timer, c.now)
		c.to(t, c.now+100*tick)
		if n := len(a.fired); n < 99 || n > 101 {
			t.Errorf("fired %d times in 100 ticks, want one each", n)
		}
	})
	t.Run("again, far ahead", func(t *testing.T) {
		c := newClockwork()
		a := c.alarm(func(a *alarm) { a.w.set(&a.timer, *a.now+slots*tick) })
		c.set(&a.timer, c.now)
		c.to(t, c.now+(10*slots+20)*tick)
		if n := len(a.fired); n != 11 {
			t.Errorf("fired %d times, want at once and in each of ten rounds", n)
		}
	})
	t.Run("others", func(t *testing.T) {
		c := newClockwork()
		var all []*alarm
		first := c.alarm(func(*alarm) {
			c.set(&all[1].timer, 0)          // cancelled
			c.unlink(&all[2].timer)          // its connection is closed
			c.set(&all[3].timer, c.now+10e9) // later
			c.set(&all[5].timer, c.now+5*tick)
			c.unlink(&all[6].timer) // the last of the slot
		})
		all = append(all, first)
		for range 6 {
			all = append(all, c.alarm(nil))
		}
		begin := c.now
		for _, i := range []int{0, 1, 2, 3, 4, 6} {
			c.set(&all[i].timer, begin+1e9)
		}
		c.to(t, begin+2e9)
		got := ""
		for _, a := range all {
			got += fmt.Sprint(len(a.fired))
		}
		if got != "1000110" {
			t.Errorf("fired %s, want 1000110", got)
		}
		c.to(t, begin+12e9)
		if len(all[3].fired) != 1 || all[3].fired[0] < begin+11e9 {
			t.Errorf("the one that was moved fired at %v", all[3].fired)
		}
	})
}

// A loop that was stopped for an hour fires what is due once, and goes on.
func TestWheelAfterALongSleep(t *testing.T) {
	c := newClockwork()
	begin := c.now
	var fired []int
	for i := range 5000 {
		a := c.alarm(func(*alarm) { fired = append(fired, i) })
		c.set(&a.timer, begin+int64(i)*1e9)
	}
	c.now = begin + 3600e9
	c.advance(c.now)
	if len(fired) < 3599 || len(fired) > 3601 {
		t.Errorf("%d fired, want those of an hour", len(fired))
	}
	c.to(t, begin+5001e9)
	slices.Sort(fired)
	if len(slices.Compact(fired)) != 5000 {
		t.Errorf("%d fired in the end, want all 5000 once", len(fired))
	}
}

func TestWheelOfManyLaters(t *testing.T) {
	c := newClockwork()
	a := c.alarm(nil)
	for range 1000 { // a busy connection: later and later
		c.set(&a.timer, c.now+75e9)
		c.to(t, c.now+1e9)
	}
	if len(a.fired) != 0 {
		t.Fatalf("fired at %v, although it was always moved in time", a.fired)
	}
	last := c.now - 1e9 + 75e9
	c.to(t, c.now+100e9)
	if len(a.fired) != 1 || a.fired[0] < last || a.fired[0] > last+tick {
		t.Errorf("fired at %v, want %d", a.fired, last)
	}
}

func BenchmarkWheelSetLater(b *testing.B) {
	c := newClockwork()
	a := c.alarm(nil)
	now := c.now
	for b.Loop() {
		now += int64(time.Microsecond)
		c.set(&a.timer, now+75e9)
	}
}
