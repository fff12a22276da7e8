package reload

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"srvctl/tests/harness"
)

// The answer for people has a line for each worker and a last one.
func TestAnswer(t *testing.T) {
	t.Parallel()
	c := setup{workers: 2, drain: "timeout: 5s"}
	s := c.start(t)
	old := pids(t, s)
	c.workers, c.listeners = 3, `alt: {address: "@alt@"}, `
	r := reconfigured(t, s, c)
	now := pids(t, s)
	var want []string
	for slot, pid := range now {
		line := fmt.Sprintf(`slot %d: pid %d serves, generation 2 \(ready in [0-9.]+m?s\)`, slot, pid)
		if slot < len(old) {
			line += fmt.Sprintf(`; pid %d drains \d+ connections?`, old[slot])
		}
		want = append(want, line)
	}
	want = append(want, `generation 2 serves: 3 workers, \d+ms; .*workers: 2 -> 3.*`)
	wantLines(t, r.Stdout, want...)
	if r.Stderr != "" {
		t.Errorf("stderr: %q", r.Stderr)
	}
	last := strings.TrimSpace(r.Stdout[strings.LastIndex(strings.TrimSpace(r.Stdout), "\n")+1:])
	if !strings.Contains(last, "alt") || !strings.Contains(last, s.Addr("alt")) {
		t.Errorf("the summary does not tell of the new listener: %s", last)
	}

	c.workers = 1
	r = reconfigured(t, s, c)
	wantLines(t, r.Stdout,
		fmt.Sprintf(`slot 0: pid \d+ serves, generation 3 \(ready in [0-9.]+m?s\); pid %d drains \d+ connections?`, now[0]),
		fmt.Sprintf(`slot 1: .*pid %d drains \d+ connections?`, now[1]),
		fmt.Sprintf(`slot 2: .*pid %d drains \d+ connections?`, now[2]),
		`generation 3 serves: 1 worker, \d+ms; .*workers: 3 -> 1.*`)
}

// wantLines wants exactly these lines, as expressions.
func wantLines(t *testing.T, text string, want ...string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	ok := len(lines) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = regexp.MustCompile("^" + want[i] + "$").MatchString(lines[i])
	}
	if !ok {
		t.Errorf("got\n%s\nwant lines like\n%s", text, strings.Join(want, "\n"))
	}
}

// With --wait the old workers have gone when the answer comes, and it says what
// became of their connections.
func TestWait(t *testing.T) {
	t.Parallel()
	c := setup{drain: "timeout: 20s"}
	s := c.start(t)
	old := s.Workers()
	silent := connect(t, s.Addr("http"))
	if _, _, err := silent.ask("/version"); err != nil {
		t.Fatal(err)
	}
	under := beginUpload(t, s.Addr("http"))
	s.AwaitStatus("two connections", func(st harness.Status) bool { return st.Connections == 2 })
	var r harness.Result
	var wg sync.WaitGroup
	wg.Go(func() { r = s.Reload("--wait") })
	awaitGeneration(t, s, 2)
	s.AwaitStatus("one old worker with a request in flight", func(st harness.Status) bool {
		list := st.In("draining")
		return len(list) == 1 && list[0].InFlight == 1 && list[0].Generation == 1
	})
	for name, c := range map[string]*client{"that was silent": silent, "with a request in flight": under.client} {
		if c == under.client {
			if _, err := under.finish(); err != nil {
				t.Errorf("the request in flight: %v", err)
			}
		}
		if _, closes, err := c.ask("/version"); err != nil || closes {
			t.Errorf("the connection %s: closes %v, %v; want it to live on", name, closes, err)
		}
	}
	wg.Wait()
	for _, p := range old {
		if !gone(p.PID) {
			t.Errorf("worker %v is still there", p)
		}
	}
	if r.Code != 0 {
		t.Errorf("exit code %d: %s", r.Code, r.Stderr)
	}
	drained := regexp.MustCompile(`(?m)^slot [01]: drained, 0 connections finished(, (\d+) moved)?, 0 cut$`).FindAllStringSubmatch(r.Stdout, -1)
	moved := 0
	for _, m := range drained {
		n, _ := strconv.Atoi(m[2])
		moved += n
	}
	if len(drained) != 2 || moved != 2 {
		t.Errorf("the answer is\n%swant a line for each of two drained workers, with 2 connections that moved", r.Stdout)
	}
}

