package reload

import (
	"slices"
	"strings"
	"testing"
	"time"

	"srvctl/tests/harness"
	"srvctl/tests/harness/proc"
	"srvctl/tests/reload/ledger"
)

// footprint is what the server holds when nothing goes on.
type footprint struct {
	generation int
	master     []string // open descriptors
	worker     []string
	goroutines float64 // of the master
	resident   int64   // bytes, of the master
	processes  int
}

// rest waits until only the generation in force is left and nobody is connected,
// and looks.
func rest(t *testing.T, s *harness.Server, workers int) footprint {
	t.Helper()
	st := s.AwaitStatus("only the newest generation", func(st harness.Status) bool {
		return len(st.Workers) == workers && len(st.In("serving")) == workers && st.Reload == nil && st.Connections == 0
	})
	if !harness.Poll(patience, func() bool { return operators(t, s) == 0 }) {
		t.Fatal("operators stay connected")
	}
	f := footprint{generation: st.Generation, goroutines: metric(t, s, "go_goroutines"), processes: len(s.Workers())}
	f.worker, f.master = openFiles(st.Workers[0].PID), openFiles(s.PID())
	f.worker = slices.DeleteFunc(f.worker, func(name string) bool {
		return strings.HasSuffix(name, ledger.FileName) // held for the next who asks for it
	})
	m, err := proc.ReadMemory(s.PID())
	must(t, err)
	f.resident = m.Resident()
	return f
}

// A thousand reloads leave nothing behind: no descriptor, goroutine, process or
// memory.
func TestFlat(t *testing.T) {
	c := setup{workers: 2}
	s := c.start(t)
	l := ledger.Start(ledger.Options{Addr: s.Addr("http"), Idle: idle, Connections: map[ledger.Form]int{ledger.Keep: 4, ledger.Fresh: 1}, Pause: 20 * time.Millisecond})
	cycle := func(reloads int) {
		for i := range reloads {
			c.workers, c.listeners = 2+i%2, ""
			if i%2 == 1 {
				c.listeners = `alt: {address: "@alt@"}, local: {address: "unix:@dir@/web.sock"}, `
			}
			c.version = []string{"even", "odd"}[i%2]
			reconfigured(t, s, c)
		}
		c.workers, c.listeners = 2, ""
		reconfigured(t, s, c)
	}
	cycle(times(10, 100)) // until every pool has its size
	l.Stop()
	before := rest(t, s, 2)
	began := time.Now()
	l2 := ledger.Start(ledger.Options{Addr: s.Addr("http"), Idle: idle, From: 2_000_000_000,
		Connections: map[ledger.Form]int{ledger.Keep: 4, ledger.Fresh: 1}, Pause: 20 * time.Millisecond})
	reloads := times(30, 1000)
	cycle(reloads)
	took := time.Since(began)
	l2.Stop()
	var now footprint
	flat := func() bool {
		now = rest(t, s, 2)
		return slices.Equal(now.master, before.master) && slices.Equal(now.worker, before.worker) && now.goroutines <= before.goroutines
	}
	if !harness.Poll(patience, flat) {
		t.Errorf("before %+v\nnow    %+v", before, now)
	}
	if now.generation != before.generation+reloads+1 || now.processes != before.processes {
		t.Errorf("generation %d and %d processes after %d reloads; before generation %d, %d processes", now.generation, now.processes, reloads, before.generation, before.processes)
	}
	const room = 8 << 20 // the garbage collector's, which lets the heap double
	if now.resident > before.resident+room {
		t.Errorf("the master holds %d KiB after %d reloads, before %d KiB", now.resident>>10, reloads, before.resident>>10)
	}
	t.Logf("%d reloads in %v: master %d -> %d KiB, %v -> %v goroutines, %d descriptors, a worker %d",
		reloads, took, before.resident>>10, now.resident>>10, before.goroutines, now.goroutines, len(now.master), len(now.worker))
	account(t, s, []*ledger.Ledger{l, l2})
}
