package loop

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// mail brings functions from other goroutines to the loop. Its length is
// bounded by those who post: the pool's queue, the suspended exchanges, one
// control channel.
type mail struct {
	mu   sync.Mutex
	box  []func()
	over bool        // nothing is taken any more
	some atomic.Bool // read by the loop each turn without taking the lock

	// bell keeps the eventfd open while somebody writes to it. The loop does
	// not take it, so it never waits for a system call of others.
	bell sync.RWMutex
	fd   int // eventfd
}

func newMail() (*mail, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &mail{fd: fd}, nil
}

func (m *mail) post(f func()) {
	m.mu.Lock()
	first := len(m.box) == 0 && !m.over
	if !m.over {
		m.box = append(m.box, f)
	}
	m.mu.Unlock()
	if first {
		m.some.Store(true)
		m.ring()
	}
}

// ring wakes the loop up. An eventfd's counter cannot fill up here: it is
// written once per batch. EINTR is the only other failure.
func (m *mail) ring() {
	m.bell.RLock()
	defer m.bell.RUnlock()
	one := [8]byte{1}
	for m.fd >= 0 {
		if _, err := unix.Write(m.fd, one[:]); err != unix.EINTR {
			return
		}
	}
}

func (m *mail) close() {
	m.mu.Lock()
	m.box, m.over = nil, true
	m.mu.Unlock()
	m.bell.Lock()
	defer m.bell.Unlock()
	closeRaw(m.fd)
	m.fd = -1
}

// take empties the box into buf, which the caller gives back next time.
func (m *mail) take(buf []func()) []func() {
	m.mu.Lock()
	m.some.Store(false)
	got := m.box
	m.box = buf[:0]
	m.mu.Unlock()
	return got
}

func (m *mail) quiet() {
	var b [8]byte
	_, _ = unix.Read(m.fd, b[:])
}
