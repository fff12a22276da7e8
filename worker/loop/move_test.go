package loop_test

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/worker/loop"
)

// move takes a connection out of one loop and into another, which may be the
// same, and leaves a copy of the descriptor open: the kernel would close the
// connection with the last one only.
func move(t *testing.T, from *rig, c *link, to *rig) (moved *link, copied int) {
	t.Helper()
	var fd int
	from.on(func() {
		c.SetDeadline(from.loop.Now() + 1) // nothing of which happens any more
		c.Requeue()
		fd = c.Detach()
	})
	copied, err := unix.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(copied) })
	to.on(func() {
		moved = to.adopt(fd, c)
		moved.readable = echo
		moved.Watch(true, false)
	})
	return moved, copied
}

func (r *rig) adopt(fd int, c *link) *link {
	s := r.loop.Adopt(fd, c.Peer())
	m := &link{Socket: s, rig: r}
	s.SetEvents(m)
	return m
}

func TestDetachAndAdopt(t *testing.T) {
	a, addr := serve(t)
	client, c := a.dial(addr)
	b := newRig(t).start()
	moved, copied := move(t, a, c, b)
	says(t, client, "hello")
	a.turns()
	a.on(func() {
		if c.log != "" || a.loop.Sockets() != 0 {
			t.Errorf("the loop that gave it away sees %q and counts %d", c.log, a.loop.Sockets())
		}
	})
	b.on(func() {
		if moved.Peer() != c.Peer() || b.loop.Sockets() != 1 {
			t.Errorf("adopted: client %v, %d connections; want %v, 1", moved.Peer(), b.loop.Sockets(), c.Peer())
		}
		moved.Close()
	})
	// It is closed, and not looked at any more, whoever else holds it.
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("client reads %v, want the end", err)
	}
	before := moved.log
	_, _ = client.Write([]byte("x"))
	b.turns()
	b.on(func() {
		if moved.log != before {
			t.Errorf("events %q after %q: the other holder's descriptor fires", moved.log, before)
		}
	})
	unix.Close(copied)
}

func TestAbortOfASharedConnection(t *testing.T) {
	r, addr := serve(t)
	client, c := r.dial(addr)
	moved, _ := move(t, r, c, r)
	r.on(moved.Abort)
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("client reads %v, want a reset", err)
	}

	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	copied, err := unix.Dup(pair[1])
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(copied)
	r.on(func() {
		m := r.adopt(pair[1], c)
		m.Watch(true, false)
		m.Abort()
	})
	if n, err := unix.Read(pair[0], make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("the other end of a unix socket reads %d, %v; want the end", n, err)
	}
}

// Both connections are ready in the same turn. The first to be told detaches
// the other, and what gets its number next is not told of its event.
func TestStaleEventOfADetached(t *testing.T) {
	r, addr := serve(t)
	clientA, a := r.dial(addr)
	clientB, b := r.dial(addr)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	var heir *link
	inherit := func(loser *link) func(*link) {
		return func(winner *link) {
			if heir != nil {
				t.Error("the event reached a connection that is gone")
				return
			}
			number := loser.Detach()
			if err := unix.Dup3(pair[1], number, unix.O_CLOEXEC); err != nil {
				t.Error(err)
			}
			heir = r.adopt(number, loser)
			heir.Watch(true, false)
			var buf [16]byte
			_, _ = winner.Read(buf[:])
		}
	}
	r.on(func() { // both get ready while the loop looks elsewhere
		a.readable, b.readable = inherit(b), inherit(a)
		for _, client := range []net.Conn{clientA, clientB} {
			if _, err := client.Write([]byte("x")); err != nil {
				t.Error(err)
			}
		}
	})
	r.turns()
	r.on(func() {
		if heir == nil || a.log+b.log != "r" || heir.log != "" {
			t.Fatalf("events %q, %q, and of the heir; want one for one of the two", a.log, b.log)
		}
		a.readable, b.readable = echo, echo // of the client that is left, until the end
	})
	unix.Close(pair[1])
}

// watched is a descriptor that is looked at beside the connections.
func watched(t *testing.T, r *rig, ready func(fd int)) (w *loop.Watch, other int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pair[0]); unix.Close(pair[1]) })
	r.on(func() {
		if w, err = r.loop.Watch(pair[0], func() { ready(pair[0]) }); err != nil {
			t.Error(err)
		}
	})
	return w, pair[1]
}

func TestWatchedDescriptor(t *testing.T) {
	r := newRig(t).start()
	calls := make(chan int, 100)
	var w *loop.Watch
	w, other := watched(t, r, func(fd int) {
		n, _ := unix.Read(fd, make([]byte, 16))
		w.Writable(false)
		calls <- n
	})
	r.on(func() {
		if r.loop.Sockets() != 0 {
			t.Errorf("%d connections, want none", r.loop.Sockets())
		}
		r.loop.Each(func(loop.Events) { t.Error("it is no connection") })
	})
	if _, err := unix.Write(other, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if n := wait(t, calls, "the frame"); n != 5 {
		t.Errorf("read %d bytes, want 5", n)
	}
	r.on(func() { w.Writable(true) })
	if n := wait(t, calls, "that it can be written to"); n != -1 {
		t.Errorf("read %d, want that there is nothing", n)
	}
	r.on(func() {
		w.Remove()
		w.Writable(true)
		w.Remove()
	})
	if _, err := unix.Write(other, []byte("x")); err != nil {
		t.Fatal(err)
	}
	r.turns()
	if len(calls) != 0 {
		t.Error("called after Remove")
	}
	r.on(func() {
		if _, err := r.loop.Watch(9999, func() {}); err == nil {
			t.Error("a descriptor that is not open was taken")
		}
	})
}
