package sock_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"srvctl/shared/sock"
)

// Tests that need another process run this binary again with this variable.
const childEnv = "SOCK_TEST_CHILD"

func TestMain(m *testing.M) {
	if role := os.Getenv(childEnv); role != "" {
		if err := roles[role](os.Args[1:]); err != nil {
			fmt.Println(err)
		}
		io.Copy(io.Discard, os.Stdin) // the test holds the other end
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// keep holds what a role opened until the process ends.
var keep []any

// roles print one line and end when the test has finished.
var roles = map[string]func(args []string) error{
	// listen NETWORK ADDRESS: another server; with the option reuseport, one
	// that lets others of its user join.
	"listen": func(args []string) error {
		lc := net.ListenConfig{}
		lc.SetMultipathTCP(false)
		if len(args) > 2 {
			lc.Control = func(_, _ string, c syscall.RawConn) error {
				return c.Control(func(fd uintptr) {
					unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
				})
			}
		}
		l, err := lc.Listen(context.Background(), args[0], args[1])
		if err == nil {
			keep = append(keep, l)
			fmt.Println(l.Addr())
		}
		return err
	},
	// bind ADDRESS: what Bind says in that process.
	"bind": func(args []string) error {
		s, err := sock.Bind(sock.Spec{Address: args[0], ReusePort: true}, 1)
		if err == nil {
			fmt.Println("bound", s.Bound)
		}
		return err
	},
	// adopt ADDRESS SLOTS: what Adopt makes of descriptor 3.
	"adopt": func(args []string) error {
		slots, _ := strconv.Atoi(args[1])
		s, err := sock.Adopt(sock.Spec{Address: args[0], ReusePort: true}, []int{3}, slots)
		if err == nil {
			fmt.Printf("shared %t, %d sockets, note %s\n", s.Shared, len(s.Files), s.Note)
		}
		return err
	},
	// refuse ADDRESS: with descriptor 3, which listens there and is our own.
	"refuse": func(args []string) error {
		s, err := sock.Adopt(sock.Spec{Address: args[0], ReusePort: true}, []int{3}, 1)
		if err != nil {
			return err
		}
		s.Given = false
		if err = s.Refuse(); err == nil {
			s.Close()
			fmt.Println("refused")
		}
		return err
	},
	"lock": func(args []string) error {
		f, err := sock.Lock(args[0])
		if err == nil {
			keep = append(keep, f)
			fmt.Println("locked")
		}
		return err
	},
	// big-lock PATH: lock by a process whose memory takes long to give back.
	"big-lock": func(args []string) error {
		f, err := sock.Lock(args[0])
		if err != nil {
			return err
		}
		big := make([]byte, 256<<20)
		for i := 0; i < len(big); i += os.Getpagesize() {
			big[i] = 1
		}
		keep = append(keep, f, big)
		fmt.Println("locked")
		return nil
	},
	"connect": func(args []string) error {
		c, err := net.Dial(args[0], args[1])
		if err == nil {
			keep = append(keep, c)
			fmt.Println("connected")
		}
		return err
	},
	// dying sends its last words on descriptor 3 and is gone.
	"dying": func([]string) error {
		c, err := sock.NewConn(3)
		if err == nil {
			err = c.Send([]byte("last words"), nil)
		}
		if err == nil {
			os.Exit(0)
		}
		return err
	},
}

type process struct {
	pid  int
	line string // the first it printed
	stop func() // ends it and waits for it
	kill func() // sends SIGKILL and does not wait
}

// nobody is a user who may nothing.
const nobody = 65534

// start runs a role until the test ends. uid < 0 is the user of the test.
func start(t *testing.T, uid int, files []*os.File, role string, args ...string) *process {
	t.Helper()
	// Not the path: another user may not look into the folder of go test.
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), childEnv+"="+role)
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = files
	if uid >= 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil || err1 != nil || err2 != nil {
		t.Fatal(err, err1, err2)
	}
	p := &process{pid: cmd.Process.Pid}
	p.kill = func() { cmd.Process.Kill() }
	stopped := false
	p.stop = func() {
		if !stopped {
			stopped = true
			in.Close()
			cmd.Wait()
		}
	}
	t.Cleanup(p.stop)
	line, _ := bufio.NewReader(out).ReadString('\n')
	p.line = strings.TrimSpace(line)
	return p
}

// ordinary returns a uid without rights: another one when the tests run as
// root, else our own.
func ordinary() int {
	if os.Geteuid() == 0 {
		return nobody
	}
	return -1
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT RUN: needs root")
	}
}

func needIPv6(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("NOT RUN: no IPv6 here: ", err)
	}
	l.Close()
}

// openFiles is how many descriptors this process has, to find leaks.
func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func dial(network, address string) error {
	c, err := net.DialTimeout(network, address, 5*time.Second)
	if err == nil {
		c.Close()
	}
	return err
}

// accept waits for a connection on one of the sockets, and says on which.
func accept(t *testing.T, fds ...int) (slot, conn int) {
	t.Helper()
	list := make([]unix.PollFd, len(fds))
	for i, fd := range fds {
		list[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
		// A socket that does not listen always reports POLLHUP: leave it out.
		if on, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); on == 0 {
			list[i].Fd = -1
		}
	}
	for {
		n, err := unix.Poll(list, 5000)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			t.Fatalf("no connection came: %v", err)
		}
		break
	}
	for i := range list {
		if list[i].Revents&unix.POLLIN == 0 {
			continue
		}
		conn, _, err := unix.Accept4(fds[i], unix.SOCK_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(conn) })
		return i, conn
	}
	panic("poll lied")
}
