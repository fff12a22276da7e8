package upgrade

import (
	"strings"
	"syscall"
	"testing"

	"srvctl/tests/harness"
)

// Two upgrades and a step back under load: no request is lost, no connection
// is reset, no counter falls, and the process stays the same.
func TestUpgradeUnderLoad(t *testing.T) {
	t.Parallel()
	s := start(t, version(t, "1.2"), harness.Options{})
	l := load(s)
	awaitAnswers(t, l, 200)
	pid := s.PID()
	for _, step := range []struct{ program, number, says string }{
		{version(t, "1.3"), "1.3", "upgraded from 1.2 to 1.3"},
		{version(t, "1.4"), "1.4", "upgraded from 1.3 to 1.4"},
		{version(t, "1.2"), "1.2", "changed back from 1.4 to 1.2, an older version"},
	} {
		before := counters(t, s)
		r := upgraded(t, s, step.program, step.number)
		if !strings.Contains(r.Stdout, step.says) || !strings.Contains(r.Stdout, " serves: 2 workers") {
			t.Errorf("upgrade prints %q, want %q", r.Stdout, step.says)
		}
		wantGrowth(t, before, counters(t, s))
		awaitAnswers(t, l, 200)
	}
	if st := status(t, s); st.PID != pid {
		t.Errorf("pid %d, want %d", st.PID, pid)
	}
	account(t, s, l)
}

// The signal does what the command does; the program may have been replaced at
// any time before.
func TestUpgradeBySignal(t *testing.T) {
	t.Parallel()
	s := start(t, version(t, "1.2"), harness.Options{})
	install(t, s, version(t, "1.3"))
	logged := s.Logged()
	s.Signal(syscall.SIGUSR2)
	s.AwaitLog(logged, `"msg":"upgraded from 1.2 to 1.3"`)
	s.AwaitLog(logged, `"msg":"reload done".*"generation":2`)
	if st := status(t, s); st.Version != "1.3" || st.PID != s.PID() {
		t.Errorf("status %+v", st)
	}
	hello(t, s)
}

// A worker that drains for a generation before goes on, and what it is busy
// with is answered.
func TestUpgradeWhileWorkersDrain(t *testing.T) {
	t.Parallel()
	s := start(t, version(t, "1.2"), harness.Options{})
	h := hold(t, s)
	if r := s.Srvctl("reload"); r.Code != 0 {
		t.Fatalf("reload: %s", r.Stderr)
	}
	upgraded(t, s, version(t, "1.3"), "1.3")
	draining := s.Status().In("draining")
	if len(draining) == 0 || draining[0].Generation != 1 {
		t.Errorf("draining: %+v, want the worker of generation 1", draining)
	}
	h.finish()
	s.AwaitStatus("all have drained", func(st harness.Status) bool { return len(st.Workers) == 2 })
}

// Workers that die while nobody looks are reaped and replaced.
func TestWorkersDieDuringUpgrade(t *testing.T) {
	t.Parallel()
	s := start(t, version(t, "1.2"), harness.Options{})
	install(t, s, version(t, "1.3"))
	for _, at := range []string{"upgrade begins", "executing the new program"} {
		pids := s.Status().PIDs("serving")
		logged := s.Logged()
		s.Signal(syscall.SIGUSR2)
		s.AwaitLog(logged, at)
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGKILL) // unless it has drained already
		}
		s.AwaitLog(logged, `"msg":"reload done"`)
		s.AwaitStatus("all serve", func(st harness.Status) bool { return len(st.In("serving")) == 2 && len(st.Workers) == 2 })
		hello(t, s)
	}
	if st := status(t, s); st.Version != "1.3" {
		t.Errorf("version %s", st.Version)
	}
}

// Whoever stops the server at a bad moment has stopped it.
func TestStopDuringUpgrade(t *testing.T) {
	for _, at := range []string{"upgrade begins", "executing the new program", `"msg":"upgraded`} {
		for _, by := range []string{"signal", "command"} {
			t.Run(at+" "+by, func(t *testing.T) {
				t.Parallel()
				s := start(t, version(t, "1.2"), harness.Options{})
				install(t, s, version(t, "1.3"))
				h := hold(t, s)
				logged := s.Logged()
				s.Signal(syscall.SIGUSR2)
				s.AwaitLog(logged, at)
				stopped := make(chan harness.Result, 1)
				if by == "signal" {
					s.Signal(syscall.SIGTERM)
				} else {
					go func() { stopped <- s.Srvctl("stop") }()
				}
				if by == "signal" && strings.HasPrefix(at, "executing") {
					// For some milliseconds nobody can catch it. Then it ends the
					// master, and the workers do the rest.
					h.finish()
					if code := s.AwaitExit(); code != 0 && code != -1 {
						t.Errorf("exit code %d", code)
					}
					return
				}
				s.AwaitLog(logged, `"msg":"stopping"`)
				h.finish()
				if code := s.AwaitExit(); code != 0 {
					t.Errorf("exit code %d", code)
				}
				if by == "command" {
					if r := <-stopped; r.Code != 0 || !strings.Contains(r.Stdout, "stopped after") {
						t.Errorf("stop exits with %d: %s%s", r.Code, r.Stdout, r.Stderr)
					}
				}
			})
		}
	}
}
