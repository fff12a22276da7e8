package logging

import (
	"sync"
	"time"
)

const (
	// throttleBurst lines of one event pass in each throttleWindow; the rest is
	// told by one line at its end.
	throttleBurst  = 10
	throttleWindow = 10 * time.Second
	// throttleEvents bounds the events that are watched at one time. Events are
	// constants of the program, times the processes of a few seconds; what is
	// beyond it is not throttled.
	throttleEvents = 1024
)

// An event is what counts as the same when it repeats: the trouble, or the end,
// of a process does not hide another's.
type event struct {
	level, text, about string
}

// A throttle lets the first lines of an event pass and counts the others.
type throttle struct {
	mu     sync.Mutex
	events map[event]*window
	closed bool
}

// A window is one event's from its first line on.
type window struct {
	ends     time.Time
	passed   int
	repeated int         // suppressed lines
	timer    *time.Timer // at the end, when something was suppressed
	tell     func(repeated int)
}

// pass tells whether a line may be written now. Of those that may not, the
// last one's tell is called with their number when the window ends.
func (t *throttle) pass(e event, tell func(repeated int)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	w := t.events[e]
	if w == nil || w.repeated == 0 && !now.Before(w.ends) {
		if w == nil && len(t.events) >= throttleEvents {
			t.sweepLocked(now)
		}
		if w == nil && len(t.events) >= throttleEvents || t.closed {
			return true
		}
		w = &window{ends: now.Add(throttleWindow)}
		t.events[e] = w
	}
	if w.passed < throttleBurst {
		w.passed++
		return true
	}
	w.repeated++
	w.tell = tell
	if w.timer == nil {
		w.timer = time.AfterFunc(w.ends.Sub(now), func() { t.end(e, w) })
	}
	return false
}

// end closes a window and tells what it has suppressed.
func (t *throttle) end(e event, w *window) {
	t.mu.Lock()
	if t.events[e] != w {
		t.mu.Unlock()
		return // close was quicker
	}
	delete(t.events, e)
	t.mu.Unlock()
	w.tell(w.repeated)
}

// sweepLocked forgets windows that are over and have nothing to tell.
func (t *throttle) sweepLocked(now time.Time) {
	for e, w := range t.events {
		if w.repeated == 0 && !now.Before(w.ends) {
			delete(t.events, e)
		}
	}
}

// close ends all windows at once and lets everything pass from here on.
func (t *throttle) close() {
	t.mu.Lock()
	t.closed = true
	all := t.events
	t.events = map[event]*window{}
	t.mu.Unlock()
	for _, w := range all {
		if w.timer != nil {
			w.timer.Stop()
		}
		if w.repeated > 0 {
			w.tell(w.repeated)
		}
	}
}
