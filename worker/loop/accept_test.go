package loop_test

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/worker/loop"
)

func TestAcceptBurst(t *testing.T) {
	for _, shared := range []bool{false, true} {
		r := newRig(t)
		fd, addr := listen(t, 256)
		const clients = 200
		var conns []net.Conn
		for range clients {
			conns = append(conns, dial(t, addr)) // waits in the queue
		}
		before, most := 0, 0
		r.accept = func(c *link) { c.readable = echo; c.Watch(true, false) }
		r.loop.Turn = func() {
			most = max(most, len(r.links)-before)
			before = len(r.links)
		}
		if _, err := r.loop.Listen(fd, 7, shared, r); err != nil {
			t.Fatal(err)
		}
		r.start()
		for range clients {
			if c := wait(t, r.linkc, "a connection"); c.listener != 7 {
				t.Fatalf("accepted from listener %d, want 7", c.listener)
			}
		}
		r.on(func() {
			if most != loop.Burst(shared) {
				t.Errorf("shared %t: %d connections were taken in a turn, want %d", shared, most, loop.Burst(shared))
			}
			if r.loop.Sockets() != clients {
				t.Errorf("%d connections are open, want %d", r.loop.Sockets(), clients)
			}
		})
		for _, c := range conns {
			says(t, c, "hello")
		}
		r.stop()
	}
}

func TestPeer(t *testing.T) {
	r := newRig(t)
	path := t.TempDir() + "/s"
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	_ = unix.Listen(fd, 1)
	fd4, addr4 := listen(t, 1)
	if _, err := r.loop.Listen(fd, 0, true, r); err != nil {
		t.Fatal(err)
	}
	if _, err := r.loop.Listen(fd4, 1, false, r); err != nil {
		t.Fatal(err)
	}
	r.start()
	u, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	if c := wait(t, r.linkc, "the connection"); c.Peer().IsValid() || c.listener != 0 {
		t.Errorf("peer %v on listener %d, want none on 0", c.Peer(), c.listener)
	}
	_, c := r.dial(addr4)
	if c.Peer() != netip.MustParseAddr("127.0.0.1") || c.listener != 1 {
		t.Errorf("peer %v on listener %d, want 127.0.0.1 on 1", c.Peer(), c.listener)
	}
}

// A client of IPv4 on a socket of both families has its own address.
func TestPeerIsUnmapped(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skip("NOT RUN: no IPv6 here")
	}
	t.Cleanup(func() { unix.Close(fd) })
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
	if err := unix.Bind(fd, &unix.SockaddrInet6{}); err != nil {
		t.Skip("NOT RUN: no IPv6 here")
	}
	_ = unix.Listen(fd, 1)
	sa, _ := unix.Getsockname(fd)
	r := newRig(t)
	if _, err := r.loop.Listen(fd, 0, false, r); err != nil {
		t.Fatal(err)
	}
	r.start()
	addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(sa.(*unix.SockaddrInet6).Port))
	if _, c := r.dial(addr.String()); c.Peer() != addr.Addr() {
		t.Errorf("peer %v, want %v", c.Peer(), addr.Addr())
	}
}

// A socket that does not listen yet has nobody who waits, which is no shortage.
func TestDrainBeforeListen(t *testing.T) {
	r := newRig(t)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	r.loop.Drain(fd, 7, r, 10)
	if n := r.loop.Sockets(); n != 0 {
		t.Errorf("%d connections were accepted", n)
	}
}

// Two loops share a socket. Every connection is accepted once, by one of them.
func TestSharedListener(t *testing.T) {
	fd, addr := listen(t, 256)
	var rigs [2]*rig
	var listeners [2]*loop.Listener
	for i := range rigs {
		r := newRig(t)
		r.accept = func(c *link) { c.readable = echo; c.Watch(true, false) }
		n, err := r.loop.Listen(fd, i, true, r)
		if err != nil {
			t.Fatal(err)
		}
		rigs[i], listeners[i] = r.start(), n
	}
	for range 100 {
		says(t, dial(t, addr), "hello")
	}
	a, b := 0, 0
	rigs[0].on(func() { a = rigs[0].loop.Sockets() })
	rigs[1].on(func() { b = rigs[1].loop.Sockets() })
	if a+b != 100 {
		t.Errorf("%d and %d connections were accepted, want 100 together", a, b)
	}
	rigs[0].on(listeners[0].Remove)
	for range 20 {
		says(t, dial(t, addr), "hello")
	}
	rigs[1].on(func() {
		if got := rigs[1].loop.Sockets(); got != b+20 {
			t.Errorf("the one that is left has %d connections, want %d", got, b+20)
		}
	})
}

func TestRemoveAndDrain(t *testing.T) {
	r := newRig(t)
	fd, addr := listen(t, 64)
	n, err := r.loop.Listen(fd, 7, false, r)
	if err != nil {
		t.Fatal(err)
	}
	r.start()
	r.dial(addr)
	r.on(n.Remove)
	r.on(n.Remove) // again does nothing
	for range 10 {
		dial(t, addr)
	}
	r.turns()
	r.on(func() {
		if got := r.loop.Sockets(); got != 1 {
			t.Errorf("%d connections, want 1: the listener was removed", got)
		}
		r.loop.Drain(fd, 7, r, 4)
		if got := r.loop.Sockets(); got != 5 {
			t.Errorf("%d connections after four of the queue were drained, want 5", got)
		}
		r.loop.Drain(fd, 7, r, 1000)
		if got := r.loop.Sockets(); got != 11 {
			t.Errorf("%d connections after the queue was drained, want 11", got)
		}
	})
	// It may be listened on again, also by the same number.
	r.on(func() {
		if _, err := r.loop.Listen(fd, 8, false, r); err != nil {
			t.Error(err)
		}
	})
	for len(r.linkc) > 0 {
		<-r.linkc
	}
	if _, c := r.dial(addr); c.listener != 8 {
		t.Errorf("accepted by listener %d, want 8", c.listener)
	}
}

// An Accepter may remove the listener in the middle of a burst.
func TestRemoveInABurst(t *testing.T) {
	r := newRig(t)
	fd, addr := listen(t, 64)
	for range 10 {
		dial(t, addr)
	}
	var n *loop.Listener
	r.accept = func(c *link) {
		if c.Watch(true, false); len(r.links) == 3 {
			n.Remove()
		}
	}
	n, err := r.loop.Listen(fd, 7, false, r)
	if err != nil {
		t.Fatal(err)
	}
	r.start()
	r.turns()
	r.on(func() {
		if got := len(r.links); got != 3 {
			t.Errorf("%d connections were accepted, want 3", got)
		}
	})
}

func TestListenOnWhatIsNotAListener(t *testing.T) {
	r := newRig(t)
	f, err := os.Open("/dev/null") // epoll takes no such file
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := r.loop.Listen(int(f.Fd()), 0, false, r); err == nil {
		t.Error("Listen took a file")
	}
	// A socket that does not listen is always ready, and accepting fails: the
	// loop must not spin.
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	told := make(chan error, 100)
	r.short = func(err error, refused *loop.Socket, _ int) { told <- err }
	turns := 0
	r.loop.Turn = func() { turns++ }
	n, err := r.loop.Listen(fd, 0, false, r)
	if err != nil {
		t.Fatal(err)
	}
	r.start()
	if err := wait(t, told, "Short"); err != unix.EINVAL {
		t.Errorf("Short(%v), want EINVAL", err)
	}
	wait(t, told, "the next try")
	r.on(func() {
		if turns > 50 {
			t.Errorf("%d turns for two tries", turns)
		}
		n.Remove()
	})
}
