package worker_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"srvctl/proto/control"
)

// anHour is a bound that no test waits for.
const anHour = time.Hour

// A worker that is told to drain before it serves simply ends, whatever else it
// is told.
func TestDrainBeforeCommit(t *testing.T) {
	http, alt := newPort(t, false, 2), newPort(t, true, 1)
	h := hire(t, tested, 0, http, alt)
	h.halt()
	h.send(control.Accept{Slots: []int{0}}) // there is nothing to replace
	h.send(control.Drain{Timeout: anHour, Delay: anHour, Idle: anHour, Why: control.WhyReload, Empty: []int{0, 1}})
	h.send(control.Commit{Accept: []int{0}})
	h.goOn()
	h.ends(control.Drained{})
}

// Nothing that crosses with a drain makes a worker accept, or leaves a
// descriptor open.
func TestOrdersBehindADrain(t *testing.T) {
	http, alt := newPort(t, false, 2).listens(), newPort(t, true, 1).listens()
	h := hire(t, tested, 0, http, alt).serve(0, 1)
	b := http.browser().begins()
	until(t, "the request is in flight", func() bool { return h.cell.View().InFlight == 1 })
	h.halt()
	h.send(control.Drain{Timeout: anHour, Idle: anHour, Why: control.WhyReload})
	h.listener(0, http)
	h.listener(1, alt)
	h.send(control.Accept{Slots: []int{0, 1}})
	h.send(control.Commit{Accept: []int{0, 1}})
	h.logs()
	must(t, os.Rename(filepath.Join(h.dir, "log"), filepath.Join(h.dir, "log.1")))
	h.logs()
	h.send(control.Prepare{}) // has no business here, and is complained of in the new log
	h.goOn()
	until(t, "the last order was read", func() bool { return strings.Contains(h.file("log"), "unexpected order") })
	if n := h.holds(http) + h.holds(alt); n != 0 {
		t.Errorf("the worker holds %d listening sockets", n)
	}
	if !b.finishes() {
		t.Error("the response does not say Connection: close")
	}
	b.sees(io.EOF, "it was the last")
	b.Close()
	h.ends(control.Drained{Finished: 1})
	if got := strings.Count(h.file("log")+h.file("log.1"), "order failed"); got != 1 {
		t.Errorf("%d orders failed, want the one that has no business here", got)
	}
}

// Log files are replaced also while draining.
func TestLogsWhileDraining(t *testing.T) {
	http, alt := newPort(t, false, 1).listens(), newPort(t, true, 1).listens()
	h := hire(t, tested, 0, http, alt).serve(0)
	b := http.browser()
	_, err := b.ask("/hello")
	must(t, err)
	b.begins()
	h.send(control.Drain{Timeout: anHour, Idle: anHour, Why: control.WhyReload})
	until(t, "the listeners are left", func() bool { return h.holds(http) == 0 })
	until(t, "the first line is written", func() bool { return strings.Contains(h.file("access"), "/hello") })
	must(t, os.Rename(filepath.Join(h.dir, "access"), filepath.Join(h.dir, "access.1")))
	h.logs()
	until(t, "the old file is let go of", func() bool { return !h.opened("access.1") })
	b.finishes()
	b.Close()
	h.ends(control.Drained{Finished: 1})
	if got := h.file("access"); strings.Count(got, "\n") != 1 || !strings.Contains(got, "/echo") {
		t.Errorf("the new access log has %q, want the line of the last request", got)
	}
}

// opened reports whether the process has a file of its folder open.
func (h *hand) opened(name string) bool {
	all, err := filepath.Glob("/proc/" + itoa(h.pid()) + "/fd/*")
	must(h.t, err)
	for _, fd := range all {
		if link, err := os.Readlink(fd); err == nil && link == filepath.Join(h.dir, name) {
			return true
		}
	}
	return false
}

// A drain that comes again makes the end come sooner.
func TestHarderDrain(t *testing.T) {
	http, alt := newPort(t, false, 1).listens(), newPort(t, true, 1).listens()
	h := hire(t, tested, 0, http, alt).serve(0)
	idle, busy, stuck := http.browser(), http.browser().begins(), http.browser().begins()
	_, err := idle.ask("/hello")
	must(t, err)
	until(t, "all have been accepted", func() bool { v := h.cell.View(); return v.Idle == 1 && v.InFlight == 2 })
	h.send(control.Drain{Timeout: anHour, Delay: anHour, Idle: anHour, Why: control.WhyStop})
	b := http.browser()
	until(t, "it is not ready any more", func() bool {
		b.send("GET /ready HTTP/1.1\r\nHost: h\r\n\r\n")
		res := b.read()
		_, err := io.Copy(io.Discard, res.Body)
		must(t, err)
		return res.StatusCode == 503
	})
	b.Close()
	until(t, "the browser has gone", func() bool { return h.cell.View().Connections() == 3 })

	// Without the delay.
	h.send(control.Drain{Timeout: anHour, Idle: anHour, Why: control.WhyReload})
	until(t, "the listeners are left", func() bool { return h.holds(http) == 0 })
	if v := h.cell.View(); v.Idle != 1 || v.InFlight != 2 {
		t.Errorf("while draining it counts %d idle, %d in flight; want 1 and 2", v.Idle, v.InFlight)
	}

	// Without the quiet window.
	h.send(control.Drain{Timeout: anHour, Idle: 0, Why: control.WhyReload})
	idle.sees(io.EOF, "there is no quiet window any more")
	idle.Close()
	until(t, "the idle one has gone", func() bool { return h.cell.View().Connections() == 2 })

	// Without patience, and no order brings that back.
	h.halt()
	h.send(control.Drain{Timeout: time.Second, Why: control.WhyReload})
	h.send(control.Drain{Timeout: anHour, Idle: anHour, Delay: anHour, Why: control.WhyReload})
	h.goOn()
	busy.finishes()
	busy.Close()
	stuck.sees(syscall.ECONNRESET, "time is up")
	h.ends(control.Drained{Finished: 3, Cut: 1})
}

