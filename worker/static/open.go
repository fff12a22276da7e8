package static

import (
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// opening is how paths beneath a root are resolved.
type opening uint8

const (
	// openCached: openat2, which can also say that it would have to wait.
	openCached opening = iota
	// openBeneath: openat2 of a kernel before 5.12, which cannot.
	openBeneath
	// openWalk: os.Root, segment by segment, where openat2 is missing or
	// forbidden.
	openWalk
)

const (
	beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS
	// resolveCached is RESOLVE_CACHED: fail with EAGAIN where the lookup
	// would need more than what the kernel has cached.
	resolveCached = 0x20
)

// probe finds out how this system opens.
var probe = sync.OnceValue(func() opening {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: beneath}
	fd, err := openat2(unix.AT_FDCWD, ".", how)
	if err != nil {
		return openWalk
	}
	closeFD(fd)
	how.Resolve |= resolveCached
	fd, err = openat2(unix.AT_FDCWD, ".", how)
	if err == unix.EINVAL {
		return openBeneath
	}
	if err == nil {
		closeFD(fd)
	}
	return openCached
})

// root is an open root folder. It counts its holders, because work on the pool
// goes on with the folder it began with. The count belongs to the loop.
type root struct {
	mode     opening
	fd       int
	walker   *os.Root // of openWalk
	dev, ino uint64
	holders  int
}

// mayEnter reports an error when this process may not open what is in the root.
func (r *root) mayEnter() error {
	return unix.Faccessat(r.fd, ".", unix.X_OK, 0)
}

// openRoot opens a folder. Without wait it fails with EAGAIN where it would
// have to.
func openRoot(path string, mode opening, wait bool) (*root, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC}
	var fd int
	var err error
	switch {
	case wait:
		fd, err = openat(unix.AT_FDCWD, path, int(how.Flags))
	case mode == openCached:
		how.Resolve = resolveCached
		fd, err = openat2(unix.AT_FDCWD, path, how)
	default:
		err = unix.EAGAIN
	}
	if err != nil {
		return nil, err
	}
	r := &root{mode: mode, fd: fd, holders: 1}
	var st unix.Stat_t
	if err = fstat(fd, &st); err == nil && mode == openWalk {
		r.walker, err = os.OpenRoot(path)
	}
	if err != nil {
		closeFD(fd)
		return nil, err
	}
	r.dev, r.ino = st.Dev, st.Ino
	return r, nil
}

func (r *root) same(other *root) bool { return r.dev == other.dev && r.ino == other.ino }

func (r *root) hold() { r.holders++ }

func (r *root) release() {
	if r.holders--; r.holders > 0 {
		return
	}
	closeFD(r.fd)
	if r.walker != nil {
		r.walker.Close()
	}
}

// tries bounds how often an open is tried again that failed because something
// was renamed meanwhile.
const tries = 32

// open opens a path beneath the root for reading, or, with O_PATH and
// O_DIRECTORY, a folder to see that it is there. It does not wait for the
// other end of a FIFO.
func (r *root) open(name string, flags int, wait bool) (fd int, err error) {
	if name == "" {
		name = "."
	}
	if r.mode == openWalk {
		if !wait {
			return -1, unix.EAGAIN
		}
		return r.walk(name, flags)
	}
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: beneath}
	if !wait {
		if r.mode != openCached {
			return -1, unix.EAGAIN
		}
		how.Resolve |= resolveCached
		return openat2(r.fd, name, how)
	}
	for range tries {
		if fd, err = openat2(r.fd, name, how); err != unix.EAGAIN {
			break
		}
	}
	return fd, err
}

// walk is open without openat2.
func (r *root) walk(name string, flags int) (int, error) {
	f, err := r.walker.OpenFile(strings.TrimSuffix(name, "/"), flags&^unix.O_PATH, 0)
	if err != nil {
		var errno syscall.Errno
		if errors.As(err, &errno) {
			return -1, errno
		}
		return -1, unix.EXDEV // os.Root's own errors: the path leaves the root
	}
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	if cerr := raw.Control(func(p uintptr) { fd, err = unix.FcntlInt(p, unix.F_DUPFD_CLOEXEC, 0) }); cerr != nil {
		return -1, cerr
	}
	return fd, err
}

// statusOf is what an error of opening or reading is to the client.
func statusOf(err error) int {
	switch err {
	case unix.ENOENT, unix.ENOTDIR, unix.ENAMETOOLONG, unix.ELOOP, // not there
		unix.EXDEV,                                        // leaves the root
		unix.ENXIO, unix.ENODEV, unix.EINVAL, unix.ESTALE: // no file
		return 404
	case unix.EACCES, unix.EPERM:
		return 403
	case unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EAGAIN:
		return 503
	}
	return 500
}

// The system calls below are tried again when a signal interrupts them.

func openat2(dir int, name string, how unix.OpenHow) (fd int, err error) {
	for {
		if fd, err = unix.Openat2(dir, name, &how); err != unix.EINTR {
			return fd, err
		}
	}
}

func openat(dir int, name string, flags int) (fd int, err error) {
	for {
		if fd, err = unix.Openat(dir, name, flags, 0); err != unix.EINTR {
			return fd, err
		}
	}
}

func fstat(fd int, st *unix.Stat_t) (err error) {
	for {
		if err = unix.Fstat(fd, st); err != unix.EINTR {
			return err
		}
	}
}

// closeFD closes a descriptor that was only read from; there is nothing that
// could be lost.
func closeFD(fd int) {
	if fd >= 0 {
		_ = unix.Close(fd)
	}
}
