package model

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// The model believes these things of the kernel. Here the kernel is asked.

// pair is a socket pair of which the test closes what is left.
func pair(t *testing.T, kind int) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fds[0], fds[1]
}

func post(t *testing.T, link, descriptor int) {
	t.Helper()
	if err := unix.Sendmsg(link, []byte("conn"), unix.UnixRights(descriptor), nil, unix.MSG_NOSIGNAL); err != nil {
		t.Fatal(err)
	}
}

func wantRead(t *testing.T, fd int, want string, wantErr error, why string) {
	t.Helper()
	buf := make([]byte, 64)
	n, _, _, _, err := unix.Recvmsg(fd, buf, make([]byte, 128), unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if got := string(buf[:max(n, 0)]); got != want || !errors.Is(err, wantErr) {
		t.Errorf("%s: got %q, %v, want %q, %v", why, got, err, want, wantErr)
	}
}

func TestMessageHoldsConnection(t *testing.T) {
	giver, taker := pair(t, unix.SOCK_SEQPACKET)
	client, conn := pair(t, unix.SOCK_STREAM)
	defer unix.Close(giver)
	defer unix.Close(client)
	post(t, giver, conn)
	unix.Close(conn)
	wantRead(t, client, "", unix.EAGAIN, "a connection in flight is open")
	unix.Close(taker)
	wantRead(t, client, "", nil, "it ends when the message is dropped")
}

func TestEndInFlightIsDropped(t *testing.T) {
	master, control := pair(t, unix.SOCK_SEQPACKET)
	giver, taker := pair(t, unix.SOCK_SEQPACKET)
	client, conn := pair(t, unix.SOCK_STREAM)
	for _, fd := range []int{master, giver, client} {
		defer unix.Close(fd)
	}
	post(t, master, taker)
	unix.Close(taker)
	post(t, giver, conn) // nobody has read Take yet
	unix.Close(conn)
	unix.Close(control)
	wantRead(t, client, "", nil, "an end in an unread Take goes down with its worker, and what is in the link too")
	wantRead(t, giver, "", unix.ECONNRESET, "the giver learns of it")
	wantRead(t, giver, "", nil, "then of the end")
}

func TestVerdictsComeBehindReset(t *testing.T) {
	giver, taker := pair(t, unix.SOCK_SEQPACKET)
	defer unix.Close(giver)
	for range 3 {
		if err := unix.Send(giver, []byte("conn"), unix.MSG_NOSIGNAL); err != nil {
			t.Fatal(err)
		}
	}
	wantRead(t, taker, "conn", nil, "one is taken")
	if err := unix.Send(taker, []byte("ack"), unix.MSG_NOSIGNAL); err != nil {
		t.Fatal(err)
	}
	unix.Close(taker)
	wantRead(t, giver, "", unix.ECONNRESET, "a reset comes first, because messages were dropped")
	wantRead(t, giver, "ack", nil, "then what had been acknowledged")
	wantRead(t, giver, "", nil, "then the end")
}

func TestMessagesOutliveGiver(t *testing.T) {
	giver, taker := pair(t, unix.SOCK_SEQPACKET)
	client, conn := pair(t, unix.SOCK_STREAM)
	defer unix.Close(taker)
	defer unix.Close(client)
	post(t, giver, conn)
	unix.Close(conn)
	unix.Close(giver)
	if err := unix.Send(taker, []byte("ack"), unix.MSG_NOSIGNAL); !errors.Is(err, unix.EPIPE) {
		t.Errorf("ack to a giver that is gone: %v, want %v", err, unix.EPIPE)
	}
	wantRead(t, client, "", unix.EAGAIN, "what it sent is open")
	wantRead(t, taker, "conn", nil, "and can be taken")
}

// A copy that another process has keeps alive what close is thought to end: the
// registration in epoll, and the connection.
func TestCopyOutlivesClose(t *testing.T) {
	client, conn := pair(t, unix.SOCK_STREAM)
	defer unix.Close(client)
	kept, err := unix.FcntlInt(uintptr(conn), unix.F_DUPFD_CLOEXEC, 0) // that of the giver
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(kept)
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ep)
	if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, conn, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(conn)}); err != nil {
		t.Fatal(err)
	}
	unix.Close(conn)
	wantRead(t, client, "", unix.EAGAIN, "close ends nothing while there is a copy")
	if err := unix.Send(client, []byte("x"), unix.MSG_NOSIGNAL); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.EpollWait(ep, make([]unix.EpollEvent, 1), 0); n != 1 || err != nil {
		t.Errorf("epoll of a closed descriptor with a copy: %d events, %v, want 1", n, err)
	}
	if err := unix.Shutdown(kept, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	wantRead(t, client, "", nil, "shutdown does end it")
}
