package loop_test

import (
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"srvctl/worker/loop"
)

// patience bounds every wait for a signal. Nothing is decided by it: a test in
// which it runs out has failed.
const patience = 20 * time.Second

// rig is a loop on a goroutine of its own. What its connections do is said by
// funcs that run there; a test that looks at their state does so with on.
type rig struct {
	t     testing.TB
	loop  *loop.Loop
	donec chan error
	once  sync.Once

	// Called on the loop for what is accepted; by default it is kept.
	accept func(c *link)
	short  func(err error, refused *loop.Socket, listener int)
	links  []*link // accepted, in order
	linkc  chan *link
}

// newRig makes a loop that does not run yet.
func newRig(t testing.TB) *rig {
	t.Helper()
	l, err := loop.New()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, loop: l, donec: make(chan error, 1), linkc: make(chan *link, 10_000)}
	t.Cleanup(l.Close)
	return r
}

// start runs the loop until the test ends.
func (r *rig) start() *rig {
	go func() { r.donec <- r.loop.Run() }()
	r.t.Cleanup(r.stop)
	return r
}

func (r *rig) stop() {
	r.once.Do(func() {
		r.loop.Post(func() {
			r.loop.Each(func(ev loop.Events) { ev.(*link).Socket.Close() })
			if n := r.loop.Sockets(); n != 0 {
				r.t.Errorf("%d connections are open after all were closed", n)
			}
		})
		r.loop.Stop()
		if err := wait(r.t, r.donec, "the loop to end"); err != nil {
			r.t.Errorf("Run: %v", err)
		}
	})
}

// on runs f on the loop and waits for it.
func (r *rig) on(f func()) {
	r.t.Helper()
	done := make(chan struct{})
	r.loop.Post(func() { f(); close(done) })
	wait(r.t, done, "the loop to run a function")
}

// turns waits until the loop has gone round a few times, so that what was
// there to be seen has been seen.
func (r *rig) turns() {
	r.t.Helper()
	for range 3 {
		r.on(func() {})
	}
}

func wait[T any](t testing.TB, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
	return v
}

// Accepted is the Accepter's.
func (r *rig) Accepted(s *loop.Socket, listener int) {
	c := &link{Socket: s, rig: r, listener: listener}
	s.SetEvents(c)
	r.links = append(r.links, c)
	if r.accept != nil {
		r.accept(c)
	} else {
		s.Watch(true, false)
	}
	r.linkc <- c
}

// Short is the Accepter's.
func (r *rig) Short(err error, refused *loop.Socket, listener int) {
	if r.short == nil {
		r.t.Errorf("accepting pauses: %v", err)
		return
	}
	r.short(err, refused, listener)
}

// link is the owner of a connection: it notes events, and then does what the
// test wants.
type link struct {
	*loop.Socket
	rig      *rig
	listener int
	log      string // a letter for each event

	readable, writable, continued, expired, hangup func(c *link)
}

func (c *link) note(letter string, f func(*link)) {
	c.log += letter
	if f != nil {
		f(c)
	}
}

func (c *link) Readable() { c.note("r", c.readable) }
func (c *link) Writable() { c.note("w", c.writable) }
func (c *link) Continue() { c.note("c", c.continued) }
func (c *link) Expired()  { c.note("x", c.expired) }
func (c *link) Hangup()   { c.note("h", c.hangup) }

// echo sends back what comes.
func echo(c *link) {
	var buf [4096]byte
	n, err := c.Read(buf[:])
	switch {
	case n > 0:
		_, _ = c.Write(buf[:n])
	case err != syscall.EAGAIN:
		c.Close()
	}
}

// listen opens a listening socket on 127.0.0.1.
func listen(t testing.TB, backlog int) (fd int, addr string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, backlog); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(sa.(*unix.SockaddrInet4).Port)).String()
}

// serve listens with a loop that runs.
func serve(t testing.TB) (r *rig, addr string) {
	t.Helper()
	r = newRig(t)
	fd, addr := listen(t, 128)
	if _, err := r.loop.Listen(fd, 7, false, r); err != nil {
		t.Fatal(err)
	}
	return r.start(), addr
}

// dial connects and takes the other end from the loop.
func (r *rig) dial(addr string) (net.Conn, *link) {
	r.t.Helper()
	c := dial(r.t, addr)
	return c, wait(r.t, r.linkc, "the connection to be accepted")
}

func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// says sends and reads as much back.
func says(t testing.TB, c net.Conn, s string) {
	t.Helper()
	if _, err := c.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	hears(t, c, s)
}

func hears(t testing.TB, c net.Conn, want string) {
	t.Helper()
	buf := make([]byte, len(want))
	for n := 0; n < len(buf); {
		k, err := c.Read(buf[n:])
		if n += k; err != nil {
			t.Fatalf("read %q: %v; want %q", buf[:n], err, want)
		}
	}
	if string(buf) != want {
		t.Fatalf("read %q, want %q", buf, want)
	}
}
