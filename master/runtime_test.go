package master

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func testPaths(t *testing.T) Paths {
	dir := t.TempDir()
	p := Paths{PID: filepath.Join(dir, "srvctl.pid"), Socket: filepath.Join(dir, "srvctl.sock")}
	p.Lock = p.PID + ".lock"
	return p
}

func TestRuntimeDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "srvctl")
	for _, step := range []string{"made", "taken again"} {
		if err := prepareRuntimeDir(dir); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v; want 0700", info.Mode(), err)
	}
}

func TestRuntimeDirIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		make       func(dir string) error
	}{
		{"open to others", "chmod 700 ", func(dir string) error { os.Mkdir(dir, 0o700); return os.Chmod(dir, 0o755) }},
		{"a symlink", "is a symlink", func(dir string) error { return os.Symlink(os.TempDir(), dir) }},
		{"a file", "is not a folder", func(dir string) error { return os.WriteFile(dir, nil, 0o600) }},
		{"in no folder", "make its parent", func(dir string) error { return os.Remove(filepath.Dir(dir)) }},
		{"another user's", "belongs to user 65534", func(dir string) error {
			os.Mkdir(dir, 0o700)
			return os.Chown(dir, 65534, 65534)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "srvctl")
			if err := tt.make(dir); errors.Is(err, os.ErrPermission) {
				t.Skip("NOT RUN: needs root: ", err)
			} else if err != nil {
				t.Fatal(err)
			}
			if err := prepareRuntimeDir(dir); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("prepareRuntimeDir = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestStake(t *testing.T) {
	p := testPaths(t)
	c, err := stake(p)
	if err != nil {
		t.Fatal(err)
	}
	if got := readPID(p.PID); got != os.Getpid() {
		t.Errorf("pid file says %d, want %d", got, os.Getpid())
	}
	if info, err := os.Stat(p.Socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v; want mode 0600", info, err)
	}
	var running *RunningError
	if _, err := stake(p); !errors.As(err, &running) || running.PID != os.Getpid() || !strings.Contains(err.Error(), "already running with pid "+strconv.Itoa(os.Getpid())) {
		t.Errorf("second stake = %v, want the pid named", err)
	}
	other := testPaths(t)
	other.Socket = p.Socket
	if _, err := stake(other); !errors.As(err, &running) || !running.Socket {
		t.Errorf("stake on the same socket = %v", err)
	}
	c.release()
	for _, path := range []string{p.PID, p.Socket, other.PID} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is left behind", path)
		}
	}
}

// What a killed server leaves is replaced.
func TestStakeAfterADeadServer(t *testing.T) {
	p := testPaths(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: p.Socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	os.WriteFile(p.PID, []byte("4194305\n"), 0o644)
	os.WriteFile(p.Lock, []byte("4194305\n"), 0o600)
	if _, err := Dial(p.Socket); err == nil || !strings.Contains(err.Error(), "a server died there") {
		t.Errorf("Dial = %v", err)
	}
	c, err := stake(p)
	if err != nil {
		t.Fatal(err)
	}
	c.release()
}

func TestStakeIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		make       func(p *Paths)
	}{
		{"a file in place of the socket", "is not a socket", func(p *Paths) { os.WriteFile(p.Socket, []byte("mine"), 0o600) }},
		{"no folder for the socket", "make its folder first", func(p *Paths) { p.Socket = "/no/such/folder/s.sock" }},
		{"no folder for the pid file", "choose another pid_file", func(p *Paths) { p.PID, p.Lock = "/no/such/folder/p", "/no/such/folder/p.lock" }},
		{"a path that is too long", "choose a shorter one", func(p *Paths) { p.Socket += strings.Repeat("x", 100) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := testPaths(t)
			tt.make(&p)
			if _, err := stake(p); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("stake = %v, want %q", err, tt.want)
			}
			if raw, err := os.ReadFile(p.Socket); err == nil && string(raw) != "mine" {
				t.Error("the file in the way was changed")
			}
			if _, err := os.Stat(p.PID); err == nil {
				t.Error("the pid file is left behind")
			}
		})
	}
}

func TestReadPID(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	for text, want := range map[string]int{"12\n": 12, "": 0, "x": 0, "-3\n": 0, "0": 0, strings.Repeat("1", 40): 0} {
		os.WriteFile(path, []byte(text), 0o600)
		if got := readPID(path); got != want {
			t.Errorf("readPID(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestFindPaths(t *testing.T) {
	c := testConfig(1)
	if p := FindPaths(c, ""); p.PID != RuntimeDir()+"/srvctl.pid" || p.Socket != RuntimeDir()+"/srvctl.sock" || p.DaemonLog != RuntimeDir()+"/srvctl.log" || !p.needsRuntimeDir() {
		t.Errorf("defaults: %+v", p)
	}
	c.PIDFile, c.ControlSocket = "/a/b.pid", "/a/b.sock"
	if p := FindPaths(c, "/c/d.sock"); p.PID != "/a/b.pid" || p.Lock != "/a/b.pid.lock" || p.Socket != "/c/d.sock" || p.DaemonLog != "/a/b.log" || p.needsRuntimeDir() {
		t.Errorf("configured: %+v", p)
	}
}
