package sock_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/shared/sock"
)

func TestConflictNamesTheOtherServer(t *testing.T) {
	for _, option := range [][]string{nil, {"reuseport"}} {
		other := start(t, -1, nil, "listen", append([]string{"tcp4", "127.0.0.1:0"}, option...)...)
		at := netip.MustParseAddrPort(other.line)
		for _, address := range []string{other.line, fmt.Sprintf(":%d", at.Port()), fmt.Sprintf("0.0.0.0:%d", at.Port())} {
			for _, reuse := range []bool{true, false} {
				_, err := sock.Bind(sock.Spec{Address: address, ReusePort: reuse}, 2)
				wantRefused(t, err, unix.EADDRINUSE, "bind "+address+": address already in use: ",
					fmt.Sprintf("(pid %d) listens there; stop it or give this listener another address", other.pid))
			}
		}
		other.stop()
		bind(t, sliced(other.line), 2)
	}
}

func TestConflictWithOurselvesIsSaid(t *testing.T) {
	s := bind(t, sliced("127.0.0.1:0"), 1)
	listen(t, s, 0)
	_, err := sock.Bind(sliced(s.Bound), 1)
	wantRefused(t, err, unix.EADDRINUSE, "this server itself listens there; two listeners")
}

func TestConflictWithAnotherUser(t *testing.T) {
	needRoot(t)
	server := bind(t, sliced("127.0.0.1:0"), 1)
	listen(t, server, 0)
	us := start(t, nobody, nil, "bind", server.Bound)
	if want := "a process of user root (uid 0) listens there; stop it or give this listener another address (as root, this shows it: ss -ltnp"; !strings.Contains(us.line, want) {
		t.Errorf("as another user Bind says\n%s\nwant\n%s", us.line, want)
	}
}

// Another server that binds between our Bind and our first Listen, as the same
// user and with SO_REUSEPORT, would be let in by the kernel.
func TestServerThatCameBetweenIsFound(t *testing.T) {
	s := bind(t, sliced("127.0.0.1:0"), 2)
	other := start(t, -1, nil, "listen", "tcp4", s.Bound, "reuseport")
	if other.line != s.Bound {
		t.Fatalf("the other server could not join: %s", other.line)
	}
	wantRefused(t, s.Listen(0), unix.EADDRINUSE, fmt.Sprintf("(pid %d) listens there", other.pid))
	other.stop()
	listen(t, s, 0, 1)
}

func TestOverlappingListenersOfOurOwnMayListen(t *testing.T) {
	all := bind(t, sliced("0.0.0.0:0"), 1)
	one := bind(t, sliced(fmt.Sprintf("127.0.0.1:%d", port(all))), 1)
	listen(t, all, 0)
	listen(t, one, 0)
	if err := dial("tcp", one.Bound); err != nil {
		t.Fatal(err)
	}
	if i, _ := accept(t, all.Files[0], one.Files[0]); i != 1 {
		t.Error("the connection came to 0.0.0.0, want the more precise address")
	}
}

// Nobody listens, but the port is taken: the local end of a connection.
func TestConflictWithAConnection(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = sock.Bind(sliced(c.LocalAddr().String()), 1)
	wantRefused(t, err, unix.EADDRINUSE, "no process listens on port", "ss -tanp")
}

func TestRestartIsNotHeldUpByOldConnections(t *testing.T) {
	s := bind(t, sliced("127.0.0.1:0"), 1)
	listen(t, s, 0)
	c, err := net.Dial("tcp4", s.Bound)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, conn := accept(t, s.Files...)
	unix.Shutdown(conn, unix.SHUT_RDWR) // our side closes first: it keeps the port in FIN_WAIT or TIME_WAIT
	s.Close()
	again := bind(t, sliced(s.Bound), 2)
	listen(t, again, 0, 1)
}

func TestAddressThatIsNotHere(t *testing.T) {
	_, err := sock.Bind(sliced("192.0.2.1:0"), 1) // TEST-NET-1, RFC 5737: nobody's
	wantRefused(t, err, unix.EADDRNOTAVAIL, "no interface of this machine has it; it has 127.0.0.1")
}

func TestLowPortAsAnOrdinaryUser(t *testing.T) {
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if strings.TrimSpace(string(b)) != "1024" {
		t.Skipf("NOT RUN: ports below 1024 are free here: %s %v", b, err)
	}
	p := start(t, ordinary(), nil, "bind", "127.0.0.1:81")
	for _, want := range []string{
		"bind 127.0.0.1:81: permission denied: ports below 1024 need root or the capability CAP_NET_BIND_SERVICE",
		"or a port from 1024 on",
	} {
		if !strings.Contains(p.line, want) {
			t.Errorf("Bind says %q, want %q", p.line, want)
		}
	}
}

func TestOrdinaryUserCanBind(t *testing.T) {
	p := start(t, ordinary(), nil, "bind", "127.0.0.1:0")
	if !strings.HasPrefix(p.line, "bound 127.0.0.1:") {
		t.Errorf("as an ordinary user: %s", p.line)
	}
}
