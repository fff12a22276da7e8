package sock_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"srvctl/shared/sock"
)

func pair(t *testing.T) (a, b *sock.Conn) {
	t.Helper()
	x, y, err := sock.Pair()
	if err != nil {
		t.Fatal(err)
	}
	return conn(t, x), conn(t, y)
}

func conn(t *testing.T, fd int) *sock.Conn {
	t.Helper()
	c, err := sock.NewConn(fd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func send(t *testing.T, c *sock.Conn, frame string, fds ...int) {
	t.Helper()
	if err := c.Send([]byte(frame), fds); err != nil {
		t.Fatalf("Send(%.20q, %d descriptors): %v", frame, len(fds), err)
	}
}

// wantFrame reads one frame and returns its descriptors.
func wantFrame(t *testing.T, c *sock.Conn, want string) []int {
	t.Helper()
	buf := make([]byte, sock.MaxFrame)
	n, fds, err := c.Recv(buf)
	if err != nil || string(buf[:n]) != want {
		t.Fatalf("Recv = %.40q, %v; want %.40q", buf[:n], err, want)
	}
	return fds
}

func wantError(t *testing.T, c *sock.Conn, want error) {
	t.Helper()
	n, fds, err := c.Recv(make([]byte, sock.MaxFrame))
	if !errors.Is(err, want) || n != 0 || fds != nil {
		t.Errorf("Recv = %d bytes, descriptors %v, error %v; want only %v", n, fds, err, want)
	}
}

func TestFramesKeepBoundariesAndOrder(t *testing.T) {
	a, b := pair(t)
	long := string(bytes.Repeat([]byte("x"), sock.MaxFrame))
	send(t, a, "one")
	send(t, a, long)
	send(t, a, "three")
	send(t, b, "back")
	wantFrame(t, b, "one")
	wantFrame(t, b, long)
	wantFrame(t, b, "three")
	wantFrame(t, a, "back")
}

func TestDescriptorsTravel(t *testing.T) {
	a, b := pair(t)
	fd, err := sock.Sealed("test", []byte("the configuration"))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	before := openFiles(t)
	for _, n := range []int{0, 1, sock.MaxFDs} {
		list := make([]int, n)
		for i := range list {
			list[i] = fd
		}
		send(t, a, "take these", list...)
		got := wantFrame(t, b, "take these")
		if len(got) != n {
			t.Fatalf("%d descriptors came, want %d", len(got), n)
		}
		for _, g := range got {
			if data, err := sock.ReadSealed(g); string(data) != "the configuration" {
				t.Errorf("through descriptor %d came %q, %v", g, data, err)
			}
			if f, _ := unix.FcntlInt(uintptr(g), unix.F_GETFD, 0); f&unix.FD_CLOEXEC == 0 {
				t.Errorf("received descriptor %d is not CLOEXEC", g)
			}
			unix.Close(g)
		}
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}

func TestSendRefuses(t *testing.T) {
	a, _ := pair(t)
	for name, err := range map[string]error{
		"an empty frame":       a.Send(nil, nil),
		"a long frame":         a.Send(make([]byte, sock.MaxFrame+1), nil),
		"too many descriptors": a.Send([]byte("x"), make([]int, sock.MaxFDs+1)),
	} {
		if !errors.Is(err, sock.ErrFrame) {
			t.Errorf("%s: %v, want ErrFrame", name, err)
		}
	}
	if err := a.Send([]byte("x"), []int{-1}); !errors.Is(err, unix.EBADF) {
		t.Errorf("a descriptor that is not open: %v, want EBADF", err)
	}
}

// What does not arrive whole is closed, not kept and not half used.
func TestIncompleteFramesLeaveNothingOpen(t *testing.T) {
	hundred := func(n int) []int { return make([]int, n) } // copies of descriptor 0
	t.Run("more descriptors than are taken", func(t *testing.T) {
		x, y, err := sock.Pair()
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(x)
		c := conn(t, y)
		before := openFiles(t)
		if err := unix.Sendmsg(x, []byte("x"), unix.UnixRights(hundred(sock.MaxFDs+1)...), nil, 0); err != nil {
			t.Fatal(err)
		}
		wantError(t, c, sock.ErrTruncated)
		if after := openFiles(t); after != before {
			t.Errorf("%d descriptors open, %d before", after, before)
		}
	})
	t.Run("a buffer too small", func(t *testing.T) {
		a, b := pair(t)
		before := openFiles(t)
		send(t, a, "hello", hundred(100)...)
		if n, fds, err := b.Recv(make([]byte, 4)); !errors.Is(err, sock.ErrTruncated) || n != 0 || fds != nil {
			t.Errorf("Recv = %d bytes, descriptors %v, error %v; want only ErrTruncated", n, fds, err)
		}
		if after := openFiles(t); after != before {
			t.Errorf("%d descriptors open, %d before", after, before)
		}
	})
	t.Run("no room for descriptors", func(t *testing.T) {
		a, b := pair(t)
		before := openFiles(t)
		send(t, a, "hello", hundred(100)...)
		limitFiles(t, 50)
		wantError(t, b, sock.ErrTruncated)
		if after := openFiles(t); after != before {
			t.Errorf("%d descriptors open, %d before", after, before)
		}
	})
}

// limitFiles lets this process open about so many more descriptors.
func limitFiles(t *testing.T, more int) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	next, err := unix.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(next)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(next + more), Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Setrlimit(unix.RLIMIT_NOFILE, &old) })
}

