package sock_test

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"srvctl/shared/sock"
)

// fill sends until the channel is full.
func fill(t *testing.T, c *sock.Conn) (frames int) {
	t.Helper()
	c.SetSendWait(0)
	for ; frames < 100000; frames++ {
		err := c.Send(make([]byte, 1000), nil)
		if errors.Is(err, sock.ErrFull) {
			return frames
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("100,000 frames were taken without a reader")
	return
}

func TestSendToAPeerThatDoesNotRead(t *testing.T) {
	a, b := pair(t)
	frames := fill(t, a)
	t.Logf("%d frames of 1000 bytes fit", frames)
	if frames < 50 {
		t.Errorf("only %d frames fit", frames)
	}
	const wait = 30 * time.Millisecond
	a.SetSendWait(wait)
	began := time.Now()
	if err := a.Send([]byte("x"), nil); !errors.Is(err, sock.ErrFull) {
		t.Errorf("Send into a full channel: %v, want ErrFull", err)
	}
	if took := time.Since(began); took < wait || took > 100*wait {
		t.Errorf("Send waited %v, want about %v", took, wait)
	}
	// Nothing of the refused frames was sent, and the channel goes on.
	a.SetSendWait(time.Minute)
	sent := make(chan error)
	go func() { sent <- a.Send([]byte("after"), nil) }()
	buf := make([]byte, sock.MaxFrame)
	for range frames {
		if n, _, err := b.Recv(buf); n != 1000 || err != nil {
			t.Fatalf("Recv = %d bytes, %v; want 1000", n, err)
		}
	}
	if err := <-sent; err != nil {
		t.Errorf("Send that waited for room: %v", err)
	}
	wantFrame(t, b, "after")
	a.SetSendWait(0) // an old deadline must not count any more
	send(t, a, "at once")
	wantFrame(t, b, "at once")
}

func TestPeerThatCloses(t *testing.T) {
	a, b := pair(t)
	send(t, b, "last words")
	b.Close()
	wantFrame(t, a, "last words")
	wantError(t, a, io.EOF)
	wantError(t, a, io.EOF)
	if err := a.Send([]byte("x"), nil); !errors.Is(err, io.EOF) {
		t.Errorf("Send to a closed peer: %v, want EOF", err)
	}
}

// A process that dies with our frames unread: the kernel says "reset" before
// it gives out the words that the process had sent.
func TestPeerThatDies(t *testing.T) {
	ours, theirs, err := sock.Pair()
	if err != nil {
		t.Fatal(err)
	}
	a := conn(t, ours)
	send(t, a, "unread")
	file := os.NewFile(uintptr(theirs), "theirs")
	p := start(t, -1, []*os.File{file}, "dying")
	file.Close()
	p.stop()
	wantFrame(t, a, "last words")
	wantError(t, a, io.EOF)
	if err := a.Send([]byte("x"), nil); !errors.Is(err, io.EOF) {
		t.Errorf("Send to a dead peer: %v, want EOF", err)
	}
}

func TestPeerThatDiesWhileWeWait(t *testing.T) {
	a, b := pair(t)
	got := make(chan error)
	go func() {
		_, _, err := a.Recv(make([]byte, 10))
		got <- err
	}()
	b.Close()
	if err := <-got; !errors.Is(err, io.EOF) {
		t.Errorf("Recv: %v, want EOF", err)
	}
	full, peer := pair(t)
	fill(t, full)
	full.SetSendWait(time.Minute)
	go func() { got <- full.Send([]byte("x"), nil) }()
	peer.Close()
	if err := <-got; !errors.Is(err, io.EOF) {
		t.Errorf("Send: %v, want EOF", err)
	}
}

func TestCloseEndsWaiting(t *testing.T) {
	a, _ := pair(t)
	fill(t, a)
	a.SetSendWait(time.Minute)
	got := make(chan error)
	go func() {
		_, _, err := a.Recv(make([]byte, 10))
		got <- err
	}()
	go func() { got <- a.Send([]byte("x"), nil) }()
	a.Close()
	for range 2 {
		if err := <-got; !errors.Is(err, os.ErrClosed) {
			t.Errorf("%v, want ErrClosed", err)
		}
	}
	a.Close()
	wantError(t, a, os.ErrClosed)
	if err := a.Send([]byte("x"), nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Send after Close: %v, want ErrClosed", err)
	}
}
