package reload

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"srvctl/tests/harness"
	"srvctl/tests/reload/ledger"
)

// untouched is what a failed reload must leave as it was.
type untouched struct {
	pids       []int
	generation int
	open       map[int][]string // descriptors by process
}

func look(t *testing.T, s *harness.Server) untouched {
	t.Helper()
	st := s.Status()
	u := untouched{st.PIDs("serving"), st.Generation, map[int][]string{}}
	if !harness.Poll(patience, func() bool { return operators(t, s) == 0 }) { // this test's own questions
		t.Fatal("operators stay connected")
	}
	for _, pid := range append(slices.Clone(u.pids), s.PID()) {
		u.open[pid] = openFiles(pid)
	}
	return u
}

// same wants everything as it was. There is no load now: what is open is the
// server's own.
func (u untouched) same(t *testing.T, s *harness.Server) {
	t.Helper()
	st := s.Status()
	if !slices.Equal(st.PIDs("serving"), u.pids) || len(st.Workers) != len(u.pids) || st.Generation != u.generation {
		t.Errorf("generation %d with processes %v, now %d with %+v", u.generation, u.pids, st.Generation, st.Workers)
	}
	for pid, was := range u.open {
		var now []string
		if !harness.Poll(patience, func() bool { now = openFiles(pid); return slices.Equal(now, was) }) {
			t.Errorf("process %d had %d descriptors open, now %d:\n%s\n%s", pid, len(was), len(now), was, now)
		}
	}
	if n := len(s.Workers()); n != len(u.pids) {
		t.Errorf("%d processes, want %d: %v", n, len(u.pids), s.Workers())
	}
}

// A configuration with mistakes changes nothing, and every mistake is named.
func TestBrokenFile(t *testing.T) {
	t.Parallel()
	s := setup{}.start(t)
	before := look(t, s)
	s.WriteFile("srvctl.yaml", `workers: none
listeners:
  http: {address: ":99999"}
sites:
  - routes:
      - {match: /a, respond: {body: a}, files: {root: .}}
      - {match: /b, respnd: {body: b}}
`)
	r := s.Reload()
	if r.Code != 1 {
		t.Errorf("exit code %d, want 1", r.Code)
	}
	for _, where := range []string{":1:10: workers", ":3:19: listeners.http.address", ":6:", ":7:"} {
		if !strings.Contains(r.Stderr, s.Config+where) && !strings.Contains(r.Stderr, "srvctl.yaml"+where) {
			t.Errorf("no problem is located at srvctl.yaml%s in\n%s", where, r.Stderr)
		}
	}
	if !strings.Contains(r.Stderr, "respond") || !strings.Contains(r.Stderr, "did you mean") {
		t.Errorf("no suggestion in\n%s", r.Stderr)
	}
	check := s.Run("check", "-c", s.Config)
	for line := range strings.Lines(check.Stderr + check.Stdout) {
		if regexp.MustCompile(`:\d+:\d+: `).MatchString(line) && !strings.Contains(r.Stderr, line) {
			t.Errorf("srvctl check has a problem that reload does not tell: %s", line)
		}
	}
	before.same(t, s)
	s.Configure(setup{version: "repaired"}.text())
	reloaded(t, s)
	wantVersion(t, s.Addr("http"), "repaired")
}

// An address that another process has ends a reload with its name, and with
// nothing bound.
func TestAddressTaken(t *testing.T) {
	t.Parallel()
	var c setup
	s := c.start(t)
	c.listeners = `free: {address: "@free@"}, taken: {address: "@taken@"}, `
	s.Configure(c.text())
	l, err := net.Listen("tcp", s.Addr("taken"))
	must(t, err)
	defer l.Close()
	before := look(t, s)
	r := s.Reload()
	if r.Code != 1 || !strings.Contains(r.Stderr, s.Addr("taken")) || !strings.Contains(r.Stderr, "address already in use") {
		t.Errorf("exit %d, %q; want 1, the address and the reason", r.Code, r.Stderr)
	}
	before.same(t, s)
	if c, err := net.DialTimeout("tcp", s.Addr("free"), patience); err == nil {
		c.Close()
		t.Error("the other new listener is there")
	}
	must(t, l.Close())
	reloaded(t, s)
	wantVersion(t, s.Addr("taken"), "one")
	wantVersion(t, s.Addr("free"), "one")
}

