package master

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manager stands in for systemd's end of the notify socket.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

// startManager opens a notify socket and puts it into the environment. An
// address that begins with "@" is abstract.
func startManager(t *testing.T, address string) *manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", address)
	return &manager{t, conn}
}

func managerPath(t *testing.T) string { return filepath.Join(t.TempDir(), "notify") }

// next returns a message and the descriptors that came with it.
func (m *manager) next() (text string, fds []int) {
	m.t.Helper()
	buf, oob := make([]byte, 4096), make([]byte, syscall.CmsgSpace(4*256))
	if err := m.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		m.t.Fatal(err)
	}
	n, oobn, flags, _, err := m.conn.ReadMsgUnix(buf, oob)
	if err != nil {
		m.t.Fatal(err)
	}
	if flags&(syscall.MSG_TRUNC|syscall.MSG_CTRUNC) != 0 {
		m.t.Fatalf("message of %d bytes came cut: flags %#x", n, flags)
	}
	return string(buf[:n]), m.rights(oob[:oobn])
}

func (m *manager) rights(oob []byte) (fds []int) {
	m.t.Helper()
	list, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, c := range list {
		got, err := syscall.ParseUnixRights(&c)
		if err != nil {
			m.t.Fatal(err)
		}
		fds = append(fds, got...)
	}
	m.t.Cleanup(func() { closeAll(fds) })
	return fds
}

func (m *manager) want(text string) {
	m.t.Helper()
	if got, _ := m.next(); got != text {
		m.t.Errorf("told %q, want %q", got, text)
	}
}

// startService is newService with the end that every service must have.
func startService(t *testing.T) *service {
	s := newService()
	t.Cleanup(s.close)
	return s
}

func TestServiceTells(t *testing.T) {
	for _, address := range []string{managerPath(t), fmt.Sprintf("@srvctl-test-%d", os.Getpid())} {
		m := startManager(t, address)
		s := startService(t)
		if name, ok := os.LookupEnv("NOTIFY_SOCKET"); ok {
			t.Errorf("NOTIFY_SOCKET=%s is left for children", name)
		}
		s.ready("generation 1 serves")
		m.want("READY=1\nSTATUS=generation 1 serves")
		s.status("two\nlines\x00")
		m.want("STATUS=two lines ")
		s.status(strings.Repeat("é", maxStatus))
		m.want("STATUS=" + strings.Repeat("é", maxStatus/2))
		s.ping()
		m.want("WATCHDOG=1")
		s.stopping("bye")
		m.want("STOPPING=1\nSTATUS=bye")
		s.extend(1500 * time.Millisecond)
		m.want("EXTEND_TIMEOUT_USEC=1500000")
		s.unstore(":80")
		m.want("FDSTOREREMOVE=1\nFDNAME=srvctl@%3A80")
		s.forget("srvctl@old")
		m.want("FDSTOREREMOVE=1\nFDNAME=srvctl@old")
	}
}

// uptime is the clock that systemd compares with.
func uptime(t *testing.T) int64 {
	t.Helper()
	raw, err := os.ReadFile("/proc/uptime") // seconds since boot, to the hundredth, suspended time included
	if err != nil {
		t.Fatal(err)
	}
	up, err := strconv.ParseFloat(strings.Fields(string(raw))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	return int64(up * 1e6)
}

func TestReloadingSaysWhen(t *testing.T) {
	m := startManager(t, managerPath(t))
	s := startService(t)
	s.reloading("loading")
	text, _ := m.next()
	var when int64
	if _, err := fmt.Sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%d\nSTATUS=loading", &when); err != nil {
		t.Fatalf("told %q: %v", text, err)
	}
	if age := uptime(t) - when; age < -20_000 || age > 10_000_000 {
		t.Errorf("MONOTONIC_USEC=%d is %d µs ago", when, age)
	}
}

// Nobody asked: nothing is told, and nobody waits.
func TestServiceWithoutManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "1000000")
	t.Setenv("WATCHDOG_PID", "")
	s := startService(t)
	s.ready("")
	s.ping()
	s.store("a", []int{0})
	s.unstore("a")
	s.extend(time.Second)
	if s.queue != nil || s.watchdog() != 0 {
		t.Errorf("without NOTIFY_SOCKET the service is %+v", s)
	}
}

func TestWatchdog(t *testing.T) {
	self, other := strconv.Itoa(os.Getpid()), strconv.Itoa(os.Getppid())
	for _, tc := range []struct {
		usec, pid string
		want      time.Duration
	}{
		{"10000000", self, 5 * time.Second},
		{"10000000", "", 5 * time.Second},
		{"10000000", other, 0}, // meant for another process
		{"10000000", "me", 0},
		{"", self, 0},
		{"0", self, 0},
		{"-5", self, 0},
		{"soon", self, 0},
		{"9223372036854775807", self, 0}, // more microseconds than a Duration holds
		{"1", self, minPing},             // not faster than the loop can turn
	} {
		startManager(t, managerPath(t))
		t.Setenv("WATCHDOG_USEC", tc.usec)
		t.Setenv("WATCHDOG_PID", tc.pid)
		s := startService(t)
		if got := s.watchdog(); got != tc.want {
			t.Errorf("WATCHDOG_USEC=%q WATCHDOG_PID=%q: ping every %v, want %v", tc.usec, tc.pid, got, tc.want)
		}
		for _, name := range []string{"WATCHDOG_USEC", "WATCHDOG_PID"} {
			if value, ok := os.LookupEnv(name); ok {
				t.Errorf("%s=%s is left for children", name, value)
			}
		}
	}
}

// inode tells sockets apart.
func inode(t *testing.T, fd int) uint64 {
	t.Helper()
	id, ok := identifySocket(fd)
	if !ok {
		t.Fatalf("descriptor %d is no socket", fd)
	}
	return id.ino
}

// More descriptors than fit into one message come in several, each once, and
// also when the caller has closed its own in the meantime.
func TestStore(t *testing.T) {
	m := startManager(t, managerPath(t))
	s := startService(t)
	var fds []int
	var want []uint64
	for range maxRights + 20 {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		fds, want = append(fds, fd), append(want, inode(t, fd))
	}
	s.store("127.0.0.1:80", fds)
	closeAll(fds)
	var got []uint64
	for len(got) < len(want) {
		text, fds := m.next()
		if text != "FDSTORE=1\nFDNAME=srvctl@127.0.0.1%3A80\nFDPOLL=0" || len(fds) == 0 {
			t.Fatalf("told %q with %d descriptors", text, len(fds))
		}
		for _, fd := range fds {
			got = append(got, inode(t, fd))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("stored %d sockets %v, want %d: %v", len(got), got, len(want), want)
	}
}

// A manager that does not read holds nobody up, costs no descriptor in the end,
// and gets what fits when it reads again.
func TestDeafManager(t *testing.T) {
	m := startManager(t, managerPath(t))
	s := startService(t)
	s.ready("first")
	// The kernel keeps some, the queue keeps maxNotices; these are more.
	const messages = 1000
	began := time.Now()
	for range messages {
		s.ping()
		s.store("a", []int{0})
	}
	if each := time.Since(began) / (2 * messages); each > time.Millisecond {
		t.Errorf("each message took %v", each)
	}
	m.want("READY=1\nSTATUS=first")
	m.want("WATCHDOG=1")
}

func TestCloseSendsTheRest(t *testing.T) {
	m := startManager(t, managerPath(t))
	s := newService()
	s.stopping("stopped")
	s.close()
	s.ping() // the loop is over, but who knows
	m.want("STOPPING=1\nSTATUS=stopped")
}
