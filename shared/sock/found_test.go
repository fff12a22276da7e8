package sock_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/shared/sock"
)

func TestIdentify(t *testing.T) {
	needIPv6(t)
	path := socketPath(t)
	var six [16]byte
	one := six
	one[15] = 1
	for _, c := range []struct {
		given given
		want  sock.Found // %d is the port
	}{
		{given{family: unix.AF_INET, address: &unix.SockaddrInet4{Addr: loopback}}, sock.Found{Address: "127.0.0.1:%d"}},
		{given{family: unix.AF_INET, address: &unix.SockaddrInet4{}, listen: true, reuse: true}, sock.Found{Address: "0.0.0.0:%d", ReusePort: true, Listening: true}},
		{given{family: unix.AF_INET6, address: &unix.SockaddrInet6{Addr: six}}, sock.Found{Address: ":%d"}},
		{given{family: unix.AF_INET6, address: &unix.SockaddrInet6{Addr: six}, only: true, listen: true}, sock.Found{Address: "[::]:%d", Listening: true}},
		{given{family: unix.AF_INET6, address: &unix.SockaddrInet6{Addr: one}, reuse: true}, sock.Found{Address: "[::1]:%d", ReusePort: true}},
		{given{family: unix.AF_UNIX, address: &unix.SockaddrUnix{Name: path}, listen: true}, sock.Found{Address: "unix:" + path, Unix: true, Listening: true}},
	} {
		fd := c.given.make(t)
		c.want.FD = fd
		if !c.want.Unix {
			c.want.Address = fmt.Sprintf(c.want.Address, portOf(t, fd))
		}
		if got, err := sock.Identify(fd); err != nil || got != c.want {
			t.Errorf("Identify = %+v, %v, want %+v", got, err, c.want)
		}
	}
	mptcp, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)
	if err != nil {
		t.Skip("NOT RUN: no MPTCP here: ", err)
	}
	defer unix.Close(mptcp)
	if _, err := sock.Identify(mptcp); err == nil {
		t.Error("an MPTCP socket is identified as one of use")
	}
}

func TestAddressesThatMeanASocket(t *testing.T) {
	dir := filepath.Dir(socketPath(t))
	if err := os.Symlink(dir, dir+"/link"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/s", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		asked, have string
		want        bool
	}{
		{":80", ":80", true},
		{"*:80", ":80", true},
		{":80", ":81", false},
		{":80", "[::]:80", false}, // IPv4 would be missing
		{":80", "0.0.0.0:80", false},
		{":80", "127.0.0.1:80", false},
		{"[::]:80", "[::]:80", true},
		{"[::]:80", ":80", true},
		{"[::]:80", "0.0.0.0:80", false},
		{"0.0.0.0:80", "0.0.0.0:80", true},
		{"0.0.0.0:80", ":80", false},
		{"127.0.0.1:80", "127.0.0.1:80", true},
		{"[::ffff:127.0.0.1]:80", "127.0.0.1:80", true},
		{"127.0.0.1:80", "127.0.0.2:80", false},
		{"127.0.0.1:80", "0.0.0.0:80", false},
		{"[::1]:80", "[0:0::1]:80", true},
		{"[::1]:80", ":80", false},
		{"localhost:80", "127.0.0.1:80", true},
		{"localhost:80", ":80", false},
		{":0", ":80", false},
		{"unix:" + dir + "/s", "unix:" + dir + "/s", true},
		{"unix:" + dir + "/./x/../s", "unix:" + dir + "/s", true},
		{"unix:" + dir + "/link/s", "unix:" + dir + "/s", true},
		{"unix:" + dir + "/t", "unix:" + dir + "/s", false},
		{"unix:" + dir + "/s", ":80", false},
		{":80", "unix:" + dir + "/s", false},
		{"nonsense", "nonsense", false},
	} {
		if got := (sock.Found{Address: c.have}).Matches(sock.Spec{Address: c.asked}); got != c.want {
			t.Errorf("%s means %s: %t, want %t", c.asked, c.have, got, c.want)
		}
	}
}

func TestPortAloneMeansIPv4WithoutIPv6(t *testing.T) {
	sock.ReplaceSocket(t, func(family, kind, proto int) (int, error) {
		if family == unix.AF_INET6 {
			return -1, unix.EAFNOSUPPORT
		}
		return unix.Socket(family, kind, proto)
	})
	was := bind(t, sliced(":0"), 1)
	listen(t, was, 0)
	spec := sliced(fmt.Sprintf(":%d", port(was)))
	if f, err := sock.Identify(was.Files[0]); err != nil || !f.Matches(spec) {
		t.Errorf("%+v, %v does not match %s", f, err, spec.Address)
	}
	s := adopt(t, spec, 3, was.Files...)
	if s.Shared || len(s.Files) != 3 || s.Bound != was.Bound {
		t.Errorf("shared %t, %d sockets, bound %s", s.Shared, len(s.Files), s.Bound)
	}
}

func TestIPv6AddressWithASocketForBothIsNoted(t *testing.T) {
	needIPv6(t)
	fd := given{family: unix.AF_INET6, address: &unix.SockaddrInet6{}, reuse: true, listen: true}.make(t)
	s := adopt(t, sliced(fmt.Sprintf("[::]:%d", portOf(t, fd))), 2, fd)
	if want := "takes IPv4 too: its unit needs BindIPv6Only=ipv6-only"; s.Note != "the socket that was given "+want {
		t.Errorf("Note = %q", s.Note)
	}
	listen(t, s, 0, 1) // the second one joins: it takes both families too
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		if err := dial("tcp", fmt.Sprintf("%s:%d", host, port(s))); err != nil {
			t.Error(err)
		}
	}
}
