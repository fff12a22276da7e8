package sock

// Inside the package: which of two ways found a handshake does not show outside.

import (
	"net"
	"net/netip"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A listener that waits for data leaves a handshake half open on its side until
// the client has sent some.
func halfOpen(t *testing.T, network, host string) netip.AddrPort {
	t.Helper()
	var l net.ListenConfig
	l.Control = func(_, _ string, c syscall.RawConn) (err error) {
		c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 30) })
		return err
	}
	ln, err := l.Listen(t.Context(), network, net.JoinHostPort(host, "0"))
	if err != nil && network == "tcp6" {
		t.Skip("NOT RUN: no IPv6 here: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	at := ln.Addr().(*net.TCPAddr).AddrPort()
	c, err := net.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr(host), at.Port()).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return at
}

func TestHandshakes(t *testing.T) {
	for _, tt := range []struct{ network, host string }{
		{"tcp4", "127.0.0.1"}, {"tcp6", "::1"},
	} {
		t.Run(tt.network, func(t *testing.T) { findHandshake(t, tt.network, tt.host) })
	}
}

func findHandshake(t *testing.T, network, host string) {
	at := halfOpen(t, network, host)
	ours := func(a netip.AddrPort) bool { return a.Port() == at.Port() }
	for name, look := range map[string]func(func(netip.AddrPort) bool) (map[string]bool, error){
		"handshakes": handshakes, "readHandshakes": readHandshakes,
	} {
		if found, err := look(ours); err != nil || len(found) != 1 {
			t.Errorf("%s at %v: %d, %v; want the one that is half open", name, at, len(found), err)
		}
		if found, err := look(func(netip.AddrPort) bool { return false }); err != nil || len(found) != 0 {
			t.Errorf("%s of others: %d, %v", name, len(found), err)
		}
	}
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		found := map[string]bool{}
		if err := diagnose(family, ours, found); err != nil {
			t.Errorf("the kernel cannot be asked: %v", err)
		} else if want := (family == unix.AF_INET) == (network == "tcp4"); (len(found) == 1) != want {
			t.Errorf("family %d at %v: %d", family, at, len(found))
		}
	}
}