func TestAnswerJSON(t *testing.T) {
	t.Parallel()
	c := setup{drain: "timeout: 300ms"}
	s := c.start(t)
	old := pids(t, s)
	under := beginUpload(t, s.Addr("http"))
	s.AwaitStatus("the upload", func(st harness.Status) bool { return st.Connections == 1 })
	c.workers = 3
	s.Configure(c.text())
	done, code := s.ReloadJSON("--wait")
	if code != 0 || done.Result != "ok" || done.Error != "" || done.Generation != 2 || len(done.Problems) != 0 || done.TookMS <= 0 {
		t.Errorf("exit %d, %+v; want a reload that worked", code, done)
	}
	if !slices.ContainsFunc(done.Changes, func(c string) bool { return strings.Contains(c, "workers: 2 -> 3") }) {
		t.Errorf("changes are %q, want workers: 2 -> 3", done.Changes)
	}
	now := pids(t, s)
	cut, connections := 0, 0
	for i, w := range done.Workers {
		if w.Slot != i || w.PID != now[i] || w.ReadyMS <= 0 || (i < 2 && w.OldPID != old[i]) || (i == 2 && w.OldPID != 0) {
			t.Errorf("worker %d is %+v; pids are %v, were %v", i, w, now, old)
		}
		cut += w.Cut
		connections += w.OldConnections
	}
	if len(done.Workers) != 3 || cut != 1 || connections != 1 {
		t.Errorf("%d workers, %d connections, %d cut; want 3, 1 and 1 after drain.timeout", len(done.Workers), connections, cut)
	}
	if _, err := under.finish(); err == nil {
		t.Error("a request is answered after drain.timeout")
	}

	s.WriteFile("srvctl.yaml", "workers: many\nlisteners: {http: {adress: 1}}\n")
	done, code = s.ReloadJSON()
	if code != 1 || done.Result != "failed" || done.Error == "" || done.Generation != 2 || len(done.Problems) < 2 {
		t.Errorf("exit %d, %+v; want a reload that failed for several problems", code, done)
	}
}

// What is not done is said by the exit code, as with every verb.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	s := setup{}.prepare(t)
	if r := s.Reload(); r.Code != 3 || !strings.Contains(r.Stderr, "not running") {
		t.Errorf("without a server: exit %d, %q; want 3", r.Code, r.Stderr)
	}
	s.Launch()
	s.AwaitReady()
	for _, args := range [][]string{{"--unknown"}, {"more"}} {
		if r := s.Reload(args...); r.Code != 2 || r.Stderr == "" {
			t.Errorf("reload %s: exit %d, %q; want 2 and why", args, r.Code, r.Stderr)
		}
	}
	if st := s.Status(); st.Generation != 1 {
		t.Errorf("generation %d: something was reloaded", st.Generation)
	}
}

// While a reload runs the status says so, and how the last one ended.
func TestStatusDuringReload(t *testing.T) {
	t.Parallel()
	s := setup{more: "ready_timeout: 700ms"}.startFaulty(t)
	if st := s.Status(); st.Reload != nil || st.LastReload != nil {
		t.Errorf("before any reload the status says %+v, %+v", st.Reload, st.LastReload)
	}
	old := pids(t, s)
	s.Fault("generation=2 slot=1 at=prepare do=hang")
	var r harness.Result
	var wg sync.WaitGroup
	wg.Go(func() { r = s.Reload() })
	st := s.AwaitStatus("preparing", func(st harness.Status) bool {
		return st.Reload != nil && st.Reload.Stage == "preparing" && len(st.Workers) == 4
	})
	if st.Generation != 1 || st.State != "serving" || !st.Ready || !slices.Equal(st.PIDs("serving"), old) {
		t.Errorf("during a reload the status is %+v; want the old generation to serve", st)
	}
	for _, w := range st.Workers {
		if (w.Generation == 1) != slices.Contains(old, w.PID) || w.Generation > 2 {
			t.Errorf("worker %+v: want generation 1 for %v, 2 for others", w, old)
		}
	}
	if text := s.Srvctl("status").Stdout; !strings.Contains(text, "preparing") {
		t.Errorf("srvctl status does not tell of the reload:\n%s", text)
	}
	wg.Wait()
	if r.Code != 1 {
		t.Errorf("exit %d of a reload whose worker hangs", r.Code)
	}
	st = s.Status()
	if st.Reload != nil || st.LastReload == nil || st.LastReload.Result != "failed" || st.LastReload.Error == "" || st.LastReload.Generation != 1 {
		t.Errorf("after a failed reload the status says %+v, %+v", st.Reload, st.LastReload)
	}
	s.Fault("")
	reloaded(t, s)
	st = s.Status()
	if st.LastReload == nil || st.LastReload.Result != "ok" || st.LastReload.Error != "" || st.LastReload.Generation != 2 {
		t.Errorf("after a good reload the status says %+v", st.LastReload)
	}
	if g := metric(t, s, "srvctl_generation"); g != 2 {
		t.Errorf("srvctl_generation = %v, want 2", g)
	}
	if n := metric(t, s, `srvctl_workers{state="serving"}`); n != 2 {
		t.Errorf(`srvctl_workers{state="serving"} = %v, want 2`, n)
	}
}
