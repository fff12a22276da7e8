package proc_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"srvctl/tests/harness/proc"
)

// A child that waits on its standard input stands in for a server.
func startChild(t *testing.T, env ...string) (pid int, end func()) {
	t.Helper()
	cmd := exec.Command("cat")
	cmd.Env = append(os.Environ(), env...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = func() { in.Close(); cmd.Wait() }
	t.Cleanup(end)
	return cmd.Process.Pid, end
}

func TestTreeAndMarked(t *testing.T) {
	pid, end := startChild(t, "PROC_TEST_MARK=a b")
	is := func(s proc.Stat) bool { return s.PID == pid && s.Parent == os.Getpid() && s.Command == "cat" }
	for name, got := range map[string][]proc.Stat{
		"Children": proc.Children(os.Getpid()),
		"Tree":     proc.Tree(os.Getpid()),
		"Marked":   proc.Marked("PROC_TEST_MARK=a b", 0),
	} {
		if !slices.ContainsFunc(got, is) {
			t.Errorf("%s = %v, want process %d in it", name, got, pid)
		}
	}
	if got := proc.Marked("PROC_TEST_MARK=a", 0); len(got) != 0 {
		t.Errorf("Marked(half a value) = %v, want none", got)
	}
	end()
	if got := proc.Marked("PROC_TEST_MARK=a b", 0); len(got) != 0 {
		t.Errorf("Marked after the end = %v, want none", got)
	}
}

func TestCPUGrows(t *testing.T) {
	before, err := proc.CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for range 50 { // any work; reading /proc is some
		proc.All()
	}
	after, err := proc.CPU(os.Getpid())
	if err != nil || after <= before {
		t.Errorf("CPU = %v, %v; want more than %v", after, err, before)
	}
	pid, end := startChild(t)
	end()
	if _, err := proc.CPU(pid); err == nil || !strings.Contains(err.Error(), "has it ended") {
		t.Errorf("CPU of an ended process: %v, want an error that says so", err)
	}
}

func TestMemory(t *testing.T) {
	m, err := proc.ReadMemory(os.Getpid())
	if err != nil || m.Resident() < 1<<20 || m.PSS == 0 {
		t.Errorf("ReadMemory = %+v, %v; want a megabyte and more of this test itself", m, err)
	}
}
