package loop_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"srvctl/worker/loop"
)

// again runs f in a process of its own: this test, started anew with env.
func again(t *testing.T, env string, f func()) {
	t.Helper()
	const mark = "SRVCTL_TEST_AGAIN"
	if os.Getenv(mark) == t.Name() {
		f()
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$", "-test.v", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), mark+"="+t.Name(), env)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// scarce is a process with few descriptors.
type scarce struct {
	t       *testing.T
	fillers []int
}

// fill takes all descriptors but free.
func fill(t *testing.T, free int) *scarce {
	s := &scarce{t: t}
	limit := unix.Rlimit{Cur: 128, Max: 128}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	for {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		s.fillers = append(s.fillers, fd)
	}
	s.release(free)
	return s
}

// release gives n descriptors back.
func (s *scarce) release(n int) {
	for _, fd := range s.fillers[:n] {
		unix.Close(fd)
	}
	s.fillers = s.fillers[n:]
}

// The loop runs out of descriptors with clients in the queue. Until there are
// some again, one client is turned away in each try; then all are accepted.
func TestOutOfDescriptors(t *testing.T) {
	for _, tries := range []int{1, 3} {
		t.Run(fmt.Sprint(tries), func(t *testing.T) {
			again(t, "", func() { outOfDescriptors(t, tries) })
		})
	}
}

func outOfDescriptors(t *testing.T, tries int) {
	const clients, free = 10, 3
	r := newRig(t)
	fd, addr := listen(t, 64)
	var conns []net.Conn
	for range clients {
		conns = append(conns, dial(t, addr))
	}
	s := fill(t, free)
	var story []string
	donec := make(chan struct{})
	begin := time.Now()
	r.accept = func(c *link) {
		story = append(story, "accepted")
		c.readable = echo
		c.Watch(true, false)
		if len(r.links) == clients-tries {
			close(donec)
		}
	}
	shorts := 0
	r.short = func(err error, refused *loop.Socket, listener int) {
		switch {
		case err == nil:
			story = append(story, "over")
		case err != unix.EMFILE || refused == nil || listener != 7:
			t.Errorf("Short(%v, %v, %d), want EMFILE, a client and 7", err, refused, listener)
		default:
			story = append(story, "short")
			_, _ = refused.Write([]byte("no"))
			refused.CloseWrite()
			refused.Close()
			if shorts++; shorts == tries {
				s.release(20)
			}
		}
	}
	turns := 0
	r.loop.Turn = func() { turns++ }
	if _, err := r.loop.Listen(fd, 7, false, r); err != nil {
		t.Fatal(err)
	}
	r.start()
	wait(t, donec, "all that can be accepted")
	r.on(func() {
		want := strings.Repeat("accepted ", free) + strings.Repeat("short ", tries) + "over " +
			strings.Repeat("accepted ", clients-free-tries)
		if got := strings.Join(story, " ") + " "; got != want {
			t.Errorf("the story is %q, want %q", got, want)
		}
		if turns > 100+10*tries {
			t.Errorf("%d turns: the loop spun while it paused", turns)
		}
		if d := time.Since(begin); d < time.Duration(tries)*100*time.Millisecond {
			t.Errorf("it took %v, want a pause of 100ms after each try", d)
		}
	})
	refused := 0
	for _, c := range conns {
		_, _ = c.Write([]byte("hello"))
		got := make([]byte, 5)
		if n, err := io.ReadFull(c, got); err != nil {
			refused++
			if n != 0 && string(got[:n]) != "no" {
				t.Errorf("a client got %q, %v", got[:n], err)
			}
		} else if string(got) != "hello" {
			t.Errorf("a client got %q", got)
		}
	}
	if refused != tries {
		t.Errorf("%d clients were turned away, want %d", refused, tries)
	}
}

// The last descriptor is in use, and nobody waits: that is no shortage.
func TestJustEnoughDescriptors(t *testing.T) {
	again(t, "", func() {
		const clients = 3
		r := newRig(t) // its Short fails the test
		fd, addr := listen(t, 64)
		for range clients {
			dial(t, addr)
		}
		fill(t, clients)
		if _, err := r.loop.Listen(fd, 7, false, r); err != nil {
			t.Fatal(err)
		}
		r.start()
		for range clients {
			wait(t, r.linkc, "a connection")
		}
		r.turns()
	})
}

// A listener that is removed during its pause stays away.
func TestRemoveDuringThePause(t *testing.T) {
	again(t, "", func() {
		r := newRig(t)
		fd, addr := listen(t, 64)
		for range 5 {
			dial(t, addr)
		}
		s := fill(t, 1)
		var n *loop.Listener
		toldc := make(chan struct{}, 10)
		r.short = func(err error, refused *loop.Socket, listener int) {
			refused.Close()
			toldc <- struct{}{}
		}
		n, err := r.loop.Listen(fd, 7, false, r)
		if err != nil {
			t.Fatal(err)
		}
		r.start()
		wait(t, toldc, "Short")
		donec := make(chan struct{})
		r.on(func() {
			n.Remove()
			s.release(20)
			r.loop.Timer(int64(300*time.Millisecond), func() int64 { close(donec); return 0 })
		})
		wait(t, donec, "the pause to be over")
		r.on(func() {
			if len(r.links) != 1 {
				t.Errorf("%d connections were accepted, want the one before the pause", len(r.links))
			}
		})
	})
}

// Draining a queue answers everybody in it, with or without descriptors.
func TestDrainOutOfDescriptors(t *testing.T) {
	again(t, "", func() {
		r := newRig(t)
		fd, addr := listen(t, 64)
		for range 5 {
			dial(t, addr)
		}
		fill(t, 2)
		refused := 0
		r.short = func(err error, s *loop.Socket, listener int) {
			s.Close()
			refused++
		}
		r.start()
		r.on(func() { r.loop.Drain(fd, 7, r, 100) })
		if len(r.links) != 2 || refused != 3 {
			t.Errorf("%d accepted, %d refused; want 2 and 3", len(r.links), refused)
		}
	})
}
