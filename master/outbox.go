package master

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"srvctl/proto/control"
	"srvctl/shared/sock"
)

const (
	// maxOutbox bounds the frames that wait for one worker. A worker that does
	// not read that many is replaced.
	maxOutbox = 1024

	// outboxRetry is how soon a full link is tried again.
	outboxRetry = 20 * time.Millisecond
)

// outgoing is a frame that waits for the link. Its descriptors are copies: the
// originals may be closed meanwhile.
type outgoing struct {
	frame []byte
	fds   []int
}

// send hands a frame to the worker of a slot, at once when its link has room.
func (m *master) send(now time.Time, s *slot, msg control.Message, fds ...int) {
	w := s.worker
	if s.state == slotDying {
		return
	}
	if w.foreign {
		if msg.Type() == control.TypeDrain { // the one order that can be given without words
			w.left = true
			if err := w.proc.signal(syscall.SIGTERM); err != nil {
				m.unsent(s, err)
			}
		}
		return
	}
	frame, err := control.Append(nil, msg)
	if err != nil {
		m.condemn(now, s, "control", fmt.Sprintf("cannot be told %v: %v", msg.Type(), err))
		return
	}
	if len(w.outbox) == 0 {
		if err = w.link.Send(frame, fds); err == nil {
			return
		}
		if !errors.Is(err, sock.ErrFull) {
			m.unsent(s, err)
			return
		}
	}
	if len(w.outbox) >= maxOutbox {
		m.condemn(now, s, "control", fmt.Sprintf("does not read its control channel: %d frames wait", maxOutbox))
		return
	}
	copies, err := duplicate(fds)
	if err != nil {
		m.condemn(now, s, "control", fmt.Sprintf("cannot be told %v: %v", msg.Type(), err))
		return
	}
	w.outbox = append(w.outbox, outgoing{frame, copies})
	m.wakeAt(now.Add(outboxRetry))
}

// flush sends what waits for the worker of a slot, as far as its link has room.
func (m *master) flush(now time.Time, s *slot) {
	w := s.worker
	for len(w.outbox) > 0 {
		next := w.outbox[0]
		err := w.link.Send(next.frame, next.fds)
		if errors.Is(err, sock.ErrFull) {
			m.wakeAt(now.Add(outboxRetry))
			return
		}
		if err != nil {
			m.unsent(s, err)
			w.discard()
			return
		}
		closeAll(next.fds)
		w.outbox = w.outbox[1:]
	}
}

// unsent notes a link that takes nothing more. The process is dead or dying:
// its end, which is on its way, says more than this error and is acted on.
func (m *master) unsent(s *slot, err error) {
	m.log.Debug("control channel", "slot", s.number, "pid", s.worker.proc.pid(), "err", err)
}

// discard forgets what a worker will never read.
func (w *worker) discard() {
	for _, o := range w.outbox {
		closeAll(o.fds)
	}
	w.outbox = nil
}

func duplicate(fds []int) ([]int, error) {
	var copies []int
	for _, fd := range fds {
		c, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 0)
		if errno != 0 {
			closeAll(copies)
			return nil, fmt.Errorf("duplicate descriptor %d: %w", fd, errno)
		}
		copies = append(copies, int(c))
	}
	return copies, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		syscall.Close(fd)
	}
}
