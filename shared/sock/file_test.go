package sock_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/shared/sock"
)

// socketPath is short: t.TempDir of a long test name does not fit.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // for other users
		t.Fatal(err)
	}
	return filepath.Join(dir, "s")
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestUnixSocketIsOneForAllSlots(t *testing.T) {
	path := socketPath(t)
	s := bind(t, sock.Spec{Address: "unix:" + path, ReusePort: true}, 4)
	if len(s.Files) != 1 || !s.Shared || s.Bound != "unix:"+path {
		t.Errorf("%d sockets, shared %t, bound %s; want one shared at %s", len(s.Files), s.Shared, s.Bound, path)
	}
	if err := dial("unix", path); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("connect before Listen: %v, want connection refused", err)
	}
	listen(t, s, 3, 1)
	if err := dial("unix", path); err != nil {
		t.Error(err)
	}
	accept(t, s.Files...)
	change(t, s, s.Spec, 8)
	if len(s.Files) != 1 || !s.Shared {
		t.Errorf("with 8 slots it has %d sockets, shared %t", len(s.Files), s.Shared)
	}
	s.Leave()
	if !exists(path) {
		t.Error("the file is gone after Leave, when others may still accept")
	}
	s.Close()
	if exists(path) {
		t.Error("the file is still there after Close")
	}
}

func TestUnixSocketMode(t *testing.T) {
	for _, c := range []struct{ mode, want uint32 }{{0, sock.DefaultMode}, {0o666, 0o666}, {0o600, 0o600}, {0o4777, 0o777}} {
		path := socketPath(t)
		bind(t, sock.Spec{Address: "unix:" + path, Mode: c.mode}, 1)
		fi, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := fi.Mode(); got != os.ModeSocket|os.FileMode(c.want) {
			t.Errorf("mode %04o makes %s, want a socket with %04o", c.mode, got, c.want)
		}
	}
}

func TestUnixSocketOwner(t *testing.T) {
	needRoot(t)
	for _, c := range []struct {
		owner    string
		uid, gid uint32
	}{
		{"", 0, 0}, {"nobody", nobody, 0}, {"65534:65534", nobody, nobody}, {":65534", 0, nobody}, {"root:root", 0, 0},
	} {
		path := socketPath(t)
		bind(t, sock.Spec{Address: "unix:" + path, Owner: c.owner}, 1)
		fi, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if st := fi.Sys().(*syscall.Stat_t); st.Uid != c.uid || st.Gid != c.gid {
			t.Errorf("owner %q makes %d:%d, want %d:%d", c.owner, st.Uid, st.Gid, c.uid, c.gid)
		}
	}
}

func TestUnixSocketWithAnUnknownOwner(t *testing.T) {
	for owner, want := range map[string]string{
		"no-such-user":    `owner "no-such-user": no such user`,
		":no-such-group":  `owner ":no-such-group": no such group`,
		"-2":              `owner "-2": no such user`,
		"0:4294967295000": `owner "0:4294967295000": no such group`,
	} {
		path := socketPath(t)
		_, err := sock.Bind(sock.Spec{Address: "unix:" + path, Owner: owner}, 1)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("owner %q: error %v, want %s", owner, err, want)
		}
		if exists(path) {
			t.Errorf("owner %q: the file was left behind", owner)
		}
	}
}

func TestStaleUnixSocketIsReplaced(t *testing.T) {
	path := socketPath(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if !exists(path) {
		t.Fatal("no stale file to test with")
	}
	s := bind(t, sock.Spec{Address: "unix:" + path}, 1)
	listen(t, s, 0)
	if err := dial("unix", path); err != nil {
		t.Error(err)
	}
}

func TestLiveUnixSocketIsLeftAlone(t *testing.T) {
	for _, network := range []string{"unix", "unixpacket"} {
		path := socketPath(t)
		other := start(t, -1, nil, "listen", network, path)
		_, err := sock.Bind(sock.Spec{Address: "unix:" + path}, 1)
		wantRefused(t, err, unix.EADDRINUSE, " there; stop it or choose another path")
		if network == "unix" {
			wantRefused(t, err, unix.EADDRINUSE, fmt.Sprintf("(pid %d) listens", other.pid))
		}
		if err := dial(network, path); err != nil {
			t.Errorf("%s: the other server was harmed: %v", network, err)
		}
	}
}

func TestBusyUnixSocketIsNotStale(t *testing.T) {
	path := socketPath(t)
	s := bind(t, sock.Spec{Address: "unix:" + path, Backlog: 1}, 1)
	listen(t, s, 0)
	for { // until its queue is full: then connect says EAGAIN
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); errors.Is(err, unix.EAGAIN) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	_, err := sock.Bind(sock.Spec{Address: "unix:" + path}, 1)
	wantRefused(t, err, unix.EADDRINUSE, "another process listens there")
	if !exists(path) {
		t.Error("the file of a busy server was removed")
	}
}

func TestOtherFilesAreLeftAlone(t *testing.T) {
	for kind, make := range map[string]func(path string) error{
		"file":          func(p string) error { return os.WriteFile(p, []byte("precious"), 0o644) },
		"folder":        func(p string) error { return os.Mkdir(p, 0o755) },
		"symbolic link": func(p string) error { return os.Symlink("/nowhere", p) },
		"special file":  func(p string) error { return unix.Mkfifo(p, 0o644) },
	} {
		path := socketPath(t)
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		_, err := sock.Bind(sock.Spec{Address: "unix:" + path}, 1)
		wantRefused(t, err, unix.EADDRINUSE, path+" is a "+kind+", not a socket; it is left alone")
		if !exists(path) {
			t.Errorf("the %s was removed", kind)
		}
	}
}

func TestCloseLeavesTheFileOfAnotherServer(t *testing.T) {
	path := socketPath(t)
	s := bind(t, sock.Spec{Address: "unix:" + path}, 1)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	other := bind(t, sock.Spec{Address: "unix:" + path}, 1)
	listen(t, other, 0)
	s.Close()
	if err := dial("unix", path); err != nil {
		t.Errorf("the other server's file: %v", err)
	}
}

func TestUnixSocketInAnImpossibleFolder(t *testing.T) {
	dir := filepath.Dir(socketPath(t))
	_, err := sock.Bind(sock.Spec{Address: "unix:" + dir + "/missing/s"}, 1)
	wantRefused(t, err, unix.ENOENT, "the folder "+dir+"/missing does not exist: create it")
	if os.Geteuid() == 0 {
		p := start(t, nobody, nil, "bind", "unix:"+dir+"/s")
		if want := fmt.Sprintf("permission denied: uid %d may not make files in %s", nobody, dir); !strings.Contains(p.line, want) {
			t.Errorf("as another user Bind says %q, want %q", p.line, want)
		}
	}
}
