package harness_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"srvctl/tests/harness"
	"srvctl/tests/harness/clone"
	"srvctl/tests/harness/proc"
)

// The harness is tested against a stand-in, so that a fault here is told apart
// from a fault of the server.
func TestMain(m *testing.M) {
	dir, err := clone.Cache("bin")
	if err != nil {
		panic(err)
	}
	bin := filepath.Join(dir, "standin")
	if out, err := exec.Command("go", "build", "-o", bin, "./standin").CombinedOutput(); err != nil {
		panic(string(out))
	}
	os.Setenv("HARNESS_SRVCTL", bin)
	harness.Main(m)
}

const config = "listeners: {http: {address: \"@http@\"}}\n"

func TestStartAndStop(t *testing.T) {
	s := harness.Start(t, harness.Options{Config: config})
	if code, body := harness.Get(t, s.URL("http", "/x")); code != 200 || body != "standin /x\n" {
		t.Errorf("GET /x = %d %q", code, body)
	}
	workers := s.Workers()
	if len(workers) != 1 {
		t.Fatalf("Workers() = %v, want one", workers)
	}
	if code := s.Stop(); code != 0 {
		t.Errorf("Stop() = %d, want 0", code)
	}
	if _, there := proc.Read(workers[0].PID); there {
		t.Errorf("worker %v outlived Stop", workers[0])
	}
	if !strings.Contains(s.Stderr(), "stopping") {
		t.Errorf("Stderr() = %q, want its last words", s.Stderr())
	}
}

func TestKill(t *testing.T) {
	s := harness.Start(t, harness.Options{Config: config})
	s.Kill()
	if code := s.ExitCode(); code != -1 {
		t.Errorf("ExitCode() after Kill = %d, want -1", code)
	}
}

// After the end of the master alone the next one can be started at once.
func TestKillMaster(t *testing.T) {
	s := harness.Start(t, harness.Options{Config: config})
	old := s.Workers()
	rest := s.KillMaster()
	s.Launch()
	s.AwaitReady()
	rest()
	for _, w := range old {
		if now, there := proc.Read(w.PID); there && !now.Zombie {
			t.Errorf("worker %v outlived its master", w)
		}
	}
	if code, _ := harness.Get(t, s.URL("http", "/")); code != 200 {
		t.Errorf("the next one answers with %d", code)
	}
}

// The server can be started through another program, whose process it becomes.
func TestBefore(t *testing.T) {
	s := harness.Start(t, harness.Options{Config: config, Before: []string{"sh", "-c", `echo through >&2; exec "$@"`, "sh"}})
	s.AwaitStderr("through")
	if p, _ := proc.Read(s.PID()); !strings.HasPrefix(p.Command, s.Binary+" start ") {
		t.Errorf("the process is %v", p)
	}
}

func TestConfigNames(t *testing.T) {
	s := harness.Prepare(t, harness.Options{Config: "a: \"@one@\"\nb: \"[::1]:@one.port@\"\nroot: @dir@/www\nadmin: {address: \"\"}\n", Files: map[string]string{"www/x": "y"}})
	raw, err := os.ReadFile(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	addr := s.Addr("one")
	want := fmt.Sprintf("a: %q\nb: \"[::1]:%s\"\nroot: %s/www\nadmin: {address: \"\"}\npid_file: %s/srvctl.pid\n\ncontrol_socket: %s\n",
		addr, addr[len("127.0.0.1:"):], s.Dir, s.Dir, s.Socket)
	if got := strings.ReplaceAll(string(raw), "\n\n", "\n"); got != strings.ReplaceAll(want, "\n\n", "\n") {
		t.Errorf("configuration:\n%s\nwant:\n%s", got, want)
	}
}

func TestRun(t *testing.T) {
	s := harness.Prepare(t, harness.Options{})
	if r := s.Srvctl("nonsense"); r.Code != 2 || r.Stderr != "no such verb\n" {
		t.Errorf("Srvctl(nonsense) = %+v", r)
	}
}

// recorder is a test that may fail without failing the one that looks at it.
type recorder struct {
	testing.TB
	errors   []string
	cleanups []func()
}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Failed() bool     { return len(r.errors) > 0 }
func (r *recorder) end() {
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
}

func TestLeakFailsTheTest(t *testing.T) {
	r := &recorder{TB: t}
	harness.Start(r, harness.Options{Config: config, Env: []string{"STANDIN=leak"}})
	r.end()
	if len(r.errors) != 1 || !strings.Contains(r.errors[0], "processes outlived srvctl") || !strings.Contains(r.errors[0], "sleep 60") {
		t.Errorf("errors of a test that leaks a process: %q", r.errors)
	}
}

func TestExitBeforeReadyIsSeen(t *testing.T) {
	s := harness.Prepare(t, harness.Options{Config: config, Env: []string{"STANDIN=refuse"}})
	s.Launch()
	s.AwaitStderr("refused")
	if code := s.AwaitExit(); code != 1 {
		t.Errorf("AwaitExit() = %d, want 1", code)
	}
}

func TestPortsDiffer(t *testing.T) {
	seen := map[int]bool{}
	for range 50 {
		p := harness.Port(t)
		if seen[p] {
			t.Fatalf("Port() = %d twice", p)
		}
		seen[p] = true
	}
}

func TestPollEnds(t *testing.T) {
	if harness.Poll(20*time.Millisecond, func() bool { return false }) {
		t.Error("Poll said yes")
	}
}