// Files that the new configuration names and that are not there, or are no
// configuration at all, are refused as well.
func TestFilesMissing(t *testing.T) {
	t.Parallel()
	var c setup
	s := c.start(t)
	before := look(t, s)
	for name, tc := range map[string]struct{ text, want string }{
		"log":     {strings.Replace(c.text(), "access.log", "/no/such/folder/access.log", 1), "/no/such/folder"},
		"include": {c.text() + "include: [\"missing.yaml\"]\n", "missing.yaml"},
		"root":    {strings.Replace(c.text(), "root: .", "root: missing", 1), "missing"},
		"admin":   {c.text() + "admin: {address: \"@http@\"}\n", s.Addr("http")},
		"binary":  {"\x00\xff\x7fELF", "srvctl.yaml:1:"},
	} {
		s.Configure(tc.text)
		if r := s.Reload(); r.Code != 1 || !strings.Contains(r.Stderr, tc.want) {
			t.Errorf("%s: exit %d, %q; want 1 and %s in it", name, r.Code, r.Stderr, tc.want)
		}
	}
	before.same(t, s)
}

// A new worker that does not come up, however it fails, ends the reload: the old
// generation never notices, clients even less.
func TestWorkerFails(t *testing.T) {
	const ready = 600 * time.Millisecond
	c := setup{more: "ready_timeout: 600ms"}
	s := c.startFaulty(t)
	l := load(s, s.Addr("http"))
	awaitAnswers(t, l, 200)
	before := s.Status()
	for _, tc := range []struct{ fault, says string }{
		{"slot=0 at=start do=exit", "fault: exit"},
		{"slot=1 at=start do=panic", "panic"},
		{"slot=0 at=start do=hang", "not ready within"},
		{"slot=0 at=prepare do=fail", "fault: fail"},
		{"slot=1 at=prepare do=exit", "fault: exit"},
		{"slot=0 at=prepare do=segv", "SIGSEGV"},
		{"slot=1 at=prepare do=hang", "not ready within"},
		{"slot=* at=ready do=panic", "panic"},
		{"slot=1 at=ready do=spin", "not ready within"},
	} {
		t.Run(tc.fault, func(t *testing.T) {
			s.Fault("generation=2 " + tc.fault)
			began := time.Now()
			r := s.Reload()
			if r.Code != 1 || !strings.Contains(r.Stderr, tc.says) {
				t.Errorf("exit %d, %q; want 1 and %q", r.Code, r.Stderr, tc.says)
			}
			if took, limit := time.Since(began), stretch(3*time.Second); took > limit {
				t.Errorf("the reload took %v to fail, want %v and a little", took, ready)
			}
			now := s.Status()
			if !slices.Equal(now.PIDs("serving"), before.PIDs("serving")) || len(now.Workers) != len(before.Workers) || now.Generation != 1 {
				t.Errorf("generation %d with %+v; want the first as it was", now.Generation, now.Workers)
			}
			if len(now.Degraded) > 0 {
				t.Errorf("something is degraded: %s", now.Complaints())
			}
		})
	}
	awaitAnswers(t, l, 200)
	l.Stop()
	s.Fault("")
	settled := look(t, s)
	for range 3 {
		s.Fault("generation=2 slot=1 at=prepare do=fail")
		if r := s.Reload(); r.Code != 1 {
			t.Errorf("exit %d", r.Code)
		}
	}
	settled.same(t, s)
	s.Fault("")
	c.version = "two"
	reconfigured(t, s, c)
	wantVersion(t, s.Addr("http"), "two")
	rep := account(t, s, []*ledger.Ledger{l})
	if stall, limit := rep[0].Total.Stall, stretch(250*time.Millisecond); stall > limit {
		t.Errorf("a client waited for %v, want at most %v", stall, limit)
	}
}

// A worker that fails behind the barrier is a crash: the reload is done, and
// the worker restarted.
func TestWorkerFailsLate(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"slot=1 at=commit do=exit", "slot=0 at=commit do=panic", "slot=0 at=serving do=exit"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			c := setup{more: "heartbeat: {interval: 100ms, timeout: 1s}"}
			s := c.startFaulty(t)
			s.Fault("generation=2 " + fault)
			from := s.Logged()
			c.version = "two"
			s.Configure(c.text())
			r := s.Reload()
			if r.Code != 0 {
				t.Errorf("exit %d, %q: the others serve", r.Code, r.Stderr)
			}
			s.AwaitLog(from, `"worker ended[^"]*"[^\n]*"generation":2`)
			s.Fault("")
			s.AwaitStatus("two workers of generation 2", func(st harness.Status) bool {
				list := st.In("serving")
				return len(list) == 2 && len(st.Workers) == 2 && list[0].Generation == 2 && list[1].Generation == 2 && len(st.Degraded) == 0
			})
			wantVersion(t, s.Addr("http"), "two")
			if n := metricSum(t, s, func(series string) bool { return strings.HasPrefix(series, "srvctl_worker_restarts_total") }); n < 1 {
				t.Error("no restart is counted")
			}
			if code := s.Stop(); code != 0 {
				t.Errorf("exit code %d: %s", code, fmt.Sprint(s.Workers()))
			}
		})
	}
}
