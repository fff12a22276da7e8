package loop

import (
	"io"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Events is what the loop tells the owner of a connection. Calls come on the
// loop, one at a time, and none after Close.
type Events interface {
	// Readable: bytes, the end of the stream or an error are waiting.
	Readable()
	// Writable: the send buffer has room again.
	Writable()
	// Continue: the turn that was asked for by Requeue.
	Continue()
	// Expired: the deadline has passed.
	Expired()
	// Hangup: the connection is broken in both directions.
	Hangup()
}

// Socket is one connection. It implements a transport for plain bytes.
// All of it belongs to the loop's goroutine.
type Socket struct {
	l      *Loop
	ev     Events
	timer  timer
	peer   netip.Addr
	fd     int32
	gen    uint32
	mask   uint32 // registered with epoll; 0 before registration
	queued bool
	common bool // other processes may hold the connection, too
}

// Peer is the address of the other end, unmapped; invalid for unix sockets.
func (s *Socket) Peer() netip.Addr { return s.peer }

// SetEvents names the owner. It must be called before anything else.
func (s *Socket) SetEvents(ev Events) { s.ev = ev }

// Read reads what is there. EAGAIN means nothing; io.EOF the end.
func (s *Socket) Read(p []byte) (int, error) {
	for {
		n, errno := recv(int(s.fd), p)
		switch {
		case errno == 0 && n > 0:
			return n, nil
		case errno == 0:
			return 0, io.EOF
		case errno == unix.EAGAIN:
			return 0, syscall.EAGAIN
		case errno != unix.EINTR:
			return 0, errno
		}
	}
}

// Write sends what the kernel takes of p; fewer bytes with EAGAIN otherwise.
func (s *Socket) Write(p []byte) (int, error) { return s.sent(send(int(s.fd), p, 0)) }

// WriteMore is Write for bytes that more will follow at once.
func (s *Socket) WriteMore(p []byte) (int, error) { return s.sent(send(int(s.fd), p, unix.MSG_MORE)) }

// Write2 sends two pieces in order with one call.
func (s *Socket) Write2(a, b []byte) (int, error) { return s.sent(send2(int(s.fd), a, b)) }

func (s *Socket) sent(n int, errno unix.Errno) (int, error) {
	switch errno {
	case 0:
		return n, nil
	case unix.EAGAIN, unix.EINTR, unix.ENOBUFS:
		return 0, syscall.EAGAIN
	}
	return 0, errno
}

// SendFile sends up to n bytes of the file fd from off on. 0 bytes without an
// error mean that the file ends there. It may wait for the disk, so the
// scheduler is told.
func (s *Socket) SendFile(fd int, off int64, n int) (int, error) {
	got, err := unix.Sendfile(int(s.fd), fd, &off, n)
	if err == nil {
		return got, nil
	}
	if err == unix.EAGAIN || err == unix.EINTR {
		return 0, syscall.EAGAIN
	}
	return 0, err
}

// Unsent is how many bytes that Write took the peer has not acknowledged yet.
func (s *Socket) Unsent() int {
	n, err := unix.IoctlGetInt(int(s.fd), unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	return n
}

// Watch says which events are wanted. It costs a system call only when that
// changes.
func (s *Socket) Watch(read, write bool) {
	var mask uint32
	if read {
		mask = unix.EPOLLIN
	}
	if write {
		mask |= unix.EPOLLOUT
	}
	if mask == s.mask&(unix.EPOLLIN|unix.EPOLLOUT) && s.mask != 0 {
		return
	}
	op := unix.EPOLL_CTL_MOD
	if s.mask == 0 {
		op = unix.EPOLL_CTL_ADD
	}
	// EPOLLHUP and EPOLLERR come unasked; a bit that is always set tells a
	// registered socket without interest from an unregistered one.
	s.mask = mask | registered
	ev := unix.EpollEvent{Events: mask, Fd: s.fd, Pad: int32(s.gen)}
	if err := unix.EpollCtl(s.l.epfd, op, int(s.fd), &ev); err != nil && op == unix.EPOLL_CTL_ADD {
		// Out of kernel memory or over the user's watch limit: the connection
		// cannot be served. Its owner closes it on the next turn.
		s.mask = 0
		s.SetDeadline(s.l.now)
	}
}

const registered = 1 << 31

// SetDeadline calls Expired at that time of the loop's clock, up to 67 ms
// late; 0 takes the deadline away. Moving it to a later time is one store.
func (s *Socket) SetDeadline(at int64) { s.l.wheel.set(&s.timer, at) }

// Requeue calls Continue in the next turn.
func (s *Socket) Requeue() {
	if !s.queued {
		s.queued = true
		s.l.queue = append(s.l.queue, s)
	}
}

// CloseWrite ends the sending direction.
func (s *Socket) CloseWrite() { _ = unix.Shutdown(int(s.fd), unix.SHUT_WR) }

// Abort closes so that the peer sees a reset: what was sent is not whole.
func (s *Socket) Abort() {
	if s.common {
		disconnect(int(s.fd))
	}
	_ = unix.SetsockoptLinger(int(s.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	s.Close()
}

// Close closes the connection. The socket must not be used afterwards. The
// kernel takes the descriptor out of epoll, unless somebody else holds the
// connection: then it would not even end.
func (s *Socket) Close() {
	fd := int(s.fd)
	if s.common {
		s.leave()
		_ = unix.Shutdown(fd, unix.SHUT_RDWR)
	}
	s.forget()
	closeRaw(fd)
}

// Detach takes the connection out of the loop and returns its descriptor,
// which is the caller's from now on. The socket must not be used afterwards.
func (s *Socket) Detach() (fd int) {
	fd = int(s.fd)
	s.leave()
	s.forget()
	return fd
}

// leave takes the descriptor out of epoll.
func (s *Socket) leave() {
	if s.mask != 0 {
		_ = unix.EpollCtl(s.l.epfd, unix.EPOLL_CTL_DEL, int(s.fd), nil)
	}
}

// forget makes the descriptor's number mean nothing here.
func (s *Socket) forget() {
	l := s.l
	l.table[s.fd] = slot{gen: l.table[s.fd].gen + 1<<31}
	l.wheel.unlink(&s.timer)
	l.nsocks--
	s.ev, s.mask, s.common = nil, 0, false
	s.fd = -1
	if s.queued {
		// Still in the queue: it must not be handed out again before the
		// queue has let go of it.
		s.queued = false
		return
	}
	if len(l.free) < maxFree {
		l.free = append(l.free, s)
	}
}

// maxFree bounds the memory kept for connections to come.
const maxFree = 1024

func (s *Socket) dispatch(events uint32) {
	if events&(unix.EPOLLHUP|unix.EPOLLERR) != 0 && s.mask&unix.EPOLLIN == 0 {
		s.ev.Hangup()
		return
	}
	gen := s.gen
	if events&unix.EPOLLOUT != 0 {
		s.ev.Writable()
		if s.fd < 0 || s.gen != gen {
			return
		}
	}
	if events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		s.ev.Readable()
	}
}

func (s *Socket) expired() { s.ev.Expired() }
