package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/tests/harness"
	"srvctl/tests/harness/proc"
)

// needNamespaces ends a test on a machine where no process can have a
// namespace of its own.
func needNamespaces(t *testing.T) {
	t.Helper()
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
	}
	if err := cmd.Run(); err != nil {
		harness.NotRun(t, fmt.Errorf("namespaces: %w", err))
	}
}

// children of a process, those that wait to be reaped too.
func children(pid int) (alive, zombies []proc.Stat) {
	for _, p := range proc.All() {
		switch {
		case p.Parent != pid:
		case p.Zombie:
			zombies = append(zombies, p)
		default:
			alive = append(alive, p)
		}
	}
	return alive, zombies
}

func count(list []proc.Stat, command string) (n int) {
	for _, p := range list {
		if strings.Contains(p.Command, command) {
			n++
		}
	}
	return n
}

// As process 1 of a container the server is the parent of whatever others leave
// behind. It reaps that, and takes none of it for a worker of its own.
func TestProcessOne(t *testing.T) {
	t.Parallel()
	needNamespaces(t)
	pipe := filepath.Join(harness.Dir(t), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	end, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()

	s := harness.Start(t, harness.Options{Config: serving, Before: before(t, asOutside, "3", pipe)})
	if pid := s.Status().PID; pid != 1 {
		t.Fatalf("the master is process %d of its namespace, want 1", pid)
	}
	master := proc.Children(s.PID())[0].PID
	alive, zombies := children(master)
	if len(zombies) != 0 || count(alive, "__worker") != 2 || count(alive, "sh -c") != 2 {
		t.Errorf("children of process 1: %v, zombies %v; want 2 workers, 2 strangers and no zombie", alive, zombies)
	}

	if _, err := end.WriteString("end\nend\n"); err != nil {
		t.Fatal(err)
	}
	if !harness.Poll(patience, func() bool {
		alive, zombies = children(master)
		return len(zombies) == 0 && count(alive, "sh -c") == 0
	}) {
		t.Errorf("strangers that ended: %v, zombies %v; want them reaped", alive, zombies)
	}
	if log := s.Stderr(); strings.Contains(log, "worker ended") {
		t.Error("a stranger was taken for a worker")
	}

	// Workers are still told from them.
	logged := s.Logged()
	for _, p := range alive {
		if strings.Contains(p.Command, "slot=1") {
			if err := unix.Kill(p.PID, unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.AwaitLog(logged, `"msg":"worker ended unexpectedly".*killed by SIGKILL`)
	s.AwaitStatus("the worker is replaced", func(st harness.Status) bool { return len(st.In("serving")) == 2 })
	if err := hello("tcp", s.Addr("http")); err != nil {
		t.Error(err)
	}
	if _, zombies = children(master); len(zombies) != 0 {
		t.Errorf("zombies %v", zombies)
	}
	if code := s.Stop(); code != 0 {
		t.Errorf("exit code %d after TERM, want 0", code)
	}
}
