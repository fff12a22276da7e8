package sock

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Lock takes the lock that keeps a second server away, and writes the pid of
// this process into the file. It is held until the file is closed or the
// process dies, whichever way. The error wraps ErrLocked and names the holder
// when another process has it.
//
// The caller keeps the file referenced: a forgotten one is closed by the
// garbage collector. Nobody may remove it from its folder: two processes could
// then hold "the" lock. The file is CLOEXEC: no child holds it by accident.
func Lock(path string) (*os.File, error) { return LockWait(path, 0) }

// LockWait is Lock for a start right after the holder was killed: for some
// milliseconds the kernel tears down its memory, while the lock is still held.
// That is waited for, up to the limit; a holder that lives is refused at once.
func LockWait(path string, limit time.Duration) (*os.File, error) {
	// Opening a link or a pipe in its place must not write or hang.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	err = lock(f)
	if errors.Is(err, ErrLocked) && limit > 0 {
		err = lockAfterDeath(f, limit)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

func lock(f *os.File) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	err = ignoringEINTR(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) })
	if errors.Is(err, unix.EWOULDBLOCK) {
		if pid := lockHolder(f); pid > 0 {
			return fmt.Errorf("%w (pid %d)", ErrLocked, pid)
		}
		return ErrLocked
	}
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// lockHolder reads the pid that the holder has written; 0 if it has not come
// to that.
func lockHolder(f *os.File) int {
	b, _ := io.ReadAll(io.NewSectionReader(f, 0, 32))
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 0 {
		return 0
	}
	return pid
}

// ignoringEINTR repeats a call that a signal has interrupted.
func ignoringEINTR(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
