package supervise

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"srvctl/tests/harness"
)

// starting is one of several that start the same server.
type starting struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer // once it has ended
	donec  chan struct{}
}

func (s *starting) ended() bool {
	select {
	case <-s.donec:
		return true
	default:
		return false
	}
}

// Of two that start at once one serves, and the other says who does.
func TestTwoStarts(t *testing.T) {
	t.Parallel()
	s := harness.Prepare(t, harness.Options{Config: serving})
	both := []*starting{{donec: make(chan struct{})}, {donec: make(chan struct{})}}
	var started sync.WaitGroup
	for _, one := range both {
		one.cmd = exec.Command(s.Binary, "start", "-c", s.Config, "--socket", s.Socket)
		one.cmd.Stderr = &one.stderr
		started.Add(1)
		go func() {
			defer close(one.donec)
			err := one.cmd.Start()
			started.Done()
			if err == nil {
				one.cmd.Wait() // ProcessState has it
			}
		}()
	}
	started.Wait()
	if !harness.Poll(patience, func() bool { return both[0].ended() || both[1].ended() }) {
		t.Fatal("both go on")
	}
	first, second := both[0], both[1]
	if first.ended() {
		first, second = second, first
	}
	t.Cleanup(func() {
		first.cmd.Process.Signal(syscall.SIGTERM)
		<-first.donec
		if code := first.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("the one that served ended with exit code %d: %s", code, first.stderr.String())
		}
	})
	if code := second.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("the other ended with exit code %d, want 1", code)
	}
	said := second.stderr.String()
	if !strings.Contains(said, fmt.Sprintf("already running with pid %d", first.cmd.Process.Pid)) && !strings.Contains(said, "already starting") {
		t.Errorf("the other said %q, want it to say that %d runs", said, first.cmd.Process.Pid)
	}
	if !harness.Poll(patience, func() bool { return hello("tcp", s.Addr("http")) == nil }) {
		t.Error("nobody serves")
	}
	if pid := s.Status().PID; pid != first.cmd.Process.Pid {
		t.Errorf("the status is that of %d, want %d", pid, first.cmd.Process.Pid)
	}
	if r := s.Run("start", "-c", s.Config, "--socket", s.Socket); r.Code != 1 || !strings.Contains(r.Stderr, fmt.Sprintf("already running with pid %d", first.cmd.Process.Pid)) {
		t.Errorf("a third start: exit code %d, %q; want 1 and the pid of the one that serves", r.Code, r.Stderr)
	}
}

// A master that is killed is in nobody's way, not even while its workers still
// finish what they had: the next one serves at once, and they finish.
func TestStartAfterKill(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Config: serving})
	request := startSlow(t, s.Addr("http"))
	inFlight(s, 1)
	before := s.Status()
	old := s.KillMaster()
	s.Launch()
	s.AwaitReady()
	if err := hello("tcp", s.Addr("http")); err != nil {
		t.Error(err)
	}
	if st := s.Status(); st.PID == before.PID || len(st.In("serving")) != 2 {
		t.Errorf("the status is %+v, want that of another master with 2 workers", st)
	}
	request.finish()
	old()
	if err := hello("tcp", s.Addr("http")); err != nil {
		t.Errorf("after the old workers have gone: %v", err)
	}
}
