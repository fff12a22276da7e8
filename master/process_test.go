package master

import (
	"os"
	"syscall"
	"testing"
)

// childEnv makes this test binary a child that does what its value says.
const childEnv = "MASTER_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "":
		os.Exit(m.Run())
	case "exit":
		os.Exit(3)
	case "wait":
		os.Stdin.Read(make([]byte, 1)) // until the test ends, or ends it
	}
}

func TestChildren(t *testing.T) {
	c := newChildren()
	stop := c.startReaper()
	defer stop()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	start := func(what string) *child {
		t.Helper()
		p, err := c.start([]string{"child"}, []string{childEnv + "=" + what}, []uintptr{r.Fd(), 1, 2}, workerAttr(nil))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	exiting, waiting := start("exit"), start("wait")
	<-exiting.gone()
	if s := exiting.status(); s.ExitStatus() != 3 {
		t.Errorf("status %v, want exit code 3", s)
	}
	if err := exiting.signal(syscall.SIGKILL); err != nil {
		t.Errorf("signal to a reaped process = %v, want nothing to happen", err)
	}
	if pgid, err := syscall.Getpgid(waiting.pid()); err != nil || pgid != waiting.pid() {
		t.Errorf("process group %d, %v; want one of its own", pgid, err)
	}
	if err := waiting.signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	<-waiting.gone()
	if s := waiting.status(); !s.Signaled() || s.Signal() != syscall.SIGKILL {
		t.Errorf("status %v, want killed", s)
	}
	if len(c.alive) != 0 {
		t.Errorf("%d children are left in the table", len(c.alive))
	}
}
