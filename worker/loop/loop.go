package loop

import (
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Loop is one event loop. Make it with New, then call Run on the goroutine
// that is to own it.
type Loop struct {
	epfd    int
	events  [256]unix.EpollEvent
	table   []slot // by descriptor
	gen     uint32
	now     int64
	clock   clock
	wheel   wheel
	mail    *mail
	letters []func()
	queue   []*Socket // wanting another turn
	spare   []*Socket
	free    []*Socket
	reserve int
	stopped atomic.Bool
	nsocks  int
	lag     int64

	// Woken is called first in every turn, with its time, and Turn last.
	Woken func(now int64)
	Turn  func()
}

// slot is what a descriptor number means now.
type slot struct {
	sock *Socket
	side *descriptor
	gen  uint32
}

// New makes a loop.
func New() (*Loop, error) {
	c, err := newClock()
	if err != nil {
		return nil, fmt.Errorf("monotonic clock: %w", err)
	}
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	m, err := newMail()
	if err != nil {
		unix.Close(epfd)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	l := &Loop{epfd: epfd, clock: c, mail: m, now: c.read(), reserve: -1}
	l.wheel.init(l.now)
	l.openReserve()
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(m.fd)}
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, m.fd, &ev); err != nil {
		l.Close()
		return nil, fmt.Errorf("epoll_ctl eventfd: %w", err)
	}
	return l, nil
}

// Close gives back what New took, once Run has returned. Connections that are
// still open stay open; nobody is told of them any more. Post does nothing from
// now on.
func (l *Loop) Close() {
	l.mail.close()
	closeRaw(l.epfd)
	l.epfd = -1
	if l.reserve >= 0 {
		closeRaw(l.reserve)
		l.reserve = -1
	}
}

// Now is the time of this turn, in nanoseconds of CLOCK_MONOTONIC.
func (l *Loop) Now() int64 { return l.now }

// Lag is how long the turn before this one kept the others waiting, in
// nanoseconds.
func (l *Loop) Lag() int64 { return l.lag }

// Sockets is the number of open connections.
func (l *Loop) Sockets() int { return l.nsocks }

// Each calls f for every open connection's events. f may close it.
func (l *Loop) Each(f func(Events)) {
	for i := range l.table {
		if s := l.table[i].sock; s != nil {
			f(s.ev)
		}
	}
}

// Post runs f on the loop. It is safe from any goroutine and never blocks.
func (l *Loop) Post(f func()) { l.mail.post(f) }

// Stop ends Run after the current turn. It is safe from any goroutine.
func (l *Loop) Stop() { l.Post(func() { l.stopped.Store(true) }) }

// Timer calls f on the loop after d nanoseconds, again and again while f
// returns a positive number of nanoseconds.
func (l *Loop) Timer(d int64, f func() int64) {
	t := &callback{l: l, f: f}
	t.timer.owner = t
	l.wheel.set(&t.timer, l.now+d)
}

type callback struct {
	timer timer
	l     *Loop
	f     func() int64
}

func (c *callback) expired() {
	if d := c.f(); d > 0 {
		c.l.wheel.set(&c.timer, c.l.now+d)
	}
}

// Run serves events until Stop. It must be called once.
func (l *Loop) Run() error {
	busy := false
	for !l.stopped.Load() {
		n, err := l.wait(busy)
		if err != nil {
			return fmt.Errorf("epoll_wait: %w", err)
		}
		l.now = l.clock.read()
		if l.Woken != nil {
			l.Woken(l.now)
		}
		for i := range l.events[:n] {
			l.dispatch(&l.events[i])
		}
		if l.mail.some.Load() {
			l.deliver()
		}
		again := l.continueQueued()
		if l.now>>tickShift > l.wheel.tick {
			l.wheel.advance(l.now)
		}
		if l.Turn != nil {
			l.Turn()
		}
		busy = n > 0 || again
		l.lag = 0
		if busy {
			l.lag = l.clock.read() - l.now
		}
	}
	return nil
}

// nap is how long a wait may last that the scheduler is not told of, in
// milliseconds: less than the 10 ms after which it would want the thread back,
// and no more than what timers may be late by anyway.
const nap = 5

// wait fetches events. After a turn with work more is about to come, so the
// first wait is a short one and a raw call. Were the scheduler told, it would
// take the processor away after 20 microseconds, the loop would come back on
// another thread, and the watcher that does that would not go back to sleep. A
// garbage collection that begins meanwhile interrupts the call. Only a longer
// silence is waited for in a way that lets the runtime rest too.
//
// It must not be inlined into Run: the stack check of its prologue is where the
// scheduler can stop this goroutine in turns made of raw system calls.
//
//go:noinline
func (l *Loop) wait(busy bool) (int, error) {
	if len(l.queue) > 0 {
		n, _ := epollRaw(l.epfd, l.events[:], 0)
		return max(n, 0), nil
	}
	if busy {
		n, errno := epollRaw(l.epfd, l.events[:], nap)
		if n > 0 || errno != 0 {
			return max(n, 0), nil
		}
		l.now = l.clock.read()
	}
	timeout := -1
	if next := l.wheel.next(); next != 0 {
		timeout = int(max(0, next-l.now+999_999) / 1_000_000)
	}
	n, errno := epollWait(l.epfd, l.events[:], timeout)
	if errno != 0 && errno != unix.EINTR {
		return 0, errno
	}
	return max(n, 0), nil
}

func (l *Loop) dispatch(e *unix.EpollEvent) {
	fd := int(e.Fd)
	if fd == l.mail.fd {
		l.mail.quiet()
		return
	}
	if fd >= len(l.table) {
		return
	}
	s := &l.table[fd]
	if s.gen != uint32(e.Pad) {
		return // for a descriptor that was closed earlier in this turn
	}
	if s.sock != nil {
		s.sock.dispatch(e.Events)
	} else if s.side != nil {
		s.side.ready()
	}
}

func (l *Loop) deliver() {
	l.letters = l.mail.take(l.letters)
	for i, f := range l.letters {
		f()
		l.letters[i] = nil
	}
}

// continueQueued gives a turn to those who asked for one. Who asks again while
// this runs waits for the next turn.
func (l *Loop) continueQueued() bool {
	if len(l.queue) == 0 {
		return false
	}
	l.queue, l.spare = l.spare[:0], l.queue
	for i, s := range l.spare {
		l.spare[i] = nil
		if s.queued {
			s.queued = false
			s.ev.Continue()
		}
	}
	return true
}

// claim makes room for fd in the table and gives it a new generation.
func (l *Loop) claim(fd int) *slot {
	for fd >= len(l.table) {
		l.table = append(l.table, slot{})
	}
	l.gen++
	s := &l.table[fd]
	*s = slot{gen: l.gen}
	return s
}

func (l *Loop) openReserve() {
	if l.reserve < 0 {
		if fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
			l.reserve = fd
		}
	}
}
