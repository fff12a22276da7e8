package logging_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"srvctl/shared/logging"
)

// diskVariable makes the test binary the child of TestRealFullDisk.
const diskVariable = "SRVCTL_TEST_LOG_DISK"

// A real file system of 4 MiB, full and not full again. The child has its
// own user and mount namespace, so that the test needs no root.
func TestRealFullDisk(t *testing.T) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), diskVariable+"="+t.TempDir())
	child.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := child.CombinedOutput()
	var exit *exec.ExitError
	if strings.HasPrefix(string(out), "skip: ") || err != nil && !errors.As(err, &exit) {
		t.Skipf("NOT RUN: no tmpfs of our own here: %s %v", out, err)
	}
	if err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// diskChild prints nothing when all is well.
func diskChild(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		fmt.Print("skip: ", err)
		return nil
	}
	path, ballast := filepath.Join(dir, "access.log"), filepath.Join(dir, "ballast")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := os.WriteFile(ballast, make([]byte, 4<<20-256<<10), 0o600); err != nil {
		return err
	}
	a := logging.NewAccess(f, "json")
	r := testRecord()
	appended := 0
	for ; appended < 1000; appended++ { // 470 KB in ten batches; there is space for 256 KiB
		a.Append(r)
	}
	for a.Dropped() == 0 { // until the writer has met the end of the disk
		runtime.Gosched()
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	r.Path = []byte("/after")
	a.Append(r)
	appended++
	a.Close()
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
	for _, line := range lines {
		if !strings.HasPrefix(line, `{"time":`) || !strings.HasSuffix(strings.TrimSuffix(line, "\n"), `"worker":3}`) {
			return fmt.Errorf("torn line %q", line)
		}
	}
	if !strings.Contains(lines[len(lines)-1], "/after") {
		return fmt.Errorf("the log did not go on: the last line is %s", lines[len(lines)-1])
	}
	if len(lines)+int(a.Dropped()) != appended {
		return fmt.Errorf("%d lines and %d dropped, want %d", len(lines), a.Dropped(), appended)
	}
	return nil
}
