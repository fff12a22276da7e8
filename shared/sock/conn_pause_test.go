package sock

import (
	"errors"
	"os"
	"testing"
)

// Nothing that was sent is lost when a reader is paused: the next one gets it.
func TestPauseLosesNoFrame(t *testing.T) {
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewConn(theirs)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	endc := make(chan error)
	go func() {
		_, _, err := a.Recv(make([]byte, MaxFrame))
		endc <- err
	}()
	if err := a.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := <-endc; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Recv = %v, want os.ErrDeadlineExceeded", err)
	}
	if err := b.Send([]byte("later"), nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Recv(make([]byte, MaxFrame)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Recv after Pause = %v, want os.ErrDeadlineExceeded", err)
	}
	buf := make([]byte, MaxFrame)
	var n int
	var got error
	if err := a.raw.Control(func(fd uintptr) { n, _, _, got = receive(int(fd), buf, nil) }); err != nil || got != nil || string(buf[:n]) != "later" {
		t.Errorf("the next reader gets %q, %v, %v", buf[:n], got, err)
	}
	a.Close()
	if err := a.Pause(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Pause after Close = %v, want os.ErrClosed", err)
	}
}
