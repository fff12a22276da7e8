package supervise

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"srvctl/tests/harness"
)

// manager stands in for systemd, for one service with NotifyAccess=main.
type manager struct {
	t      *testing.T
	dir    string
	notify *net.UnixConn
	given  *net.UnixListener // from which the service gets its descriptors
	wg     sync.WaitGroup

	mu     sync.Mutex
	seen   []message
	more   chan struct{} // closed by the next message
	units  []held        // sockets of socket units, not ours to close
	stored []held
}

// message is what a service said at once.
type message struct {
	text   string
	fields map[string]string
	pid    int // of the sender, by the kernel
	at     time.Time
}

// held is a descriptor that is kept for the service.
type held struct {
	name string
	fd   int
	ino  uint64
}

// newManager opens the sockets. env is for Options.Env, before for
// Options.Before.
func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{t: t, dir: harness.Dir(t), more: make(chan struct{})}
	var err error
	if m.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path("notify"), Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	if m.given, err = net.ListenUnix("unixpacket", &net.UnixAddr{Name: m.path("given"), Net: "unixpacket"}); err != nil {
		t.Fatal(err)
	}
	raw, err := m.notify.SyscallConn()
	if err == nil {
		raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1) })
	}
	if err != nil {
		t.Fatal(err)
	}
	m.wg.Go(m.listen)
	m.wg.Go(m.give)
	t.Cleanup(m.close)
	return m
}

func (m *manager) path(name string) string { return filepath.Join(m.dir, name) }

func (m *manager) env(more ...string) []string {
	return append([]string{"NOTIFY_SOCKET=" + m.path("notify")}, more...)
}

func (m *manager) before() []string { return before(m.t, asService, m.path("given")) }

func (m *manager) close() {
	m.notify.Close()
	m.given.Close()
	m.wg.Wait()
	for _, h := range m.stored {
		unix.Close(h.fd)
	}
}

// listen takes messages until the end.
func (m *manager) listen() {
	buf, oob := make([]byte, 64<<10), make([]byte, 4096)
	for {
		n, oobn, _, _, err := m.notify.ReadMsgUnix(buf, oob)
		if err != nil {
			return
		}
		m.take(string(buf[:n]), oob[:oobn], time.Now())
	}
}

func (m *manager) take(text string, oob []byte, now time.Time) {
	msg := message{text: text, fields: map[string]string{}, at: now}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		msg.fields[name] = value
	}
	fds, err := rights(oob)
	if err != nil {
		m.t.Errorf("message %q: %v", text, err)
	}
	if list, err := unix.ParseSocketControlMessage(oob); err == nil {
		for _, c := range list {
			if cred, err := unix.ParseUnixCredentials(&c); err == nil {
				msg.pid = int(cred.Pid)
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(msg, fds)
	m.seen = append(m.seen, msg)
	close(m.more)
	m.more = make(chan struct{})
}

// keep does what systemd does with FDSTORE=1 and FDSTOREREMOVE=1: a socket that
// is there already is not taken twice, a name goes with all it stands for.
// Descriptors that come with anything else are closed.
func (m *manager) keep(msg message, fds []int) {
	if msg.fields["FDSTOREREMOVE"] == "1" {
		m.stored = slices.DeleteFunc(m.stored, func(h held) bool {
			if h.name == msg.fields["FDNAME"] {
				unix.Close(h.fd)
				return true
			}
			return false
		})
	}
	for _, fd := range fds {
		h := held{msg.fields["FDNAME"], fd, inode(fd)}
		if msg.fields["FDSTORE"] != "1" || slices.ContainsFunc(m.stored, func(old held) bool { return old.ino == h.ino }) {
			unix.Close(fd)
			continue
		}
		m.stored = append(m.stored, h)
	}
}

func inode(fd int) uint64 {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0
	}
	return st.Ino
}

// give answers every service that starts with its descriptors: those of socket
// units first, the stored ones last stored first, as systemd does.
func (m *manager) give() {
	for {
		conn, err := m.given.AcceptUnix()
		if err != nil {
			return
		}
		m.mu.Lock()
		names, fds := []string{}, []int{}
		backwards := slices.Clone(m.stored)
		slices.Reverse(backwards)
		for _, h := range append(slices.Clone(m.units), backwards...) {
			names, fds = append(names, h.name), append(fds, h.fd)
		}
		text, err := json.Marshal(names)
		if err == nil {
			_, _, err = conn.WriteMsgUnix(text, unix.UnixRights(fds...), nil)
		}
		m.mu.Unlock()
		if err != nil {
			m.t.Errorf("give %d descriptors: %v", len(fds), err)
		}
		conn.Close()
	}
}

// unit adds a socket of a socket unit.
func (m *manager) unit(name string, fd int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.units = append(m.units, held{name, fd, inode(fd)})
}

// told is how much has been said so far: where await is to look from.
func (m *manager) told() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.seen)
}

// messages is what has been said, from a place that told gave.
func (m *manager) messages(from int) []message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.seen[from:])
}

// await waits for a message and returns it and the place behind it.
func (m *manager) await(from int, what string, yes func(message) bool) (message, int) {
	m.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		m.mu.Lock()
		for i := from; i < len(m.seen); i++ {
			if yes(m.seen[i]) {
				defer m.mu.Unlock()
				return m.seen[i], i + 1
			}
		}
		from = len(m.seen)
		more := m.more
		m.mu.Unlock()
		select {
		case <-more:
		case <-deadline.C:
			m.t.Fatalf("the service never said %s; it said %v", what, m.messages(0))
		}
	}
}

// says is await for a message with this field.
func (m *manager) says(from int, field, value string) (message, int) {
	m.t.Helper()
	return m.await(from, field+"="+value, func(msg message) bool { return msg.fields[field] == value })
}

func (msg message) String() string { return strconv.Quote(msg.text) }

// addresses counts the stored sockets of each address.
func (m *manager) addresses() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	count := map[string]int{}
	for _, h := range m.stored {
		count[socketName(h.fd)]++
	}
	return count
}

func socketName(fd int) string {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return err.Error()
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return fmt.Sprintf("%s:%d", net.IP(sa.Addr[:]), sa.Port)
	case *unix.SockaddrUnix:
		return "unix:" + sa.Name
	}
	return fmt.Sprintf("%T", sa)
}
