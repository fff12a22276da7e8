package sock_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"srvctl/shared/sock"
)

func TestLockOfAKilledProcessIsAwaited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	early := 0
	for range 10 {
		p := start(t, -1, nil, "big-lock", path)
		if p.line != "locked" {
			t.Fatal(p.line)
		}
		p.kill()
		f, err := sock.Lock(path)
		if err != nil {
			early++
			f, err = sock.LockWait(path, 10*time.Second)
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		p.stop() // until now a zombie that nobody has awaited
	}
	t.Logf("%d of 10 locks were still held right after the kill", early)
}

func TestLockOfALivingProcessIsNotAwaited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	p := start(t, -1, nil, "lock", path)
	const limit = time.Minute
	began := time.Now()
	_, err := sock.LockWait(path, limit)
	if !errors.Is(err, sock.ErrLocked) || !strings.HasSuffix(err.Error(), fmt.Sprintf("(pid %d)", p.pid)) {
		t.Errorf("error %v, want ErrLocked by pid %d", err, p.pid)
	}
	if took := time.Since(began); took > limit/2 {
		t.Errorf("refused after %v", took)
	}
}

// held locks a file and writes a pid into it that is not ours.
func held(t *testing.T, pid string) (path string, f *os.File) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "lock")
	f, err := sock.Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := os.WriteFile(path, []byte(pid), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, f
}

// A child that the dead holder was starting still has a copy.
func TestCopyOfADeadProcessesLockIsAwaited(t *testing.T) {
	gone := start(t, -1, nil, "lock", filepath.Join(t.TempDir(), "other"))
	gone.stop()
	path, copied := held(t, fmt.Sprintln(gone.pid))
	_, err := sock.LockWait(path, 20*time.Millisecond)
	if !errors.Is(err, sock.ErrLocked) || !strings.Contains(err.Error(), "is dead, but after 20ms something still has the file open") {
		t.Errorf("error %v, want that the wait is over", err)
	}
	time.AfterFunc(20*time.Millisecond, func() { copied.Close() })
	f, err := sock.LockWait(path, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestLockOfAProcessThatStartsIsNotAwaited(t *testing.T) {
	path, _ := held(t, "")
	began := time.Now()
	if _, err := sock.LockWait(path, time.Minute); !errors.Is(err, sock.ErrLocked) || time.Since(began) > 30*time.Second {
		t.Errorf("error %v after %v, want ErrLocked at once", err, time.Since(began))
	}
}

func TestLockWaitLeaksNothing(t *testing.T) {
	path, _ := held(t, fmt.Sprintln(unix.Getpid()))
	before := openFiles(t)
	for range 3 {
		if _, err := sock.LockWait(path, time.Second); !errors.Is(err, sock.ErrLocked) {
			t.Fatal(err)
		}
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors stay open", after-before)
	}
}
