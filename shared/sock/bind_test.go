package sock_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/shared/sock"
)

func bind(t *testing.T, spec sock.Spec, slots int) *sock.Set {
	t.Helper()
	s, err := sock.Bind(spec, slots)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func sliced(address string) sock.Spec { return sock.Spec{Address: address, ReusePort: true} }

func listen(t *testing.T, s *sock.Set, slots ...int) {
	t.Helper()
	for _, slot := range slots {
		if err := s.Listen(slot); err != nil {
			t.Fatal(err)
		}
	}
}

func port(s *sock.Set) uint16 { return netip.MustParseAddrPort(s.Bound).Port() }

// wantRefused checks an error of Bind or Listen: its cause and pieces of text.
func wantRefused(t *testing.T, err, cause error, pieces ...string) {
	t.Helper()
	var refused *sock.BindError
	if !errors.As(err, &refused) || !errors.Is(err, cause) {
		t.Fatalf("error %v, want a BindError for %v", err, cause)
	}
	for _, p := range pieces {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error does not say %q:\n%v", p, err)
		}
	}
}

func TestSlicedListenerTakesConnectionsOnlyWhereItListens(t *testing.T) {
	s := bind(t, sliced("127.0.0.1:0"), 3)
	if len(s.Files) != 3 || s.Shared {
		t.Fatalf("3 slots have %d sockets, shared %t", len(s.Files), s.Shared)
	}
	if port(s) == 0 {
		t.Fatalf("Bound = %s, want the port that was chosen", s.Bound)
	}
	if err := dial("tcp", s.Bound); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("connect before Listen: %v, want connection refused", err)
	}
	listen(t, s, 1, 1)
	for range 5 {
		if err := dial("tcp", s.Bound); err != nil {
			t.Fatal(err)
		}
		if slot, _ := accept(t, s.Files...); slot != 1 {
			t.Errorf("connection came to slot %d, only slot 1 listens", slot)
		}
	}
}

func TestSlotsShareTheConnections(t *testing.T) {
	s := bind(t, sliced("127.0.0.1:0"), 4)
	listen(t, s, 0, 1, 2, 3)
	var got [4]int
	for range 200 {
		if err := dial("tcp", s.Bound); err != nil {
			t.Fatal(err)
		}
		slot, _ := accept(t, s.Files...)
		got[slot]++
	}
	for slot, n := range got {
		if n == 0 {
			t.Errorf("slot %d got none of 200 connections: %v", slot, got)
		}
	}
}

func TestSharedListenerHasOneSocket(t *testing.T) {
	s := bind(t, sock.Spec{Address: "127.0.0.1:0"}, 4)
	if len(s.Files) != 1 || !s.Shared {
		t.Fatalf("%d sockets, shared %t, want one shared socket", len(s.Files), s.Shared)
	}
	if v, _ := unix.GetsockoptInt(s.Files[0], unix.SOL_SOCKET, unix.SO_REUSEPORT); v != 0 {
		t.Error("a shared socket has SO_REUSEPORT")
	}
	listen(t, s, 3, 0, 2)
	if err := dial("tcp", s.Bound); err != nil {
		t.Error(err)
	}
}

func TestSocketsHaveTheirOptions(t *testing.T) {
	s := bind(t, sliced("127.0.0.1:0"), 2)
	listen(t, s, 0, 1)
	for slot, fd := range s.Files {
		if f, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); f&unix.FD_CLOEXEC == 0 {
			t.Errorf("slot %d is not CLOEXEC", slot)
		}
		if f, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); f&unix.O_NONBLOCK == 0 {
			t.Errorf("slot %d is not non-blocking", slot)
		}
		for _, o := range []struct{ level, name, want int }{
			{unix.SOL_SOCKET, unix.SO_PROTOCOL, unix.IPPROTO_TCP},
			{unix.SOL_SOCKET, unix.SO_REUSEADDR, 1},
			{unix.SOL_SOCKET, unix.SO_REUSEPORT, 1},
			{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		} {
			if got, err := unix.GetsockoptInt(fd, o.level, o.name); got != o.want {
				t.Errorf("slot %d: option %d/%d = %d (%v), want %d", slot, o.level, o.name, got, err, o.want)
			}
		}
	}
	if err := dial("tcp", s.Bound); err != nil {
		t.Fatal(err)
	}
	_, conn := accept(t, s.Files...)
	if got, err := unix.GetsockoptInt(conn, unix.IPPROTO_TCP, unix.TCP_NODELAY); got != 1 {
		t.Errorf("TCP_NODELAY of an accepted connection = %d (%v), want 1: it is inherited", got, err)
	}
}

func TestPortAloneServesIPv6AndIPv4(t *testing.T) {
	needIPv6(t)
	for _, address := range []string{":0", "*:0"} {
		s := bind(t, sliced(address), 2)
		listen(t, s, 0, 1)
		if want := fmt.Sprintf("[::]:%d", port(s)); s.Bound != want || s.Note != "" {
			t.Errorf("%s: Bound = %s, Note = %q, want %s without a note", address, s.Bound, s.Note, want)
		}
		for _, host := range []string{"127.0.0.1", "[::1]"} {
			if err := dial("tcp", fmt.Sprintf("%s:%d", host, port(s))); err != nil {
				t.Errorf("%s: %v", address, err)
			}
		}
	}
}

