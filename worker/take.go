package worker

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"srvctl/proto/control"
	"srvctl/proto/handover"
	"srvctl/shared/sock"
)

// taker gets connections from another worker. Each is answered for before it
// is read from, so that there is always one process that reads.
type taker struct {
	handLink
	from control.Take
}

// takeFrom takes the order to get connections through fd.
func (w *worker) takeFrom(m control.Take, fd int) (err error) {
	k := &taker{from: m}
	k.handLink, err = w.openLink(fd, k.ready)
	return err
}

// ready is called by the loop: there are connections, or the end.
func (k *taker) ready() {
	w := k.w
	if w.drain != nil && w.drain.over {
		return // the end of the process says so
	}
	for range window {
		n, fds, err := k.link.Recv(w.received)
		if err == syscall.EAGAIN {
			return
		}
		if err == nil || errors.Is(err, sock.ErrTruncated) {
			err = k.take(w.received[:n], fds, err == nil)
		}
		if err != nil {
			k.close()
			if !errors.Is(err, io.EOF) {
				w.log.Error("taking connections over ends", "slot", k.from.Slot, "generation", k.from.Generation, "err", err)
			}
			return
		}
	}
}

// take serves a connection, or refuses it. With an error it has not read from
// it.
func (k *taker) take(frame []byte, fds []int, whole bool) error {
	m, err := handover.Decode(frame)
	if err != nil {
		closeAll(fds)
		return err
	}
	c, ok := m.(handover.Conn)
	if !ok {
		closeAll(fds)
		return fmt.Errorf("%T comes from the one who gives", m)
	}
	w := k.w
	if reason := k.refusal(&c, fds, whole); reason != "" {
		closeAll(fds)
		return k.answer(handover.Nack{Seq: c.Seq, Reason: reason})
	}
	// Who gives counts it out when it has read the answer: the sum for the
	// host is never too low.
	w.host.Add(w.begin.Index, 1)
	if err := k.answer(handover.Ack{Seq: c.Seq}); err != nil {
		w.host.Add(w.begin.Index, -1)
		closeAll(fds)
		return err
	}
	w.resume(fds[0], recordOf(&c), false)
	return nil
}

// answer tells who gives. One that is gone needs no answer: it does not read
// from its connections any more.
func (k *taker) answer(m handover.Message) error {
	if err := k.send(m, -1); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// refusal is why a connection is not taken; "" if it is.
func (k *taker) refusal(c *handover.Conn, fds []int, whole bool) string {
	w := k.w
	switch {
	case !whole:
		return "its descriptor did not arrive: raise limits.open_files"
	case len(fds) != handover.Descriptors(*c):
		return fmt.Sprintf("%d descriptors came with it", len(fds))
	case c.Listener >= len(w.listeners):
		return fmt.Sprintf("there is no listener %d", c.Listener)
	case w.leaving() && !w.passes(c.Listener):
		return "this process drains, too"
	}
	return ""
}

// passes reports whether connections of a listener are moved on from here.
func (w *worker) passes(listener int) bool {
	return listener < len(w.srv.Moves) && w.srv.Moves[listener]
}
