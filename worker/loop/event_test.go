package loop_test

import (
	"syscall"
	"testing"

	"srvctl/worker/loop"
)

// Two connections are ready in the same turn. The first to be told closes the
// other, and a new connection gets its descriptor: the event that was fetched
// for the old one must not reach the new one.
func TestStaleEvent(t *testing.T) {
	r := newRig(t)
	fd, addr := listen(t, 64)
	other, addrB := listen(t, 64)
	if _, err := r.loop.Listen(fd, 0, false, r); err != nil {
		t.Fatal(err)
	}
	r.start()
	clientA, a := r.dial(addr)
	clientB, b := r.dial(addr)
	clientC := dial(t, addrB) // waits in a queue nobody looks at yet

	var c *link
	replace := func(winner, loser *link) func(*link) {
		return func(*link) {
			if c != nil {
				t.Error("the event reached a connection that is closed")
				return
			}
			was := loser.FD()
			loser.Close()
			r.loop.Drain(other, 1, r, 1)
			c = r.links[len(r.links)-1]
			if c.FD() != was {
				t.Errorf("the new connection has descriptor %d, the test needs %d", c.FD(), was)
			}
			var buf [16]byte
			_, _ = winner.Read(buf[:])
		}
	}
	r.on(func() { // both get ready while the loop looks elsewhere
		a.readable, b.readable = replace(a, b), replace(b, a)
		for _, client := range []interface{ Write([]byte) (int, error) }{clientA, clientB} {
			if _, err := client.Write([]byte("x")); err != nil {
				t.Error(err)
			}
		}
	})
	r.turns()
	r.on(func() {
		if c == nil || a.log+b.log != "r" {
			t.Fatalf("events %q and %q, want one for one of them", a.log, b.log)
		}
		if c.log != "" {
			t.Errorf("the new connection was told %q before its client sent anything", c.log)
		}
		a.readable, b.readable, c.readable = echo, echo, echo
	})
	says(t, clientC, "hello")
}

// A connection that closes itself while it is told of one thing is not told of
// another.
func TestCloseInAnEvent(t *testing.T) {
	r, addr := serve(t)
	client, c := r.dial(addr)
	r.on(func() {
		c.writable = func(c *link) { c.Close() }
		_, _ = client.Write([]byte("x"))
		c.Watch(true, true)
	})
	r.turns()
	r.on(func() {
		if c.log != "w" {
			t.Errorf("events %q, want one", c.log)
		}
	})
}

func TestWatch(t *testing.T) {
	r, addr := serve(t)
	client, c := r.dial(addr)
	r.on(func() { c.Watch(false, false) })
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	r.turns()
	r.on(func() {
		if c.log != "" {
			t.Errorf("events %q, want none: none are wanted", c.log)
		}
		c.writable = func(c *link) { c.Watch(false, false) }
		c.Watch(false, true)
	})
	r.turns()
	r.on(func() {
		if c.log != "w" {
			t.Errorf("events %q, want that it may write", c.log)
		}
		c.readable = echo
		c.Watch(true, false)
	})
	hears(t, client, "x")
}

// A broken connection is made known even if nothing is wanted of it, but one
// whose client only stopped sending is not broken.
func TestHangup(t *testing.T) {
	r, addr := serve(t)
	client, c := r.dial(addr)
	told := make(chan struct{}, 1)
	r.on(func() {
		c.Watch(false, false)
		c.hangup = func(c *link) { c.Close(); told <- struct{}{} }
	})
	_ = client.(interface{ CloseWrite() error }).CloseWrite()
	r.turns()
	r.on(func() {
		if c.log != "" {
			t.Errorf("events %q for a client that stopped sending, want none", c.log)
		}
	})
	reset(client)
	wait(t, told, "Hangup")

	client, c = r.dial(addr)
	r.on(func() {
		c.readable = func(c *link) {
			var buf [1]byte
			if _, err := c.Read(buf[:]); err != syscall.ECONNRESET {
				t.Errorf("Read of a connection that was reset: %v, want ECONNRESET", err)
			}
			c.Close()
			told <- struct{}{}
		}
	})
	reset(client)
	wait(t, told, "Readable: who reads is told by reading")
}

func TestRequeue(t *testing.T) {
	r, addr := serve(t)
	order, turn := "", 0
	r.on(func() { r.loop.Turn = func() { turn++ } })
	var cs []*link
	for range 3 {
		_, c := r.dial(addr)
		cs = append(cs, c)
	}
	left := 3
	began := 0
	r.on(func() {
		began = turn
		for i, c := range cs {
			name := string(rune('a' + i))
			c.continued = func(c *link) {
				if order += name; name == "a" && left > 0 {
					left--
					c.Requeue()
					c.Requeue() // twice is once
				}
			}
		}
		cs[1].Requeue()
		cs[0].Requeue()
		cs[2].Requeue()
		cs[0].Requeue()
	})
	r.turns()
	r.on(func() {
		if order != "bacaaa" {
			t.Errorf("turns were given in the order %s, want bac, then a for each turn it asked", order)
		}
		if turn-began < 4 {
			t.Errorf("%d turns, want one for each time it asked again", turn-began)
		}
	})
}

// Who asks again and again leaves the others their events.
func TestRequeueDoesNotStarve(t *testing.T) {
	r, addr := serve(t)
	_, greedy := r.dial(addr)
	client, modest := r.dial(addr)
	r.on(func() {
		greedy.continued = func(c *link) { c.Requeue() }
		greedy.Requeue()
		modest.readable = echo
	})
	for range 100 {
		says(t, client, "hello")
	}
	r.on(func() { greedy.continued = nil })
}

// A connection that is closed while it is queued gets no turn, and what is
// accepted then does not get it either.
func TestCloseWhileQueued(t *testing.T) {
	r, addr := serve(t)
	_, a := r.dial(addr)
	_, b := r.dial(addr)
	other, addrB := listen(t, 1)
	dial(t, addrB)
	var c *link
	r.on(func() {
		a.continued = func(*link) {
			b.Close()
			r.loop.Drain(other, 1, r, 1)
			c = r.links[len(r.links)-1]
			if c.Socket == b.Socket {
				t.Error("a connection that is still in the queue was handed out")
			}
		}
		a.Requeue()
		b.Requeue()
	})
	r.turns()
	r.on(func() {
		if a.log != "c" || b.log != "" || c == nil || c.log != "" {
			t.Errorf("events %q, %q, want a turn for the first only", a.log, b.log)
		}
		a.Close()
	})
	dial(t, addrB)
	r.on(func() {
		r.loop.Drain(other, 1, r, 1)
		if d := r.links[len(r.links)-1]; d.Socket != a.Socket {
			t.Error("the memory of a connection was not used again")
		}
	})
}

func TestEach(t *testing.T) {
	r, addr := serve(t)
	for range 20 {
		r.dial(addr)
	}
	r.on(func() {
		seen := map[loop.Events]bool{}
		r.loop.Each(func(ev loop.Events) {
			seen[ev] = true
			ev.(*link).Close()
		})
		if len(seen) != 20 || r.loop.Sockets() != 0 {
			t.Errorf("%d connections seen, %d left; want 20, 0", len(seen), r.loop.Sockets())
		}
	})
}