// The end of the master is no more time than what was left.
func TestOrphanOfADrain(t *testing.T) {
	for _, first := range []control.Drain{
		{Timeout: time.Second, Idle: anHour, Why: control.WhyStop},
		{Timeout: time.Second / 2, Idle: anHour, Delay: time.Second / 2, Why: control.WhyStop},
	} {
		http, alt := newPort(t, false, 1).listens(), newPort(t, true, 1).listens()
		h := hire(t, with("timeout: 30s", "timeout: 1h", "idle: 300ms", "idle: 1h"), 0, http, alt).serve(0)
		stuck := http.browser().begins()
		until(t, "the request is in flight", func() bool { return h.cell.View().InFlight == 1 })
		h.send(first)
		h.link.Close()
		http.close()
		alt.close()
		stuck.sees(syscall.ECONNRESET, "time is up")
		h.exits()
		if _, err := http.dial(); err == nil {
			t.Error("the address is still taken")
		}
	}
}

// A worker without a master empties the queues, of its neighbours too, answers
// and goes.
func TestOrphan(t *testing.T) {
	http, alt := newPort(t, false, 2).listens(), newPort(t, true, 1).listens()
	h := hire(t, tested, 0, http, alt).serve(0)
	var waiting []*browser
	h.halt()
	for range 100 {
		for _, p := range []*port{http, alt} {
			b := p.browser()
			b.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
			waiting = append(waiting, b)
		}
	}
	http.close()
	alt.close()
	h.link.Close()
	h.goOn()
	last := 0
	for _, b := range waiting {
		closes, err := b.answer("hello\n")
		must(t, err)
		if closes {
			last++
		}
		b.Close()
	}
	h.exits()
	if last == 0 {
		t.Error("no response says Connection: close")
	}
	if n := strings.Count(h.file("access"), "\n"); n != len(waiting) {
		t.Errorf("%d lines in the access log, want %d", n, len(waiting))
	}
	if _, err := http.dial(); err == nil {
		t.Error("the address is still taken")
	}
}

// The last order of a master may be to leave the queues to a successor. When
// that is read the successor may have left too: nobody else will empty them.
func TestOrphanThatWasToLeaveTheQueues(t *testing.T) {
	http := newPort(t, false, 2).listens()
	h := hire(t, tested, 0, http).serve(0)
	h.halt()
	var waiting []*browser // also in the queue of slot 1, from which this worker does not accept
	for range 50 {
		b := http.browser()
		b.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
		waiting = append(waiting, b)
	}
	h.send(control.Drain{Timeout: anHour, Idle: anHour, Why: control.WhyReload})
	http.close()
	h.link.Close()
	h.goOn()
	for _, b := range waiting {
		_, err := b.answer("hello\n")
		must(t, err)
		b.Close()
	}
	h.exits()
}

// SIGTERM ends a worker at once in every state: with exit code 0, its lines
// written, and the queues left to others.
func TestTerminate(t *testing.T) {
	drain := control.Drain{Timeout: anHour, Idle: anHour, Why: control.WhyStop, Empty: []int{0, 1}}
	delayed := drain
	delayed.Delay = anHour
	for name, before := range map[string]func(h *hand){
		"serving":  func(h *hand) {},
		"delaying": func(h *hand) { h.send(delayed) },
		"draining": func(h *hand) { h.send(drain) },
		"orphaned": func(h *hand) { h.link.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			http, alt := newPort(t, false, 1).listens(), newPort(t, true, 1).listens()
			h := hire(t, with("timeout: 30s", "timeout: 1h", "idle: 300ms", "idle: 1h"), 0, http, alt).serve(0)
			idle, stuck := http.browser(), http.browser()
			for _, b := range []*browser{idle, stuck} {
				_, err := b.ask("/hello")
				must(t, err)
			}
			stuck.begins()
			until(t, "the request is in flight", func() bool { return h.cell.View().InFlight == 1 })
			before(h)
			h.signal(syscall.SIGTERM)
			stuck.sees(syscall.ECONNRESET, "time is up")
			if name == "orphaned" {
				h.exits()
			} else {
				h.ends(control.Drained{Finished: 1, Cut: 1})
			}
			if n := strings.Count(h.file("access"), "\n"); n != 3 {
				t.Errorf("%d lines in the access log, want 3: two answers and a request that was cut", n)
			}
			if v := h.cell.View(); v.Connections() != 0 {
				t.Errorf("%d connections are counted in the end", v.Connections())
			}
		})
	}
	t.Run("ready", func(t *testing.T) {
		h := hire(t, tested, 0, newPort(t, false, 1), newPort(t, true, 1))
		h.signal(syscall.SIGTERM)
		h.ends(control.Drained{})
	})
}
