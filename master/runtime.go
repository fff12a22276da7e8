package master

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"srvctl/conf"
	"srvctl/shared/sock"
)

// Paths are the files by which a running server is found.
type Paths struct {
	PID, Lock, Socket string
	// DaemonLog takes the place of stderr and stdout, which a daemon does not
	// have.
	DaemonLog string
}

// RuntimeDir returns the folder of the files by which a running server is
// found: /run/srvctl for root, else srvctl in $XDG_RUNTIME_DIR, else
// srvctl-UID in the temporary folder.
func RuntimeDir() string {
	uid := os.Geteuid()
	if uid == 0 {
		return "/run/srvctl"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "srvctl")
	}
	return filepath.Join(os.TempDir(), "srvctl-"+strconv.Itoa(uid))
}

// FindPaths returns the files of the server that this configuration describes.
// socket, when not empty, takes the place of the configuration's.
func FindPaths(c *conf.Config, socket string) Paths {
	var p Paths
	if c != nil {
		p.PID, p.Socket = c.PIDFile, c.ControlSocket
	}
	if socket != "" {
		p.Socket = socket
	}
	if p.PID == "" {
		p.PID = filepath.Join(RuntimeDir(), "srvctl.pid")
	}
	if p.Socket == "" {
		p.Socket = filepath.Join(RuntimeDir(), "srvctl.sock")
	}
	p.Lock = p.PID + ".lock"
	p.DaemonLog = strings.TrimSuffix(p.PID, ".pid") + ".log"
	return p
}

// needsRuntimeDir reports whether any of the files is in the runtime folder.
func (p Paths) needsRuntimeDir() bool {
	dir := RuntimeDir()
	return filepath.Dir(p.PID) == dir || filepath.Dir(p.Socket) == dir
}

// prepareRuntimeDir makes the folder, or refuses one in which another user
// could put his own files in the place of ours.
func prepareRuntimeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("runtime folder: %w: make its parent, or set pid_file and control_socket", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("runtime folder: %w", err)
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("runtime folder %s is a symlink, which could lead anywhere: remove it (rm %s)", dir, dir)
	case !info.IsDir():
		return fmt.Errorf("runtime folder %s is not a folder: remove it (rm %s)", dir, dir)
	case int(owner) != os.Geteuid():
		return fmt.Errorf("runtime folder %s belongs to user %d, not to user %d who starts the server: remove it, or set pid_file and control_socket", dir, owner, os.Geteuid())
	case info.Mode().Perm() != 0o700:
		return fmt.Errorf("runtime folder %s has mode %04o, so others could reach into it: chmod 700 %s", dir, info.Mode().Perm(), dir)
	}
	return nil
}

// A RunningError says that another server has the files that this one needs.
type RunningError struct {
	PID    int // 0 when it has not written it yet
	Paths  Paths
	Socket bool // it is the socket that is taken, not the pid file
}

func (e *RunningError) Error() string {
	if e.Socket {
		return fmt.Sprintf("another server answers at %s: stop it (srvctl stop --socket %s), or set another control_socket", e.Paths.Socket, e.Paths.Socket)
	}
	if e.PID == 0 {
		return fmt.Sprintf("already starting: another process holds %s: try again, or set another pid_file", e.Paths.Lock)
	}
	return fmt.Sprintf("already running with pid %d (%s): use `srvctl status` or `srvctl stop`, or set another pid_file and control_socket for a second server", e.PID, e.Paths.PID)
}

// claim is what a running master holds on the disk: a locked file, the pid
// file beside it and the operators' socket.
type claim struct {
	paths  Paths
	lock   *os.File
	socket *net.UnixListener
	// killed says that the server before did not clean up: its workers, which
	// notice that by themselves, may still be about to leave its addresses.
	killed bool
}

// dyingMaster is how long the lock of a master that was killed is waited for:
// the kernel takes some milliseconds to give it up.
const dyingMaster = 2 * time.Second

// stake claims the paths for this process. What a dead server left behind is
// replaced.
func stake(p Paths) (*claim, error) {
	if p.needsRuntimeDir() {
		if err := prepareRuntimeDir(RuntimeDir()); err != nil {
			return nil, err
		}
	}
	lock, err := sock.LockWait(p.Lock, dyingMaster)
	if errors.Is(err, sock.ErrLocked) {
		// The pid file may not be written yet; the lock's own note is older.
		return nil, &RunningError{PID: max(readPID(p.PID), readPID(p.Lock)), Paths: p}
	}
	if err != nil {
		return nil, fmt.Errorf("lock the pid file: %w: choose another pid_file", err)
	}
	c := &claim{paths: p, lock: lock, killed: readPID(p.PID) != 0}
	if c.socket, err = listenSocket(p); err == nil {
		err = writePID(p.PID)
	}
	if err != nil {
		c.release()
		return nil, err
	}
	return c, nil
}

// release gives everything back. The lock file itself stays: to remove it
// would let two servers lock two files of one name.
func (c *claim) release() {
	if c.socket != nil {
		c.socket.Close() // removes the file too
	}
	if readPID(c.paths.PID) == os.Getpid() {
		os.Remove(c.paths.PID)
	}
	c.lock.Close()
}

// listenSocket makes the operators' socket, readable by this user alone.
func listenSocket(p Paths) (*net.UnixListener, error) {
	addr := &net.UnixAddr{Name: p.Socket, Net: "unix"}
	if info, err := os.Lstat(p.Socket); err == nil {
		if info.Mode()&fs.ModeSocket == 0 {
			return nil, fmt.Errorf("control_socket %s is there and is not a socket: remove it, or choose another path", p.Socket)
		}
		if c, err := net.DialUnix("unix", nil, addr); err == nil {
			c.Close()
			return nil, &RunningError{Paths: p, Socket: true}
		}
		if err := os.Remove(p.Socket); err != nil {
			return nil, fmt.Errorf("control_socket: remove the one a dead server left: %w", err)
		}
	}
	// The mask makes the socket private from its first moment. It is the whole
	// process's, but nothing else runs this early.
	old := syscall.Umask(0o177)
	l, err := net.ListenUnix("unix", addr)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("control_socket: %w%s", err, socketHint(p.Socket, err))
	}
	return l, nil
}

func socketHint(path string, err error) string {
	const longest = 107 // sun_path of unix(7), less its final zero
	switch {
	case len(path) > longest:
		return fmt.Sprintf(": the path has %d bytes, the system allows %d: choose a shorter one", len(path), longest)
	case errors.Is(err, fs.ErrNotExist):
		return ": make its folder first"
	case errors.Is(err, fs.ErrPermission):
		return ": choose a folder that this user may write to"
	}
	return ""
}

// writePID replaces the pid file in one step: a reader sees the old one or the
// new one, never half of it.
func writePID(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".srvctl.pid.*")
	if err != nil {
		return fmt.Errorf("pid_file: %w", err)
	}
	defer os.Remove(f.Name()) // does nothing once it was renamed
	_, err = fmt.Fprintln(f, os.Getpid())
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("pid_file: %w", err)
	}
	return nil
}

// readPID returns the number in a pid file, 0 when there is none.
func readPID(path string) int {
	raw, err := os.ReadFile(path)
	if err != nil || len(raw) > 32 {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil || pid <= 0 {
		return 0
	}
	return pid
}
