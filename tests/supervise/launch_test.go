package supervise

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/tests/harness"
)

// Before it becomes the server, this test's binary arranges what a server can
// be started with. Its first argument says what.
const (
	asTerminal = "__terminal" // PATH: with this controlling terminal
	asService  = "__service"  // PATH: with the descriptors that come through this socket
	asOutside  = "__outside"  // COUNT PIPE: as the parent of a namespace whose process 1 comes next
	asFirst    = "__first"    // COUNT PIPE: as process 1, with strangers for children
)

func TestMain(m *testing.M) {
	become := map[string]func(args []string) error{
		asTerminal: becomeInTerminal, asService: becomeService, asOutside: contain, asFirst: becomeFirst,
	}
	if len(os.Args) > 2 && become[os.Args[1]] != nil {
		err := become[os.Args[1]](os.Args[2:])
		fmt.Fprintln(os.Stderr, os.Args[1], err)
		os.Exit(111)
	}
	harness.Main(m)
}

// before is Options.Before for one of these.
func before(t *testing.T, args ...string) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{self}, args...)
}

// become is this process's last step.
func become(argv, environ []string) error { return unix.Exec(argv[0], argv, environ) }

// becomeInTerminal is for the leader of a session, which the harness makes
// every server. What is logged stays with the harness: srvctl start 2>log.
func becomeInTerminal(args []string) error {
	tty, err := unix.Open(args[0], unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := unix.IoctlSetInt(tty, unix.TIOCSCTTY, 0); err != nil {
		return fmt.Errorf("TIOCSCTTY: %w", err)
	}
	if err := unix.Dup2(tty, 0); err != nil {
		return err
	}
	if os.Getenv("TERMINAL_LOGS") != "" {
		if err := errors.Join(unix.Dup2(tty, 1), unix.Dup2(tty, 2)); err != nil {
			return err
		}
	}
	if err := unix.Close(tty); err != nil {
		return err
	}
	return become(args[1:], os.Environ())
}

// maxGiven bounds the descriptors a service is started with.
const maxGiven = 200

// becomeService receives descriptors with their names, as JSON, and hands them
// on like systemd. It leaves package net alone, whose own descriptors would be
// in the way.
func becomeService(args []string) error {
	conn, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Connect(conn, &unix.SockaddrUnix{Name: args[0]}); err != nil {
		return fmt.Errorf("connect %s: %w", args[0], err)
	}
	buf, oob := make([]byte, 64<<10), make([]byte, unix.CmsgSpace(4*maxGiven))
	n, oobn, _, _, err := unix.Recvmsg(conn, buf, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return err
	}
	var names []string
	if err := json.Unmarshal(buf[:n], &names); err != nil {
		return err
	}
	fds, err := rights(oob[:oobn])
	if err != nil {
		return err
	}
	if len(fds) != len(names) {
		return fmt.Errorf("%d descriptors with %d names", len(fds), len(names))
	}
	if err := placeFrom3(fds); err != nil {
		return err
	}
	environ := append(os.Environ(), "WATCHDOG_PID="+strconv.Itoa(os.Getpid()))
	if len(fds) > 0 {
		environ = append(environ, "LISTEN_PID="+strconv.Itoa(os.Getpid()), "LISTEN_FDS="+strconv.Itoa(len(fds)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	}
	return become(args[1:], environ)
}

// placeFrom3 makes the descriptors 3, 4, 5 ..., for the next program.
func placeFrom3(fds []int) error {
	for i, fd := range fds { // out of each other's way first
		high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3+maxGiven)
		if err != nil {
			return err
		}
		fds[i] = high
	}
	for i, fd := range fds {
		if err := unix.Dup3(fd, 3+i, 0); err != nil {
			return err
		}
	}
	return nil
}

// rights are the descriptors in a control message.
func rights(oob []byte) (fds []int, err error) {
	list, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if c.Header.Level != unix.SOL_SOCKET || c.Header.Type != unix.SCM_RIGHTS {
			continue
		}
		got, err := unix.ParseUnixRights(&c)
		if err != nil {
			return nil, err
		}
		fds = append(fds, got...)
	}
	return fds, nil
}

// contain starts process 1 of a namespace, is its stand-in for signals, and
// ends as it does.
func contain(args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	sigc := make(chan os.Signal, 8)
	signal.Notify(sigc, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	cmd := exec.Command(self, append([]string{asFirst}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN} // beyond exec, to mount
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		for sig := range sigc {
			cmd.Process.Signal(sig)
		}
	}()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	os.Exit(cmd.ProcessState.ExitCode())
	return nil
}

// becomeFirst leaves children behind that the next program knows nothing of,
// as the entry point of a container may: one has ended already, the others end
// with the pipe.
func becomeFirst(args []string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mount /: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	count, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	for i := range count {
		script := "read line"
		if i == 0 {
			script = "exit 3"
		}
		in := null
		if i > 0 {
			if in, err = os.Open(args[1]); err != nil {
				return err
			}
		}
		// Its parent ends at once, which makes it ours.
		if err := (&exec.Cmd{Path: "/bin/sh", Args: []string{"sh", "-c", "exec 3<&0; (" + script + ") <&3 & exit 0"}, Stdin: in}).Run(); err != nil {
			return fmt.Errorf("stranger: %w", err)
		}
	}
	return become(args[2:], os.Environ())
}
