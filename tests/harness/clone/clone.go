package clone

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Root returns the top folder of the clone, found from the working folder
// upwards. Tests run in their package's folder, so this always finds it.
var Root = sync.OnceValues(func() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(mod, []byte("module srvctl\n")) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod of module srvctl in %s or above it", start)
		}
	}
})

// Cache returns a folder below .cache, made if it is not there.
func Cache(elem ...string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(append([]string{root, ".cache"}, elem...)...)
	return dir, os.MkdirAll(dir, 0o755)
}

// lockPoll is how often a taken lock is tried again. flock(2) has no deadline
// of its own, and a thread blocked in it could not be called back.
const lockPoll = 20 * time.Millisecond

// Lock takes the file lock at path, shared by all processes that use this
// clone, and waits for it as long as ctx lets it. The lock ends with unlock or
// with the process, so a killed test leaves nothing behind.
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("lock %s: still held by another process: %w", path, ctx.Err())
		case <-tick.C:
		}
	}
}
