package sock_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/shared/sock"
)

// given makes sockets as somebody else would, without what Bind sets.
type given struct {
	family, kind, proto int
	address             unix.Sockaddr
	reuse, listen, only bool
}

var loopback = [4]byte{127, 0, 0, 1}

func (g given) make(t *testing.T) int {
	t.Helper()
	if g.kind == 0 {
		g.kind = unix.SOCK_STREAM
	}
	fd, err := unix.Socket(g.family, g.kind, g.proto)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	unix.CloseOnExec(fd)
	for _, o := range []struct {
		level, name int
		on          bool
	}{{unix.SOL_SOCKET, unix.SO_REUSEPORT, g.reuse}, {unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, g.only}} {
		if o.on {
			if err := unix.SetsockoptInt(fd, o.level, o.name, 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	if g.address != nil {
		if err := unix.Bind(fd, g.address); err != nil {
			t.Fatal(err)
		}
	}
	if g.listen {
		if err := unix.Listen(fd, 16); err != nil {
			t.Fatal(err)
		}
	}
	return fd
}

// adopt takes copies, so that the test's own descriptors stay valid.
func adopt(t *testing.T, spec sock.Spec, slots int, fds ...int) *sock.Set {
	t.Helper()
	var copies []int
	for _, fd := range fds {
		c, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD, 0) // not CLOEXEC, as exec leaves them
		if err != nil {
			t.Fatal(err)
		}
		copies = append(copies, c)
	}
	s, err := sock.Adopt(spec, copies, slots)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func portOf(t *testing.T, fd int) int {
	t.Helper()
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	if sa, ok := sa.(*unix.SockaddrInet6); ok {
		return sa.Port
	}
	return sa.(*unix.SockaddrInet4).Port
}

func addressOf(t *testing.T, fd int) string { return fmt.Sprintf("127.0.0.1:%d", portOf(t, fd)) }

func option(t *testing.T, fd, level, name int) int {
	t.Helper()
	v, err := unix.GetsockoptInt(fd, level, name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestOneGivenSocketIsShared(t *testing.T) {
	fd := given{family: unix.AF_INET, address: &unix.SockaddrInet4{Addr: loopback}, listen: true}.make(t)
	early, err := net.Dial("tcp", addressOf(t, fd)) // before we were started
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	s := adopt(t, sliced(addressOf(t, fd)), 4, fd)
	if !s.Shared || !s.Given || len(s.Files) != 1 || s.Bound != addressOf(t, fd) || s.Note != "" {
		t.Fatalf("%+v, want one shared socket", s)
	}
	if f, _ := unix.FcntlInt(uintptr(s.Files[0]), unix.F_GETFD, 0); f&unix.FD_CLOEXEC == 0 {
		t.Error("not CLOEXEC")
	}
	if f, _ := unix.FcntlInt(uintptr(s.Files[0]), unix.F_GETFL, 0); f&unix.O_NONBLOCK == 0 {
		t.Error("not non-blocking")
	}
	if option(t, fd, unix.IPPROTO_TCP, unix.TCP_NODELAY) != 1 {
		t.Error("no TCP_NODELAY")
	}
	listen(t, s, 0, 3)
	if n := serve(t, s.Files[0]); n != 1 {
		t.Errorf("%d connections in the queue, want the early one", n)
	}
	wantAnswers(t, []net.Conn{early})
	// Nor does a reload slice it.
	change(t, s, s.Spec, 8)
	if !s.Shared || len(s.Files) != 1 || option(t, fd, unix.SOL_SOCKET, unix.SO_REUSEPORT) != 0 {
		t.Errorf("after a reload: shared %t, %d sockets", s.Shared, len(s.Files))
	}
}

func TestGivenSocketsWithReusePortBecomeTheSlots(t *testing.T) {
	g := given{family: unix.AF_INET, address: &unix.SockaddrInet4{Addr: loopback}, reuse: true, listen: true}
	first := g.make(t)
	g.address = &unix.SockaddrInet4{Addr: loopback, Port: portOf(t, first)}
	second := g.make(t)
	for _, c := range []struct {
		reuse                bool
		slots, files, listen int
	}{
		{true, 4, 4, 2}, // two are bound
		{true, 2, 2, 2},
		{true, 1, 2, 2}, // one stays behind the slots
		{false, 4, 2, 2},
	} {
		spec := sock.Spec{Address: addressOf(t, first), ReusePort: c.reuse}
		s := adopt(t, spec, c.slots, first, second)
		if s.Shared == c.reuse || len(s.Files) != c.files || s.Note != "" {
			t.Errorf("%+v: shared %t, %d sockets, note %q", c, s.Shared, len(s.Files), s.Note)
		}
		on := 0
		for slot, fd := range s.Files {
			on += option(t, fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
			if slot < 2 && inode(t, fd) != inode(t, []int{first, second}[slot]) {
				t.Errorf("%+v: slot %d has not the socket that was given for it", c, slot)
			}
		}
		if on != c.listen {
			t.Errorf("%+v: %d sockets listen after Adopt, want %d", c, on, c.listen)
		}
		for slot := range s.Files {
			listen(t, s, slot)
		}
		clients := crowd(t, s, 40*c.files)
		for slot, fd := range s.Files {
			if serve(t, fd) == 0 {
				t.Errorf("%+v: slot %d gets no connections", c, slot)
			}
		}
		wantAnswers(t, clients)
		s.Close()
	}
}

func inode(t *testing.T, fd int) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func TestSocketsThatOnlyAreBoundCanBeAdopted(t *testing.T) {
	was := bind(t, sliced("127.0.0.1:0"), 3)
	listen(t, was, 1)
	s := adopt(t, was.Spec, 3, was.Files...) // port 0 means the port it has
	if s.Bound != was.Bound || s.Shared {
		t.Fatalf("bound %s, shared %t", s.Bound, s.Shared)
	}
	listen(t, s, 0, 2)
	clients := crowd(t, s, 120)
	for slot, fd := range s.Files {
		if serve(t, fd) == 0 {
			t.Errorf("slot %d gets no connections", slot)
		}
	}
	wantAnswers(t, clients)
}

func TestTheSameSocketTwiceIsTakenOnce(t *testing.T) {
	was := bind(t, sliced("127.0.0.1:0"), 2)
	before := openFiles(t)
	s := adopt(t, was.Spec, 2, was.Files[0], was.Files[1], was.Files[0])
	if after := openFiles(t); after != before+2 || len(s.Files) != 2 {
		t.Errorf("%d sockets, %d descriptors, want 2 of each", len(s.Files), after-before)
	}
}

func TestGivenUnixSocket(t *testing.T) {
	path := socketPath(t)
	fd := given{family: unix.AF_UNIX, address: &unix.SockaddrUnix{Name: path}, listen: true}.make(t)
	spec := sock.Spec{Address: "unix:" + path, Mode: 0o600}
	s := adopt(t, spec, 4, fd)
	if !s.Shared || len(s.Files) != 1 || s.Bound != "unix:"+path {
		t.Errorf("%+v", s)
	}
	was, _ := os.Lstat(path)
	if err := s.Prepare(with(s, func(n *sock.Spec) { n.Mode = 0o640 }), 4); err != nil {
		t.Fatal(err)
	}
	if note := s.Commit(); !strings.Contains(note, "SocketMode=") {
		t.Errorf("note %q, want that the unit has the mode", note)
	}
	if fi, _ := os.Lstat(path); fi.Mode() != was.Mode() {
		t.Errorf("mode %v of a given file was changed to %v", was.Mode(), fi.Mode())
	}
	s.Close()
	if !exists(path) {
		t.Fatal("Close removed the file of a given socket")
	}
	// Of one that was handed on by ourselves the file is ours.
	s = adopt(t, spec, 4, fd)
	s.Given = false
	s.Close()
	if exists(path) {
		t.Error("Close left our own file")
	}
}

func TestAdoptRefuses(t *testing.T) {
	tcp := func(g given) int {
		g.family, g.address = unix.AF_INET, &unix.SockaddrInet4{Addr: loopback}
		return g.make(t)
	}
	a, b := tcp(given{reuse: true, listen: true}), tcp(given{reuse: true, listen: true})
	file, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	conn, err := net.Dial("tcp", addressOf(t, a))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cf, err := conn.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer cf.Close()
	path := socketPath(t)
	ux := given{family: unix.AF_UNIX, address: &unix.SockaddrUnix{Name: path}}.make(t)
	at := addressOf(t, a)
	for _, c := range []struct {
		name, address string
		given         []int
		want          string
	}{
		{"nothing", at, nil, "no socket was given"},
		{"closed", at, []int{1 << 20}, "descriptor 1048576: is not open"},
		{"a file", at, []int{int(file.Fd())}, "is not a socket"},
		{"a datagram socket", at, []int{tcp(given{kind: unix.SOCK_DGRAM})}, "is not a stream socket: its unit needs ListenStream="},
		{"a connection", at, []int{int(cf.Fd())}, "is a connection, not a listener: its unit needs Accept=no"},
		{"not bound", at, []int{given{family: unix.AF_INET}.make(t)}, "is not bound to an address"},
		{"unix without a name", "unix:" + path, []int{given{family: unix.AF_UNIX}.make(t)}, "is a unix socket without a file"},
		{"an abstract name", "unix:" + path, []int{given{family: unix.AF_UNIX, address: &unix.SockaddrUnix{Name: "@sock-test-" + path}}.make(t)}, "only those with an absolute path can be used"},
		{"another port", at, []int{b}, "is the socket of another address, " + addressOf(t, b)},
		{"unix instead of TCP", at, []int{ux}, "is the socket of another address, unix:" + path},
		{"TCP instead of unix", "unix:" + path, []int{a}, "is the socket of another address, " + at},
		{"two addresses", at, []int{a, b}, "have different addresses"},
		{"port 0, two ports", "127.0.0.1:0", []int{a, b}, "have different addresses"},
		{"another family", "[::1]:0", []int{a}, "is the socket of another address"},
		{"no address", "nonsense", []int{a}, "not an address"},
	} {
		s, err := sock.Adopt(sliced(c.address), c.given, 3)
		if err == nil {
			s.Leave()
			t.Errorf("%s: adopted", c.name)
			continue
		}
		wantRefused(t, err, err, "bind "+c.address+": ", c.want)
		for _, fd := range c.given {
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil && fd != 1<<20 {
				t.Errorf("%s: descriptor %d was closed by a refusal", c.name, fd)
			}
		}
	}
}

func TestAdoptThatCannotBindTheRest(t *testing.T) {
	was := bind(t, sliced("127.0.0.1:0"), 1)
	before := openFiles(t)
	n := 0
	sock.ReplaceSocket(t, func(family, kind, proto int) (int, error) {
		if n++; n > 1 {
			return -1, unix.EMFILE
		}
		return unix.Socket(family, kind, proto)
	})
	_, err := sock.Adopt(was.Spec, was.Files, 4)
	wantRefused(t, err, unix.EMFILE)
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors stay open", after-before)
	}
	listen(t, was, 0) // still ours, and open
}

// systemd makes sockets as root, for a server of another user.
func TestSocketsOfAnotherUserAreShared(t *testing.T) {
	needRoot(t)
	g := given{family: unix.AF_INET, address: &unix.SockaddrInet4{Addr: loopback}, reuse: true, listen: true}
	fd := g.make(t)
	d, err := unix.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(d), "listener")
	defer f.Close()
	p := start(t, nobody, []*os.File{f}, "adopt", addressOf(t, fd), "4")
	if want := "shared true, 1 sockets, note all workers share 1 given sockets: they are another user's, so that uid 65534 can add none"; !strings.HasPrefix(p.line, want) {
		t.Errorf("%s\nwant %s", p.line, want)
	}
	p = start(t, nobody, []*os.File{f}, "adopt", addressOf(t, fd), "1")
	if want := "shared false, 1 sockets, note "; p.line != strings.TrimSpace(want) {
		t.Errorf("one slot: %s", p.line)
	}
}