// One reader and one writer at each end, with descriptors; -race watches.
func TestBothWaysAtOnce(t *testing.T) {
	const frames = 2000
	a, b := pair(t)
	before := openFiles(t)
	done := make(chan error, 4)
	write := func(c *sock.Conn) {
		c.SetSendWait(time.Minute)
		for i := range frames {
			if err := c.Send(fmt.Append(nil, i), []int{0, 1}[:i%3]); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}
	read := func(c *sock.Conn) {
		buf := make([]byte, sock.MaxFrame)
		for i := range frames {
			n, fds, err := c.Recv(buf)
			if err != nil || string(buf[:n]) != fmt.Sprint(i) || len(fds) != i%3 {
				done <- fmt.Errorf("frame %d: %q with %d descriptors, %v", i, buf[:n], len(fds), err)
				return
			}
			for _, fd := range fds {
				unix.Close(fd)
			}
		}
		done <- nil
	}
	go write(a)
	go write(b)
	go read(a)
	go read(b)
	for range 4 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}

func TestNewConnTakesOnlyChannels(t *testing.T) {
	before := openFiles(t)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[1])
	if c, err := sock.NewConn(fds[0]); err == nil {
		c.Close()
		t.Error("NewConn took a stream")
	}
	if after := openFiles(t); after != before+1 {
		t.Errorf("%d descriptors open, want %d: NewConn closes what it refuses", after, before+1)
	}
	if _, err := sock.NewConn(-1); !errors.Is(err, unix.EBADF) {
		t.Errorf("NewConn(-1): %v, want EBADF", err)
	}
}

func TestPairIsNotInherited(t *testing.T) {
	x, y, err := sock.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(x)
	defer unix.Close(y)
	for _, fd := range []int{x, y} {
		if f, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); f&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d is not CLOEXEC", fd)
		}
	}
}

// The end of the peer shows before what it said last is read.
func TestHungUp(t *testing.T) {
	x, y, err := sock.Pair()
	if err != nil {
		t.Fatal(err)
	}
	a, err := sock.NewConn(x)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := sock.NewConn(y)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Send([]byte("last"), nil); err != nil || a.HungUp() {
		t.Errorf("%v, hung up %v; want neither", err, a.HungUp())
	}
	b.Close()
	if !a.HungUp() {
		t.Error("the end of the peer does not show")
	}
}
