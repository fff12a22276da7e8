package sock_test

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// rush is clients that connect again and again, as fast as they can, until
// they are refused. Each time they expect one byte.
type rush struct {
	to       string
	all      sync.WaitGroup
	enough   chan struct{} // closed when there were rushEnough answers
	answered atomic.Int64
	lost     atomic.Int64 // connected, and then reset or ended without an answer
}

const rushEnough = 1000

func inet4(address string) *unix.SockaddrInet4 {
	at := netip.MustParseAddrPort(address)
	return &unix.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())}
}

func startRush(address string, clients int) *rush {
	r := &rush{to: address, enough: make(chan struct{})}
	for range clients {
		r.all.Go(func() {
			for r.one() {
			}
		})
	}
	return r
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// one connects once; false when it was refused.
func (r *rush) one() bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	defer unix.Close(fd)
	// A reset at the end instead of TIME_WAIT: the ports would not suffice.
	unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	if err = unix.Connect(fd, inet4(r.to)); err == unix.EINPROGRESS {
		ready(fd, unix.POLLOUT, 10*time.Second)
		e, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err = nil; e != 0 {
			err = unix.Errno(e)
		}
	}
	if err != nil {
		return false
	}
	var b [1]byte
	if ready(fd, unix.POLLIN, 10*time.Second) {
		if n, _ := unix.Read(fd, b[:]); n == 1 {
			if r.answered.Add(1) == rushEnough {
				close(r.enough)
			}
			return true
		}
	}
	r.lost.Add(1)
	return true
}

// ready waits until a descriptor can be read or written.
func ready(fd int, events int16, limit time.Duration) bool {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, int(limit.Milliseconds()))
		if err != unix.EINTR {
			return n > 0
		}
	}
}

// answer accepts what waits in a queue and sends each its byte.
func answer(fd int) {
	for {
		c, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
		if err == unix.EAGAIN {
			return
		}
		if err == nil {
			unix.Write(c, []byte("x"))
			unix.Close(c)
		}
	}
}

// answerUntil accepts from the sockets until stopped.
func answerUntil(stop chan struct{}, fds []int) {
	list := make([]unix.PollFd, len(fds))
	for i, fd := range fds {
		list[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	}
	for !closed(stop) {
		unix.Poll(list, 1)
		for _, p := range list {
			if p.Revents != 0 {
				answer(int(p.Fd))
			}
		}
	}
}