func TestIPv6AndIPv4WildcardsAreTwoListeners(t *testing.T) {
	needIPv6(t)
	six := bind(t, sliced("[::]:0"), 2)
	listen(t, six, 0, 1)
	if err := dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port(six))); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("IPv4 to [::]: %v, want connection refused", err)
	}
	four := bind(t, sliced(fmt.Sprintf("0.0.0.0:%d", port(six))), 2)
	listen(t, four, 0, 1)
	if err := dial("tcp4", four.Bound); err != nil {
		t.Error(err)
	}
}

func TestWithoutIPv6(t *testing.T) {
	sock.ReplaceSocket(t, func(family, kind, proto int) (int, error) {
		if family == unix.AF_INET6 {
			return -1, unix.EAFNOSUPPORT
		}
		return unix.Socket(family, kind, proto)
	})
	s := bind(t, sliced(":0"), 2)
	listen(t, s, 0, 1)
	if want := fmt.Sprintf("0.0.0.0:%d", port(s)); s.Bound != want || !strings.Contains(s.Note, "IPv4 only") {
		t.Errorf("Bound = %s, Note = %q, want %s and a note", s.Bound, s.Note, want)
	}
	if err := dial("tcp", fmt.Sprintf("127.0.0.1:%d", port(s))); err != nil {
		t.Error(err)
	}
	_, err := sock.Bind(sliced("[::1]:0"), 1)
	wantRefused(t, err, unix.EAFNOSUPPORT, "bind [::1]:0: ", "this machine has no IPv6")
}

func TestBacklogThatTheKernelCutsIsNoted(t *testing.T) {
	if s := bind(t, sock.Spec{Address: "127.0.0.1:0", Backlog: 1}, 1); s.Note != "" {
		t.Errorf("backlog 1: Note = %q, want none", s.Note)
	}
	if s := bind(t, sock.Spec{Address: "127.0.0.1:0", Backlog: 1 << 30}, 1); !strings.HasPrefix(s.Note, "backlog 1073741824 is cut to ") {
		t.Errorf("backlog 1<<30: Note = %q, want that it is cut", s.Note)
	}
}

func TestNamesAreLookedUp(t *testing.T) {
	s := bind(t, sliced("localhost:0"), 1)
	if ip := netip.MustParseAddrPort(s.Bound).Addr(); !ip.IsLoopback() {
		t.Errorf("localhost is bound as %s", s.Bound)
	}
	_, err := sock.Bind(sliced("name.invalid:0"), 1)
	var refused *sock.BindError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), `name "name.invalid" has no address here`) {
		t.Errorf("error %v, want a BindError that names the name", err)
	}
}

func TestBindRefusesWhatIsNoAddress(t *testing.T) {
	for _, c := range []struct{ address, want string }{
		{"", "bind : not an address"},
		{"8080", "bind 8080: not an address"},
		{"::1:80", "bind ::1:80: not an address"},
		{":http", `bind :http: port "http" is not a number from 0 to 65535`},
		{":65536", `bind :65536: port "65536" is not a number from 0 to 65535`},
		{":-1", `bind :-1: port "-1" is not a number from 0 to 65535`},
		{"unix:", `bind unix:: path "" is not absolute`},
		{"unix:run/x.sock", `bind unix:run/x.sock: path "run/x.sock" is not absolute`},
		{"unix:/a\x00b", "path has a zero byte"},
		{"unix:/" + strings.Repeat("x", 107), "path of 108 bytes is too long for a socket; at most 107"},
		{"[fe80::1%nowhere]:0", `bind [fe80::1%nowhere]:0: zone "nowhere": `},
	} {
		_, err := sock.Bind(sliced(c.address), 1)
		var refused *sock.BindError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Bind(%q) error %v, want %s", c.address, err, c.want)
		}
	}
}

func TestFailureLeavesNothingOpen(t *testing.T) {
	before := openFiles(t)
	for nth := range 4 {
		n := 0
		sock.ReplaceSocket(t, func(family, kind, proto int) (int, error) {
			if n++; n > nth {
				return -1, unix.EMFILE
			}
			return unix.Socket(family, kind, proto)
		})
		_, err := sock.Bind(sliced("127.0.0.1:0"), 4)
		wantRefused(t, err, unix.EMFILE, "too many descriptors are open")
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors open after failures, %d before", after, before)
	}
}

func TestCloseFreesTheAddress(t *testing.T) {
	before := openFiles(t)
	s := bind(t, sliced("127.0.0.1:0"), 3)
	listen(t, s, 0, 1, 2)
	s.Close()
	s.Close()
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors open after Close, %d before Bind", after, before)
	}
	if err := dial("tcp", s.Bound); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("connect after Close: %v, want connection refused", err)
	}
	if err := s.Listen(0); err == nil {
		t.Error("Listen after Close = nil, want an error")
	}
}
