package sock_test

import (
	"bytes"
	"errors"
	"io"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/shared/sock"
)

func links(t *testing.T) (a, b *sock.Link) {
	t.Helper()
	x, y, err := sock.Pair()
	if err != nil {
		t.Fatal(err)
	}
	a, err1 := sock.NewLink(x)
	b, err2 := sock.NewLink(y)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, k := range []*sock.Link{a, b} {
			if k.FD() >= 0 {
				k.Close()
			}
		}
	})
	return a, b
}

func TestLinkNeverWaits(t *testing.T) {
	a, b := links(t)
	buf := make([]byte, sock.MaxFrame)
	if _, _, err := a.Recv(buf); err != syscall.EAGAIN {
		t.Errorf("Recv of nothing: %v, want EAGAIN", err)
	}
	frame := bytes.Repeat([]byte("x"), sock.MaxFrame)
	sent := 0
	for ; sent < 1000; sent++ {
		if err := a.Send(frame, -1); errors.Is(err, sock.ErrFull) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if sent < 2 || sent == 1000 {
		t.Errorf("%d frames of full size were taken", sent)
	}
	for range sent {
		if n, fds, err := b.Recv(buf); n != len(frame) || len(fds) > 0 || err != nil {
			t.Fatalf("Recv = %d, %v, %v", n, fds, err)
		}
	}
	if err := a.Send(frame, -1); err != nil {
		t.Errorf("Send when there is room again: %v", err)
	}
}

func TestLinkCarriesADescriptor(t *testing.T) {
	a, b := links(t)
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[0])
	if err := a.Send([]byte("take this"), p[1]); err != nil {
		t.Fatal(err)
	}
	unix.Close(p[1])
	a.CloseWrite()
	buf := make([]byte, sock.MaxFrame)
	n, fds, err := b.Recv(buf)
	if string(buf[:n]) != "take this" || len(fds) != 1 || err != nil {
		t.Fatalf("Recv = %q, %v, %v", buf[:n], fds, err)
	}
	if flags, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %#x, %v; want that it is closed on exec", flags, err)
	}
	unix.Close(fds[0])
	if n, err := unix.Read(p[0], buf); n != 0 || err != nil {
		t.Errorf("the pipe reads %d, %v: somebody still holds its other end", n, err)
	}
	if _, _, err := b.Recv(buf); err != io.EOF {
		t.Errorf("Recv after CloseWrite: %v, want EOF", err)
	}
	if err := b.Send([]byte("goodbye"), -1); err != nil {
		t.Errorf("the other direction: %v", err)
	}
	b.Close()
	if n, _, err := a.Recv(buf); string(buf[:n]) != "goodbye" || err != nil {
		t.Errorf("Recv = %q, %v", buf[:n], err)
	}
	if _, _, err := a.Recv(buf); err != io.EOF {
		t.Errorf("Recv after the end: %v, want EOF", err)
	}
	if err := a.Send([]byte("x"), -1); err != io.EOF {
		t.Errorf("Send after the end: %v, want EOF", err)
	}
}

func TestLinkTellsWhatIsCut(t *testing.T) {
	a, b := links(t)
	if err := a.Send([]byte("long"), -1); err != nil {
		t.Fatal(err)
	}
	if n, _, err := b.Recv(make([]byte, 2)); n != 2 || err != sock.ErrTruncated {
		t.Errorf("Recv = %d, %v, want what fits and ErrTruncated", n, err)
	}
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if _, err := sock.NewLink(p[0]); err == nil {
		t.Error("a pipe was taken for a link")
	}
	if _, err := unix.Write(p[1], []byte("x")); err != unix.EPIPE {
		t.Errorf("what was refused: %v, want that it is closed", err)
	}
	unix.Close(p[1])
}
