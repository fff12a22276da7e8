package sock

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// Link is one end of a channel made by Pair, for an event loop: no call waits,
// and the loop is told by the descriptor when to call. It belongs to one
// goroutine.
type Link struct {
	fd  int
	oob []byte
}

// NewLink takes over a descriptor, and closes it when it returns an error.
func NewLink(fd int) (*Link, error) {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err == nil && kind != unix.SOCK_SEQPACKET {
		err = errors.New("not a SOCK_SEQPACKET socket")
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("link on descriptor %d: %w", fd, err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer) // as for a Conn
	return &Link{fd: fd, oob: make([]byte, unix.CmsgSpace(4*MaxFDs))}, nil
}

// FD is the descriptor, for the loop to look at.
func (k *Link) FD() int { return k.fd }

// Send sends one frame with one descriptor, which stays open here, or none
// when fd is negative. It returns ErrFull when there is no room now, io.EOF
// when the peer is gone.
func (k *Link) Send(frame []byte, fd int) error {
	var rights []byte
	if fd >= 0 {
		rights = unix.UnixRights(fd)
	}
	err := ignoringEINTR(func() error {
		return unix.Sendmsg(k.fd, frame, rights, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
	})
	switch err {
	case nil:
		return nil
	case unix.EAGAIN:
		return ErrFull
	case unix.EPIPE, unix.ECONNRESET:
		return io.EOF
	}
	return fmt.Errorf("send on link: %w", err)
}

// Recv puts the next frame into buf, which should have room for MaxFrame
// bytes; syscall.EAGAIN means that there is none now, io.EOF that the peer is
// gone and everything it sent has been read. The descriptors that came belong
// to the caller. With ErrTruncated some did not come, or not all of the frame:
// what did is returned, too.
func (k *Link) Recv(buf []byte) (n int, fds []int, err error) {
	n, oobn, flags, err := receive(k.fd, buf, k.oob)
	if err != nil {
		return 0, nil, err
	}
	fds, err = rights(k.oob[:oobn])
	switch {
	case err != nil:
	case flags&(unix.MSG_CTRUNC|unix.MSG_TRUNC) != 0:
		err = ErrTruncated
	case n == 0:
		err = io.EOF
	}
	return n, fds, err
}

// CloseWrite tells the peer that nothing more comes. What it sends still does.
func (k *Link) CloseWrite() { _ = unix.Shutdown(k.fd, unix.SHUT_WR) }

// Close closes the link.
func (k *Link) Close() {
	unix.Close(k.fd)
	k.fd = -1
}
