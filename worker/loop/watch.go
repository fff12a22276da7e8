package loop

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// descriptor is one that is registered with epoll and is no connection.
type descriptor struct {
	l      *Loop
	fd     int
	events uint32
	gen    uint32
	active bool   // registered
	ready  func() // called for every event
}

func (d *descriptor) register() error {
	s := d.l.claim(d.fd)
	s.side = d
	d.gen = s.gen
	if err := d.control(unix.EPOLL_CTL_ADD); err != nil {
		*s = slot{gen: s.gen}
		return fmt.Errorf("epoll_ctl add descriptor %d: %w", d.fd, err)
	}
	d.active = true
	return nil
}

func (d *descriptor) control(op int) error {
	return unix.EpollCtl(d.l.epfd, op, d.fd, &unix.EpollEvent{Events: d.events, Fd: int32(d.fd), Pad: int32(d.gen)})
}

func (d *descriptor) remove() {
	if d.active {
		d.active = false
		_ = d.control(unix.EPOLL_CTL_DEL)
		d.l.table[d.fd] = slot{gen: d.gen + 1<<31}
	}
}

// Watch is a descriptor of the owner's that the loop looks at beside the
// connections, and does not count among them.
type Watch struct {
	d descriptor
}

// Watch calls ready in every turn in which fd, which does not block and stays
// the caller's, can be read or has ended.
func (l *Loop) Watch(fd int, ready func()) (*Watch, error) {
	w := &Watch{descriptor{l: l, fd: fd, events: unix.EPOLLIN, ready: ready}}
	return w, w.d.register()
}

// Writable says whether ready is to be called when fd can be written to, too.
func (w *Watch) Writable(wanted bool) {
	events := uint32(unix.EPOLLIN)
	if wanted {
		events |= unix.EPOLLOUT
	}
	if w.d.active && events != w.d.events {
		w.d.events = events
		_ = w.d.control(unix.EPOLL_CTL_MOD) // fails for one that is not registered only
	}
}

// Remove takes the descriptor out of the loop. It must come before the
// descriptor is closed.
func (w *Watch) Remove() { w.d.remove() }
