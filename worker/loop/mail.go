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
	some atomic.Bool // read by the loop each turn without taking the lock
	fd   int         // eventfd, -1 when closed
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
	defer m.mu.Unlock()
	if m.fd < 0 {
		return
	}
	m.box = append(m.box, f)
	if len(m.box) == 1 {
		m.some.Store(true)
		one := [8]byte{1}
		// An eventfd's counter cannot fill up here: it is written once per
		// batch. EINTR is the only other failure and the write is restarted.
		for {
			if _, err := unix.Write(m.fd, one[:]); err != unix.EINTR {
				return
			}
		}
	}
}

func (m *mail) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	closeRaw(m.fd)
	m.fd, m.box = -1, nil
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
