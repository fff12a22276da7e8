package sock_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/shared/sock"
)

func TestLockKeepsASecondProcessAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	f, err := sock.Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("the lock is not CLOEXEC (%v): a worker would hold it", err)
	}
	if b, _ := os.ReadFile(path); string(b) != fmt.Sprintf("%d\n", os.Getpid()) {
		t.Errorf("lock file says %q, want our pid", b)
	}
	if p := start(t, -1, nil, "lock", path); !strings.Contains(p.line, fmt.Sprintf("lock %s: locked by another process (pid %d)", path, os.Getpid())) {
		t.Errorf("second process: %q, want it refused with our pid", p.line)
	}
	if _, err := sock.Lock(path); !errors.Is(err, sock.ErrLocked) {
		t.Errorf("second lock of the same process: %v, want ErrLocked", err)
	}
	f.Close()
	if p := start(t, -1, nil, "lock", path); p.line != "locked" {
		t.Errorf("after Close: %q, want locked", p.line)
	}
}

func TestLockEndsWithItsProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	os.WriteFile(path, []byte("a much longer text than any pid\n"), 0o600)
	p := start(t, -1, nil, "lock", path)
	if _, err := sock.Lock(path); !errors.Is(err, sock.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("(pid %d)", p.pid)) {
		t.Errorf("while it lives: %v, want ErrLocked and pid %d", err, p.pid)
	}
	p.stop()
	f, err := sock.Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
}

func TestLockRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink("target", link); err != nil {
		t.Fatal(err)
	}
	if f, err := sock.Lock(link); err == nil {
		f.Close()
		t.Error("Lock followed a link")
	}
	if _, err := os.Lstat(filepath.Join(dir, "target")); err == nil {
		t.Error("Lock made a file through a link")
	}
	if f, err := sock.Lock("/dev/null"); err == nil {
		f.Close()
		t.Error("Lock took a device")
	}
	if _, err := sock.Lock(filepath.Join(dir, "missing", "lock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Lock in a missing folder: %v, want ErrNotExist", err)
	}
}
