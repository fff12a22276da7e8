package reload

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"srvctl/tests/harness"
	"srvctl/tests/harness/proc"
	"srvctl/tests/reload/ledger"
)

// A reload that is asked for while the server starts is done when it has.
func TestReloadDuringStart(t *testing.T) {
	t.Parallel()
	for i := range times(5, 50) {
		c := setup{version: "two"}
		s := setup{}.prepare(t)
		s.Launch()
		if !harness.Poll(patience, func() bool {
			c, err := net.Dial("unix", s.Socket)
			if err == nil {
				c.Close()
			}
			return err == nil
		}) {
			t.Fatal("nobody takes operators' questions")
		}
		s.Configure(c.text())
		r := s.Reload()
		if r.Code != 0 {
			t.Fatalf("start %d: exit %d, %s", i, r.Code, r.Stderr)
		}
		s.AwaitReady()
		wantVersion(t, s.Addr("http"), "two")
		// The first generation is either the configuration that is now replaced
		// or one that nobody had to replace.
		if st := s.Status(); st.Generation != 2 {
			t.Errorf("start %d: generation %d, want 2", i, st.Generation)
		}
		if code := s.Stop(); code != 0 {
			t.Errorf("start %d: exit code %d", i, code)
		}
	}
}

// A stop ends a reload, wherever it is: it says so, nothing is left, and what
// was accepted is answered.
func TestStopDuringReload(t *testing.T) {
	t.Parallel()
	for i := range times(6, 100) {
		var c setup
		s := c.start(t)
		l := load(s, s.Addr("http"))
		awaitAnswers(t, l, 30)
		c.version, c.workers = "two", 4
		s.Configure(c.text())
		var r harness.Result
		var wg sync.WaitGroup
		wg.Go(func() { r = s.Reload() })
		<-time.After(time.Duration(i%20) * 4 * time.Millisecond)
		l.SetAllowRefusal(true)
		s.Signal(syscall.SIGTERM)
		wg.Wait()
		switch {
		case r.Code == 0: // it had been done
		case r.Code == 1 && strings.Contains(r.Stderr, "stops"):
		case r.Code == 3: // it came too late
		default:
			t.Errorf("stop %d: reload exits with %d: %s", i, r.Code, r.Stderr)
		}
		if code := s.AwaitExit(); code != 0 {
			t.Errorf("stop %d: exit code %d", i, code)
		}
		l.Stop()
		rep := compare(t, s, []*ledger.Ledger{l})
		if n := rep[0].Total.Unaccepted; n > 0 {
			t.Errorf("stop %d: %d requests on connections that waited in a queue got no answer", i, n)
		}
	}
}

// The same at a moment that is certain: new workers are being prepared.
func TestStopWhilePreparing(t *testing.T) {
	t.Parallel()
	for _, now := range []bool{false, true} {
		t.Run(fmt.Sprint("now ", now), func(t *testing.T) {
			t.Parallel()
			s := setup{}.startFaulty(t)
			s.Fault("generation=2 slot=* at=prepare do=hang")
			var r harness.Result
			var wg sync.WaitGroup
			wg.Go(func() { r = s.Reload("--wait") })
			s.AwaitStatus("preparing", func(st harness.Status) bool { return st.Reload != nil && st.Reload.Stage == "preparing" })
			if now {
				if stop := s.Srvctl("stop --now"); stop.Code != 0 {
					t.Errorf("stop --now exits with %d: %s", stop.Code, stop.Stderr)
				}
			} else {
				s.Signal(syscall.SIGTERM)
			}
			if code := s.AwaitExit(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			wg.Wait()
			if r.Code != 1 || !strings.Contains(r.Stderr, "the server stops") {
				t.Errorf("reload exits with %d and says %q; want 1 and that the server stops", r.Code, r.Stderr)
			}
		})
	}
}

// USR1 in the middle of reloads: each request is in exactly one log, and no
// process goes on writing into those that were moved away.
func TestReopenDuringReload(t *testing.T) {
	t.Parallel()
	c := setup{workers: 3}
	s := c.start(t)
	l := load(s, s.Addr("http"))
	path := filepath.Join(s.Dir, "access.log")
	var names []string
	for i := range times(6, 60) {
		awaitAnswers(t, l, 20)
		var wg sync.WaitGroup
		wg.Go(func() { reloaded(t, s) })
		<-time.After(time.Duration(i%6) * 5 * time.Millisecond)
		name := fmt.Sprint("access.", i)
		must(t, os.Rename(path, filepath.Join(s.Dir, name)))
		s.Signal(syscall.SIGUSR1)
		names = append(names, name)
		wg.Wait()
		if !harness.Poll(patience, func() bool { return !writesTo(t, s, name) }) {
			t.Errorf("after USR1 %d something still has %s open", i, name)
		}
	}
	awaitAnswers(t, l, 20)
	account(t, s, []*ledger.Ledger{l}, names...)
}

// writesTo says whether the server has a file of its folder open.
func writesTo(t *testing.T, s *harness.Server, name string) bool {
	t.Helper()
	return slices.ContainsFunc(proc.Tree(s.PID()), func(p proc.Stat) bool {
		return slices.Contains(openFiles(p.PID), filepath.Join(s.Dir, name))
	})
}

// A configuration that has been removed ends no server and no reload.
func TestRemovedFile(t *testing.T) {
	t.Parallel()
	var c setup
	s := c.start(t)
	before := look(t, s)
	must(t, os.Remove(s.Config))
	r := s.Reload()
	if r.Code != 1 || !strings.Contains(r.Stderr, s.Config) || !strings.Contains(r.Stderr, "no such file") {
		t.Errorf("exit %d, %q; want 1, the file and what is wrong", r.Code, r.Stderr)
	}
	before.same(t, s)
	wantVersion(t, s.Addr("http"), "one")
	c.version = "two"
	reconfigured(t, s, c)
	wantVersion(t, s.Addr("http"), "two")
}

// Two operators at once both get an answer.
func TestTwoVerbs(t *testing.T) {
	t.Parallel()
	s := setup{}.start(t)
	for round := range times(3, 30) {
		before := s.Status().Generation
		var wg sync.WaitGroup
		results := make([]harness.Result, 2)
		for i := range results {
			wg.Go(func() { results[i] = s.Reload([]string{"--wait", "--json"}[i]) })
		}
		wg.Wait()
		for i, r := range results {
			if r.Code != 0 {
				t.Errorf("round %d, verb %d: exit %d, %s", round, i, r.Code, r.Stderr)
			}
		}
		if now := s.Status().Generation; now < before+1 || now > before+2 {
			t.Errorf("round %d: generation %d, was %d", round, now, before)
		}
	}
}

// An operator who leaves does not end what he asked for.
func TestOperatorLeaves(t *testing.T) {
	t.Parallel()
	c := setup{version: "two"}
	s := setup{}.start(t)
	s.Configure(c.text())
	o, err := dial("unix:" + s.Socket)
	must(t, err)
	must(t, o.send(`{"verb":"reload","wait":true}`+"\n"))
	must(t, o.Close())
	awaitGeneration(t, s, 2)
	awaitVersion(t, s, "two") // nobody has said that the old workers have left their sockets
	reloaded(t, s, "--wait")
}
