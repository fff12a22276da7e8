package loop

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Accepter takes new connections. Calls come on the loop.
type Accepter interface {
	// Accepted gives s to its owner, who sets its events and registers it with
	// Watch, or closes it.
	Accepted(s *Socket, listener int)
	// Short says that accepting pauses because the kernel has no descriptor or
	// memory for more connections (err); it is tried again after a moment, and
	// said again if that fails. When a connection could be taken it says nil,
	// once. One connection may have been taken with the reserve descriptor: it
	// is given as refused, to be answered and closed before Short returns.
	Short(err error, refused *Socket, listener int)
}

// How many connections one wake of a listener takes. A listener of our own may
// be emptied; of one that other processes wait on too, each takes one and goes
// to the end of the row, or the first to wake would get them all.
const (
	burst       = 64
	burstShared = 1
)

// pause is how long accepting stops when descriptors or memory are short.
const pause = 100_000_000

// Listener is a listening descriptor that this loop accepts from.
type Listener struct {
	descriptor
	a      Accepter
	number int
	burst  int
	paused bool // to be registered again after a moment
	short  bool // the Accepter was told so, and not yet that it is over
}

// Listen accepts connections from fd, which does not block and stays the
// caller's. number is given back with each connection. shared says that other
// processes accept from it too.
func (l *Loop) Listen(fd, number int, shared bool, a Accepter) (*Listener, error) {
	n := &Listener{descriptor: descriptor{l: l, fd: fd, events: unix.EPOLLIN}, a: a, number: number, burst: burst}
	n.ready = n.accept
	if shared {
		n.burst = burstShared
		n.events |= unix.EPOLLEXCLUSIVE
	}
	return n, n.register()
}

// Remove stops accepting from the listener: it leaves epoll, the descriptor
// stays open and the caller's.
func (n *Listener) Remove() {
	n.paused = false
	n.remove()
}

// Leave stops accepting from the listener as Remove does. Of a shared one it
// takes what waits first, as far as a burst: the kernel wakes one process for a
// connection, and if that was this one, which had not come to it yet, nobody
// else would look before the next connection comes.
func (n *Listener) Leave() {
	n.Remove()
	if n.shared() {
		n.sweep()
	}
}

// Sweep takes what waits at a shared listener, as far as a burst. Whoever was
// woken for it may have died, or stand still.
func (n *Listener) Sweep() {
	if n.active && n.shared() {
		n.sweep()
	}
}

func (n *Listener) shared() bool { return n.events&unix.EPOLLEXCLUSIVE != 0 }

func (n *Listener) sweep() {
	for i := 0; i < burst && n.one(); i++ {
	}
}

// Drain accepts what waits in the queue of fd, to the last connection or until
// limit of them. The descriptor need not be one that is listened on here.
func (l *Loop) Drain(fd, number int, a Accepter, limit int) {
	if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || on == 0 {
		return // bound, but not listening yet: it has no queue
	}
	n := &Listener{descriptor: descriptor{l: l, fd: fd}, a: a, number: number}
	for ; limit > 0 && n.one(); limit-- {
	}
}

func (n *Listener) accept() {
	taken := 0
	for taken < n.burst && n.active && n.one() {
		taken++
	}
	if taken > 0 && n.active && n.shared() {
		n.goLast()
	}
}

// goLast lets the other processes that wait on the listener have their turn: the
// kernel wakes the first of the row that is not busy, and would give nearly
// everything to one. A listener that is registered anew is the last of the row.
func (n *Listener) goLast() {
	_ = n.control(unix.EPOLL_CTL_DEL)
	if err := n.control(unix.EPOLL_CTL_ADD); err != nil { // no memory
		n.Remove()
		n.paused = true
		n.l.Timer(pause, n.resume)
	}
}

// one accepts a connection; false when there is none or none can be taken.
func (n *Listener) one() bool {
	var sa unix.RawSockaddrAny
	fd, errno := accept4(n.fd, &sa)
	switch errno {
	case 0:
		if n.short {
			n.short = false
			n.a.Short(nil, nil, n.number)
		}
		n.a.Accepted(n.l.socket(fd, address(&sa)), n.number)
		return true
	case unix.EINTR, unix.ECONNABORTED, unix.EPERM, unix.EPROTO:
		return true // this connection is gone, the next may be fine
	case unix.EAGAIN:
		return false
	}
	// Out of descriptors or memory, or a listener that is no longer one
	// (EINVAL): either way it would stay ready and the loop would spin.
	return n.shortage(errno)
}

// shortage takes one connection with the reserve descriptor, so that its
// client gets an answer, and stops accepting for a moment. It reports whether
// there was such a client.
func (n *Listener) shortage(errno unix.Errno) bool {
	l := n.l
	var refused *Socket
	if l.reserve >= 0 {
		closeRaw(l.reserve)
		l.reserve = -1
		var sa unix.RawSockaddrAny
		fd, e := accept4(n.fd, &sa)
		if e == unix.EAGAIN {
			// Nobody waits: the kernel looks for a descriptor before it looks
			// for a client.
			l.openReserve()
			return false
		}
		if e == 0 {
			refused = l.socket(fd, address(&sa))
		}
	}
	n.short = true
	n.a.Short(errno, refused, n.number)
	l.openReserve()
	if n.active {
		n.Remove()
		n.paused = true
		l.Timer(pause, n.resume)
	}
	return refused != nil
}

// resume accepts again after a pause.
func (n *Listener) resume() (again int64) {
	if !n.paused {
		return 0 // removed meanwhile
	}
	n.l.openReserve()
	if err := n.register(); err != nil {
		return pause
	}
	n.paused = false
	return 0
}

// Adopt makes a connection of fd, which is connected, does not block and
// becomes the loop's. Another process may hold the connection, too, for as long
// as it likes. Its owner sets its events and registers it with Watch.
func (l *Loop) Adopt(fd int, peer netip.Addr) *Socket {
	s := l.socket(fd, peer)
	s.common = true
	return s
}

func (l *Loop) socket(fd int, peer netip.Addr) *Socket {
	var s *Socket
	if k := len(l.free); k > 0 {
		s = l.free[k-1]
		l.free[k-1] = nil
		l.free = l.free[:k-1]
	} else {
		s = &Socket{l: l}
		s.timer.owner = s
	}
	c := l.claim(fd)
	c.sock = s
	s.fd, s.gen, s.peer = int32(fd), c.gen, peer
	l.nsocks++
	return s
}

// address unmaps: ::ffff:a.b.c.d is an IPv4 client.
func address(sa *unix.RawSockaddrAny) netip.Addr {
	switch sa.Addr.Family {
	case unix.AF_INET:
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(sa)).Addr)
	case unix.AF_INET6:
		return netip.AddrFrom16((*unix.RawSockaddrInet6)(unsafe.Pointer(sa)).Addr).Unmap()
	}
	return netip.Addr{}
}
