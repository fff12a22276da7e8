package logging_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"srvctl/shared/logging"
)

// A lockedBuffer may be read while the throttle's timer writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

func TestRepeatsAreThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		l := logging.New(logging.Options{Out: &out})
		for i := range 1000 {
			l.Warn("upstream failed", "n", i)
		}
		if got := len(field(t, out.String(), "msg")); got != 10 {
			t.Errorf("%d lines at once, want 10", got)
		}
		for slot := range 20 { // other slots and levels are other events
			l.Warn("upstream failed", "slot", slot)
		}
		l.Error("upstream failed")
		if got := len(field(t, out.String(), "msg")); got != 31 {
			t.Errorf("%d lines with those of others, want 31", got)
		}
		time.Sleep(10 * time.Second) // virtual
		synctest.Wait()
		text := out.String()
		last := text[strings.LastIndex(text[:len(text)-1], "\n")+1:]
		if want := `"msg":"upstream failed","n":999,"repeated":990}` + "\n"; !strings.HasSuffix(last, want) {
			t.Errorf("last line %s, want %s", last, want)
		}
		out.Reset()
		for range 11 {
			l.Warn("upstream failed")
		}
		if got := len(field(t, out.String(), "msg")); got != 10 {
			t.Errorf("%d lines in the next window, want 10", got)
		}
		l.Close() // does not keep back what it has counted
		if values := field(t, out.String(), "repeated"); len(values) != 11 || values[10] != 1.0 {
			t.Errorf("repeated = %v, want 1 in the last line", values)
		}
	})
}

func TestSlowRepeatsPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		l := logging.New(logging.Options{Out: &out})
		for range 100 {
			l.Info("tick")
			time.Sleep(1100 * time.Millisecond) // virtual
		}
		if got := len(field(t, out.String(), "msg")); got != 100 {
			t.Errorf("%d lines, want all 100", got)
		}
	})
}

// More different events than are watched: all are written, memory is bounded.
func TestManyEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		l := logging.New(logging.Options{Out: &out})
		const events = 3000
		for i := range events {
			l.Info(fmt.Sprint("event ", i))
		}
		if got := len(field(t, out.String(), "msg")); got != events {
			t.Errorf("%d lines, want %d", got, events)
		}
		if n := l.Watched(); n > 1024 {
			t.Errorf("%d events are watched, want at most 1024", n)
		}
		time.Sleep(11 * time.Second) // virtual: the old ones make room
		l.Info("new")
		if n := l.Watched(); n != 1 {
			t.Errorf("%d events are watched, want 1", n)
		}
	})
}
