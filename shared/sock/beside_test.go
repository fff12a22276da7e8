package sock_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"srvctl/shared/sock"
)

// A reload changes the address of a listener to one that overlaps it. The old
// sockets serve until the new ones listen, and then what is in their queues.
func TestBindBesideOurOwn(t *testing.T) {
	for _, c := range []struct {
		old, next string // %d is the port
		precise   bool   // next gets the connections of 127.0.0.1 while both listen
	}{
		{":0", "127.0.0.1:%d", true},
		{"127.0.0.1:0", ":%d", false},
		{":0", "0.0.0.0:%d", true},
		{"0.0.0.0:0", ":%d", false},
		{"0.0.0.0:0", "127.0.0.1:%d", true},
		{"127.0.0.1:0", "0.0.0.0:%d", false},
	} {
		for _, oldReuse := range []bool{true, false} {
			for _, nextReuse := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s to %s, reuseport %t to %t", c.old, c.next, oldReuse, nextReuse), func(t *testing.T) {
					if c.old[0] == ':' || c.next[0] == ':' {
						needIPv6(t)
					}
					const slots = 2
					old := bind(t, sock.Spec{Address: c.old, ReusePort: oldReuse}, slots)
					listen(t, old, 0, 1)
					spec := sock.Spec{Address: fmt.Sprintf(c.next, port(old)), ReusePort: nextReuse}
					if _, err := sock.Bind(spec, slots); err == nil {
						t.Fatal("Bind = nil, want it refused: nobody asked for the old listener's sockets")
					}
					next, err := sock.BindBeside(spec, slots, []*sock.Set{old})
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(next.Close)
					if next.Shared == nextReuse {
						t.Errorf("shared %t", next.Shared)
					}
					moveOver(t, old, next, c.precise)
				})
			}
		}
	}
}

// moveOver checks who gets the connections, before, while and after.
func moveOver(t *testing.T, old, next *sock.Set, precise bool) {
	t.Helper()
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port(old)).String()
	count := func(s *sock.Set) (n int) {
		for _, fd := range s.Files {
			n += serve(t, fd)
		}
		return n
	}
	var clients []net.Conn
	come := func(n int) {
		for range n {
			c, err := net.DialTimeout("tcp", at, 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			clients = append(clients, c)
		}
	}
	come(20)
	listen(t, next, 0, 1)
	come(20)
	wantOld, wantNew := 40, 0
	if precise {
		wantOld, wantNew = 20, 20
	}
	if o, n := count(old), count(next); o != wantOld || n != wantNew {
		t.Errorf("while both listen: %d for the old one, %d for the new one, want %d and %d", o, n, wantOld, wantNew)
	}
	if err := old.Refuse(); err != nil {
		t.Fatal(err)
	}
	come(20)
	old.Close()
	come(20)
	if n := count(next); n != 40 {
		t.Errorf("from Refuse of the old one on %d of 40 came to the new one", n)
	}
	wantAnswers(t, clients)
}

func TestBindBesideAnotherServerIsRefused(t *testing.T) {
	other := start(t, -1, nil, "listen", "tcp4", "127.0.0.1:0", "reuseport")
	at := netip.MustParseAddrPort(other.line)
	// Ours is elsewhere on the same port; theirs is in the way.
	own := bind(t, sliced(fmt.Sprintf("127.0.0.2:%d", at.Port())), 1)
	listen(t, own, 0)
	_, err := sock.BindBeside(sliced(fmt.Sprintf("0.0.0.0:%d", at.Port())), 2, []*sock.Set{own})
	wantRefused(t, err, unix.EADDRINUSE, fmt.Sprintf("(pid %d)", other.pid))
	_, err = sock.BindBeside(sliced(other.line), 2, []*sock.Set{own})
	wantRefused(t, err, unix.EADDRINUSE, fmt.Sprintf("(pid %d) listens there", other.pid))
	other.stop()
	s, err := sock.BindBeside(sliced(fmt.Sprintf("0.0.0.0:%d", at.Port())), 2, []*sock.Set{own})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	listen(t, s, 0, 1)
}

// Somebody joins between BindBeside and the first Listen.
func TestServerThatCameBetweenIsFoundBesideOurOwn(t *testing.T) {
	own := bind(t, sock.Spec{Address: "0.0.0.0:0"}, 1)
	listen(t, own, 0)
	for _, spec := range []sock.Spec{sliced(""), {}} {
		spec.Address = fmt.Sprintf("127.0.0.1:%d", port(own))
		s, err := sock.BindBeside(spec, 2, []*sock.Set{own})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		other := start(t, -1, nil, "listen", "tcp4", s.Bound, "reuseport")
		if other.line != s.Bound {
			t.Fatalf("the other server could not join: %s", other.line)
		}
		wantRefused(t, s.Listen(0), unix.EADDRINUSE)
		other.stop()
		listen(t, s, 0)
		s.Close()
	}
}
