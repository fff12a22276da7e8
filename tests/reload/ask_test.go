package reload

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"srvctl/tests/harness"
)

// awaitGeneration waits until a generation is in force and its reload is over.
func awaitGeneration(t *testing.T, s *harness.Server, n int) {
	t.Helper()
	s.AwaitStatus(fmt.Sprintf("generation %d", n), func(st harness.Status) bool {
		return st.Generation == n && st.Reload == nil
	})
}

// Each of the three ways to ask for a reload brings the new configuration.
func TestWaysToAsk(t *testing.T) {
	t.Parallel()
	c := setup{more: "reload: {watch: true}"}
	s := c.start(t)
	wantVersion(t, s.Addr("http"), "one")

	c.version = "watched"
	s.Configure(c.text())
	awaitGeneration(t, s, 2)
	wantVersion(t, s.Addr("http"), "watched")

	c.version = "renamed" // as most editors and tools write
	path := filepath.Join(s.Dir, "new")
	s.Configure(c.text())
	must(t, os.Rename(s.Config, path))
	must(t, os.Rename(path, s.Config))
	awaitVersion(t, s, "renamed")

	// A file that is written in several steps, or is wrong for a moment, does
	// no harm: what is good in the end is taken.
	s.WriteFile("srvctl.yaml", "workers: [")
	s.AwaitStatus("the failed reload", func(st harness.Status) bool {
		return st.LastReload != nil && st.LastReload.Result == "failed" && st.Reload == nil
	})
	wantVersion(t, s.Addr("http"), "renamed")
	c.version, c.more = "unwatched", ""
	s.Configure(c.text())
	awaitVersion(t, s, "unwatched")

	// Now nothing is watched any more, and a signal is needed.
	before := s.Status().Generation
	c.version = "signal"
	s.Configure(c.text())
	wantVersion(t, s.Addr("http"), "unwatched")
	s.Signal(syscall.SIGHUP)
	awaitGeneration(t, s, before+1)
	wantVersion(t, s.Addr("http"), "signal")

	c.version = "verb"
	reconfigured(t, s, c) // the verb returns when it is done: nobody waits here
	wantVersion(t, s.Addr("http"), "verb")
	if now := s.Status().Generation; now != before+2 {
		t.Errorf("generation %d, want %d: the watch was switched off", now, before+2)
	}
}

// awaitVersion waits until new connections are answered by a configuration.
func awaitVersion(t *testing.T, s *harness.Server, want string) {
	t.Helper()
	var got string
	if !harness.Poll(patience, func() bool {
		var err error
		got, err = version(s.Addr("http"))
		must(t, err)
		return got == want && s.Status().Reload == nil
	}) {
		t.Fatalf("version %q is served, want %q", got, want)
	}
}

// Whatever is asked for while a reload runs becomes one further reload, and
// everybody who asked gets its answer.
func TestCoalescing(t *testing.T) {
	t.Parallel()
	var c setup
	s := c.startFaulty(t)
	old := pids(t, s)
	s.Fault("generation=2 slot=0 at=prepare do=hang") // a reload that runs as long as is needed
	var first harness.Result
	var verbs [5]harness.Result
	var wg sync.WaitGroup
	wg.Go(func() { first = s.Reload() })
	hung := awaitHang(t, s, old)
	c.version = "two"
	s.Configure(c.text())
	for i := range verbs {
		wg.Go(func() { verbs[i] = s.Reload() })
	}
	for range 20 {
		s.Signal(syscall.SIGHUP)
	}
	awaitOperators(t, s, 1+len(verbs))
	s.Fault("")
	must(t, syscall.Kill(hung, syscall.SIGKILL)) // the first reload fails
	wg.Wait()
	if first.Code != 1 || !strings.Contains(first.Stderr, "killed") {
		t.Errorf("the reload whose worker was killed exits with %d and says %q; want 1 and why", first.Code, first.Stderr)
	}
	for i, r := range verbs {
		if r.Code != 0 || !strings.Contains(r.Stdout, "generation 2 serves: 2 workers") {
			t.Errorf("verb %d exits with %d and says %q %q; want 0 and generation 2", i, r.Code, r.Stdout, r.Stderr)
		}
	}
	wantVersion(t, s.Addr("http"), "two")
	reloaded(t, s) // behind whatever may still be queued
	if st := s.Status(); st.Generation != 3 {
		t.Errorf("generation %d, want 3: one for all who asked, one more now", st.Generation)
	}
	for result, want := range map[string]float64{"ok": 2, "failed": 1} {
		if n := metric(t, s, fmt.Sprintf("srvctl_reloads_total{result=%q}", result)); n != want {
			t.Errorf("srvctl_reloads_total{result=%q} = %v, want %v", result, n, want)
		}
	}
}

// awaitHang waits until a worker besides the old ones hangs by a fault, and
// returns its process. It does so in a pipe of its own: until then a new worker
// has no more pipes than an old one.
func awaitHang(t *testing.T, s *harness.Server, old []int) (pid int) {
	t.Helper()
	usual := count(openFiles(old[0]), "pipe")
	if !harness.Poll(patience, func() bool {
		for _, w := range s.Workers() {
			if !slices.Contains(old, w.PID) && count(openFiles(w.PID), "pipe") > usual {
				pid = w.PID
			}
		}
		return pid != 0
	}) {
		t.Fatal("no new worker hangs")
	}
	return pid
}

// count says how often a word is in a list.
func count(list []string, word string) (n int) {
	for _, s := range list {
		if s == word {
			n++
		}
	}
	return n
}

// awaitOperators waits until so many operators wait for their answers.
func awaitOperators(t *testing.T, s *harness.Server, n int) {
	t.Helper()
	if !harness.Poll(patience, func() bool { return operators(t, s) >= n }) {
		t.Fatalf("%d operators are connected, want %d", operators(t, s), n)
	}
	for range 3 { // what they asked has come to the loop before what is asked now
		s.Status()
	}
}

// operators is how many connections the operators' socket has.
func operators(t *testing.T, s *harness.Server) (n int) {
	t.Helper()
	table, err := os.ReadFile("/proc/net/unix")
	must(t, err)
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); f[len(f)-1] == s.Socket && f[5] == "03" {
			n++
		}
	}
	return n
}
