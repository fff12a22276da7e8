package sock

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// DefaultMode of a unix: socket's file: its owner and group may connect.
const DefaultMode = 0o660

// fileID recognises the file that Bind made. The zero value is no file.
type fileID struct {
	dev, ino uint64
}

// bindUnix binds one socket to a file. Nobody can connect before Listen, so
// that mode and owner are in place when the first client comes.
func (s *Set) bindUnix() error {
	path := s.target.path
	uid, gid, err := parseOwner(s.Spec.Owner)
	if err != nil {
		return &BindError{Address: s.Spec.Address, Err: err}
	}
	if err := s.removeStale(); err != nil {
		return err
	}
	fd, err := newSocket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return s.refused(fmt.Errorf("socket: %w", err))
	}
	s.add(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return s.refused(err)
	}
	s.Bound = "unix:" + path
	// A handle, not the path: whoever may write the folder could put a link
	// in its place before we change mode and owner.
	h, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return s.refused(fmt.Errorf("open: %w", err))
	}
	defer unix.Close(h)
	if s.file, err = identify(h); err != nil {
		return s.refused(err)
	}
	return s.dress(h, uid, gid)
}

// redress gives the file the mode of a changed Spec, and the owner if it was
// changed. The note says why it could not.
func (s *Set) redress(owner bool) (note string) {
	stays := "mode and owner of " + s.target.path + " stay as they were: "
	if s.Given {
		return stays + "the socket was given; set SocketMode=, SocketUser= and SocketGroup= in its unit"
	}
	uid, gid, err := parseOwner(s.Spec.Owner)
	if err != nil {
		return stays + err.Error()
	}
	// What the Spec leaves is what it would be if the file was made now.
	if owner && uid < 0 {
		uid = os.Geteuid()
	}
	if owner && gid < 0 {
		gid = os.Getegid()
	}
	h, err := unix.Open(s.target.path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return stays + err.Error()
	}
	defer unix.Close(h)
	if id, err := identify(h); err != nil || id != s.file {
		return stays + "another server has replaced the file"
	}
	if err := s.dress(h, uid, gid); err != nil {
		return err.Error()
	}
	return ""
}

// Reachable reports whether clients that know the address get to the sockets.
// A unix: socket whose file was removed or replaced cannot be reached any more,
// however well it listens.
func (s *Set) Reachable() bool {
	return s.target.path == "" || s.file == (fileID{}) || fileAt(s.target.path) == s.file
}

// identify returns the identity of a socket file.
func identify(fd int) (fileID, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fileID{}, fmt.Errorf("stat: %w", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return fileID{}, errors.New("the socket's file was replaced while it was made")
	}
	return fileID{uint64(st.Dev), st.Ino}, nil
}

// fileAt is the identity of the socket file at a path, if there is one.
func fileAt(path string) fileID {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return fileID{}
	}
	return fileID{uint64(st.Dev), st.Ino}
}

// dress gives the file behind a handle its owner, where that is not -1, and
// its mode.
func (s *Set) dress(h, uid, gid int) error {
	if uid >= 0 || gid >= 0 {
		if err := unix.Fchownat(h, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
			return &BindError{Address: s.Spec.Address, Err: fmt.Errorf("give the file to %q: %w", s.Spec.Owner, err),
				Hint: "only root may give files away; start as root or leave out owner"}
		}
	}
	mode := s.Spec.Mode
	if mode == 0 {
		mode = DefaultMode
	}
	// Through /proc, because fchmod refuses a handle of this kind.
	if err := unix.Chmod("/proc/self/fd/"+strconv.Itoa(h), mode&0o777); err != nil {
		return &BindError{Address: s.Spec.Address, Err: fmt.Errorf("set mode %04o: %w", mode, err)}
	}
	return nil
}

// parseOwner reads "user", "user:group", ":group", each a name or a number;
// -1 leaves one as it is.
func parseOwner(owner string) (uid, gid int, err error) {
	name, group, _ := strings.Cut(owner, ":")
	uid, err1 := parseID(name, func() (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", fmt.Errorf("owner %q: no such user", owner)
		}
		return u.Uid, nil
	})
	gid, err2 := parseID(group, func() (string, error) {
		g, err := user.LookupGroup(group)
		if err != nil {
			return "", fmt.Errorf("owner %q: no such group", owner)
		}
		return g.Gid, nil
	})
	return uid, gid, cmp.Or(err1, err2)
}

// parseID reads a number, or asks lookup for the number of a name.
func parseID(text string, lookup func() (string, error)) (int, error) {
	if text == "" {
		return -1, nil
	}
	// The highest number means "leave it" to the kernel.
	if id, err := strconv.ParseUint(text, 10, 32); err == nil && id != math.MaxUint32 {
		return int(id), nil
	}
	number, err := lookup()
	if err != nil {
		return -1, err
	}
	return strconv.Atoi(number)
}

// removeStale removes the socket file of a server that is gone. Only a refused
// connection proves that: anything else in the way stays, and is an error.
func (s *Set) removeStale() error {
	path := s.target.path
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	refuse := func(err error, hint string) error {
		return &BindError{Address: s.Spec.Address, Err: err, Hint: hint}
	}
	if err != nil {
		return s.refused(err)
	}
	if fi.Mode().Type() != os.ModeSocket {
		return refuse(unix.EADDRINUSE, fmt.Sprintf("%s is a %s, not a socket; it is left alone: move it away or choose another path", path, kindOf(fi)))
	}
	pid, err := knock(path)
	switch {
	case err == nil:
		return refuse(unix.EADDRINUSE, describe([]holder{{pids: []int{pid}}})+" there; stop it or choose another path")
	case errors.Is(err, unix.ENOENT):
		return nil
	case !errors.Is(err, unix.ECONNREFUSED):
		return refuse(unix.EADDRINUSE, fmt.Sprintf("%s is a socket, and whether a server is behind it cannot be told (%v); remove it if none is", path, err))
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return refuse(err, "a socket without a server is in the way; remove it")
	}
	return nil
}

// knock connects to a socket file. No error: somebody listens, the process
// pid if the kernel tells, else pid is 0.
func knock(path string) (pid int, err error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EPROTOTYPE) {
		return 0, nil // a full queue, or a socket of another type: somebody is there
	}
	if err != nil {
		return 0, err
	}
	_, pid, _ = PeerCred(fd)
	return pid, nil
}

func kindOf(fi os.FileInfo) string {
	switch {
	case fi.IsDir():
		return "folder"
	case fi.Mode()&os.ModeSymlink != 0:
		return "symbolic link"
	case fi.Mode().IsRegular():
		return "file"
	}
	return "special file"
}

// remove removes the file at path if it is still the one.
func (f fileID) remove(path string) {
	if f != (fileID{}) && f == fileAt(path) {
		os.Remove(path)
	}
}

// folderHint explains why no file could be made at path.
func folderHint(path string, err error) string {
	dir := filepath.Dir(path)
	switch {
	case errors.Is(err, unix.ENOENT):
		return "the folder " + dir + " does not exist: create it"
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Sprintf("uid %d may not make files in %s: change its owner or choose another path", os.Geteuid(), dir)
	case errors.Is(err, unix.EROFS):
		return dir + " cannot be written: choose another path"
	}
	return ""
}
