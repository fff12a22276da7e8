package sock

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// MaxFrame is the longest frame that Send takes.
	MaxFrame = 64 << 10
	// MaxFDs is how many descriptors may travel with a frame; the kernel
	// takes up to 253.
	MaxFDs = 128
	// DefaultSendWait is how long Send waits for room, unless SetSendWait
	// says otherwise. A peer that reads at all makes room within microseconds.
	DefaultSendWait = 100 * time.Millisecond
	// sendBuffer is asked of the kernel, which gives up to twice
	// net.core.wmem_max: at least 416 KiB, some frames of full size or some
	// hundreds of the usual small ones.
	sendBuffer = 1 << 20
)

// Pair makes the two ends of a control channel: one for NewConn, one for a
// child process, which inherits it as a descriptor of its own. Both are
// CLOEXEC. Frames keep their boundaries and their order.
func Pair() (ours, theirs int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, -1, fmt.Errorf("socketpair: %w", err)
	}
	return fds[0], fds[1], nil
}

// Conn is one end of a control channel. One goroutine may read while another
// one writes; Close may be called from anywhere and ends both.
type Conn struct {
	file   *os.File
	raw    syscall.RawConn
	wait   atomic.Int64 // how long Send waits, in nanoseconds
	oob    []byte       // of the reader
	closed atomic.Bool
}

// NewConn takes over a descriptor of a channel made by Pair, and closes it
// when it returns an error.
func NewConn(fd int) (*Conn, error) {
	c, err := newConn(fd)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("control channel on descriptor %d: %w", fd, err)
	}
	return c, nil
}

func newConn(fd int) (*Conn, error) {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return nil, err
	}
	if kind != unix.SOCK_SEQPACKET {
		return nil, errors.New("not a SOCK_SEQPACKET socket")
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	// Not worth an error: with the default buffer fewer frames can wait.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
	// A non-blocking file waits in Go's poller: a goroutine, not a thread,
	// and Close wakes it up.
	f := os.NewFile(uintptr(fd), "control")
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	c := &Conn{file: f, raw: raw, oob: make([]byte, unix.CmsgSpace(MaxFDs*4))}
	c.SetSendWait(DefaultSendWait)
	return c, nil
}

// SetSendWait changes how long Send waits for room. With 0 it never waits,
// as an event loop needs it.
func (c *Conn) SetSendWait(d time.Duration) { c.wait.Store(int64(d)) }

// Send sends one frame with descriptors, which stay open here. It returns
// ErrFull when the peer has not made room in time, io.EOF when it is gone,
// os.ErrClosed after Close. A frame is sent whole or not at all.
func (c *Conn) Send(frame []byte, fds []int) error {
	if len(frame) == 0 || len(frame) > MaxFrame || len(fds) > MaxFDs {
		return fmt.Errorf("%w: %d bytes, %d descriptors", ErrFrame, len(frame), len(fds))
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	wait := time.Duration(c.wait.Load())
	var until time.Time
	if wait > 0 {
		until = time.Now().Add(wait)
	}
	if err := c.file.SetWriteDeadline(until); err != nil {
		return c.closedOr(err)
	}
	var sent error
	err := c.raw.Write(func(fd uintptr) bool {
		sent = ignoringEINTR(func() error {
			return unix.Sendmsg(int(fd), frame, rights, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
		})
		return wait <= 0 || !errors.Is(sent, unix.EAGAIN)
	})
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrFull
	case err != nil:
		return c.closedOr(err)
	case errors.Is(sent, unix.EAGAIN):
		return ErrFull
	case errors.Is(sent, unix.EPIPE), errors.Is(sent, unix.ECONNRESET), errors.Is(sent, unix.ENOTCONN):
		return io.EOF
	case sent != nil:
		return fmt.Errorf("send control frame: %w", sent)
	}
	return nil
}

// Recv waits for the next frame and puts it into buf, which should have room
// for MaxFrame bytes. The descriptors that came with it are CLOEXEC and belong
// to the caller. It returns io.EOF when the peer is gone and everything it had
// sent has been read, os.ErrClosed after Close, ErrTruncated when the frame is
// longer than buf, has more than MaxFDs descriptors or more than this process
// may open.
func (c *Conn) Recv(buf []byte) (n int, fds []int, err error) {
	var oobn, flags int
	var got error
	err = c.raw.Read(func(fd uintptr) bool {
		n, oobn, flags, got = receive(int(fd), buf, c.oob)
		return !errors.Is(got, unix.EAGAIN)
	})
	if err != nil {
		return 0, nil, c.closedOr(err)
	}
	if got != nil {
		return 0, nil, fmt.Errorf("receive control frame: %w", got)
	}
	fds, err = rights(c.oob[:oobn])
	if err == nil && flags&(unix.MSG_CTRUNC|unix.MSG_TRUNC) != 0 {
		err = fmt.Errorf("%w: %d bytes, %d descriptors came", ErrTruncated, n, len(fds))
	}
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		closeAll(fds)
		return 0, nil, err
	}
	return n, fds, nil
}

// receive is one recvmsg that does not wait.
func receive(fd int, buf, oob []byte) (n, oobn, flags int, err error) {
	for range 8 {
		n, oobn, flags, _, err = unix.Recvmsg(fd, buf, oob, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
		// A peer that died with frames unread is reported once as a reset,
		// before the frames that the peer itself had sent: its last words are
		// worth more than how it died, so ask again.
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.ECONNRESET) {
			break
		}
	}
	return n, oobn, flags, err
}

// rights returns the descriptors in the ancillary data of a frame, also next
// to an error.
func rights(oob []byte) (fds []int, err error) {
	if len(oob) == 0 {
		return nil, nil
	}
	list, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTruncated, err)
	}
	for i := range list {
		if list[i].Header.Level != unix.SOL_SOCKET || list[i].Header.Type != unix.SCM_RIGHTS {
			continue
		}
		some, e := unix.ParseUnixRights(&list[i])
		fds = append(fds, some...)
		err = errors.Join(err, e)
	}
	return fds, err
}

// HungUp reports whether the peer has closed its end, whatever of what it said
// is still unread.
func (c *Conn) HungUp() bool {
	var hup bool
	err := c.raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd)}} // POLLHUP is always looked for
		n, _ := unix.Poll(p, 0)
		hup = n > 0 && p[0].Revents&unix.POLLHUP != 0
	})
	return err != nil || hup
}

// Close closes the channel and ends a Recv or Send that waits.
func (c *Conn) Close() {
	c.closed.Store(true)
	c.file.Close()
}

// closedOr is os.ErrClosed when err comes from Close: os and its raw
// connections say that in ways that cannot be recognised from outside.
func (c *Conn) closedOr(err error) error {
	if c.closed.Load() {
		return os.ErrClosed
	}
	return fmt.Errorf("control channel: %w", err)
}
