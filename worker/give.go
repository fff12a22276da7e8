package worker

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"srvctl/proto/control"
	"srvctl/proto/handover"
	"srvctl/shared/sock"
	"srvctl/worker/conn"
)

// giver sends connections to another worker. One that was sent is not read
// from any more, whatever happens, until the taker says that it does not want
// it or is known to be gone: then it is taken back. Nothing here waits for a
// time.
type giver struct {
	handLink
	numbers []int   // by listener: its number at the taker, -1 for none
	out     []given // not acknowledged, oldest first
	unsent  bool    // the last of them is not sent yet, for lack of room
	full    bool    // there was no room: wait for it
	closing bool    // nothing is sent any more; acknowledgements still come
	seq     uint64
}

// given is a connection on its way. The descriptor is kept to take it back.
type given struct {
	seq uint64
	fd  int
	rec conn.Record
}

// giveTo takes the order to move connections through fd when this process
// drains. A giver from an earlier order sends no more.
func (w *worker) giveTo(m control.Give, fd int) error {
	if w.drain != nil && w.drain.over {
		syscall.Close(fd)
		return nil
	}
	g := &giver{numbers: make([]int, len(w.listeners))}
	moves := make([]bool, len(w.listeners))
	for i := range g.numbers {
		g.numbers[i] = -1
	}
	for _, p := range m.Listeners {
		if p.Old >= len(moves) {
			syscall.Close(fd)
			return fmt.Errorf("connections of listener %d are to be moved, the configuration has %d listeners", p.Old, len(moves))
		}
		g.numbers[p.Old], moves[p.Old] = p.New, true
	}
	var err error
	if g.handLink, err = w.openLink(fd, g.ready); err != nil {
		return err
	}
	if before := w.giver; before != nil {
		before.stop()
	}
	w.giver, w.srv.Moves = g, moves
	if w.leaving() {
		w.quieten()
	}
	return nil
}

// pump sends what is ready to move, as much as the taker may have at a time.
func (g *giver) pump() {
	for !g.closing && !g.full {
		if !g.unsent && !g.next() {
			return
		}
		g.sendLast()
	}
}

// next takes the next connection out of the loop.
func (g *giver) next() bool {
	if len(g.out) >= window {
		return false
	}
	c := g.w.srv.NextToMove(handover.MaxBytes)
	if c == nil {
		return false
	}
	rec, t := c.Release()
	g.seq++
	g.out = append(g.out, given{seq: g.seq, fd: t.(detacher).Detach(), rec: rec})
	g.unsent = true
	g.w.unconfirmed++
	return true
}

// detacher is the transport of a connection that can be moved: a plain socket.
type detacher interface{ Detach() (fd int) }

func (g *giver) sendLast() {
	e := &g.out[len(g.out)-1]
	switch err := g.send(frameOf(e.seq, g.numbers[e.rec.Listener], &e.rec), e.fd); {
	case err == nil:
		g.unsent = false
	case errors.Is(err, sock.ErrFull):
		g.full = true
		g.watch.Writable(true)
	case errors.Is(err, io.EOF):
		g.full = true // the end is about to be read
	default:
		g.w.log.Error("connections stay here, they are closed when idle", "err", err)
		g.stop()
	}
}

// ready is called by the loop: there are answers, room, or the end.
func (g *giver) ready() {
	if g.full {
		g.full = false
		g.watch.Writable(false)
	}
	for range window {
		n, fds, err := g.link.Recv(g.w.received)
		if err == syscall.EAGAIN {
			break
		}
		closeAll(fds)
		if err == nil {
			err = g.heed(g.w.received[:n])
		}
		if errors.Is(err, io.EOF) {
			g.end()
			break
		}
		if err != nil && !g.closing {
			g.w.log.Error("successor is not understood: connections stay here, they are closed when idle", "err", err)
			g.stop()
		}
	}
	g.w.finishWhenEmpty()
}

// heed takes an answer.
func (g *giver) heed(frame []byte) error {
	m, err := handover.Decode(frame)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case handover.Ack:
		e, err := g.answered(m.Seq)
		if err != nil {
			return err
		}
		w := g.w
		syscall.Close(e.fd)
		w.host.Add(w.begin.Index, -1)
		w.cell.Moved(1)
		w.drain.moved++
		return nil
	case handover.Nack:
		e, err := g.answered(m.Seq)
		if err != nil {
			return err
		}
		g.w.log.Warn("successor does not take a connection: it is closed when idle", "reason", m.Reason)
		g.takeBack(e, true)
		return nil
	}
	return fmt.Errorf("%T comes from the successor", m)
}

// answered takes a connection out of those that are on their way.
func (g *giver) answered(seq uint64) (given, error) {
	for i, e := range g.out {
		if e.seq == seq && !(g.unsent && i == len(g.out)-1) {
			g.out = append(g.out[:i], g.out[i+1:]...)
			g.w.unconfirmed--
			return e, nil
		}
	}
	return given{}, fmt.Errorf("successor answers for connection %d, which is not on its way", seq)
}

// takeBack serves a connection again that nobody has read from meanwhile.
func (g *giver) takeBack(e given, stays bool) {
	w := g.w
	c := w.resume(e.fd, e.rec, stays)
	if d := w.drain; d.cutting {
		d.count(c.Cut())
	}
}

// stop sends nothing any more. The taker closes the link when it has answered
// for everything that it got; only then is it known what comes back.
func (g *giver) stop() {
	if g.closing {
		return
	}
	g.closing = true
	g.link.CloseWrite()
	g.leave()
}

// leave makes connections end here that would have gone this way.
func (g *giver) leave() {
	w := g.w
	if w.giver != g {
		return
	}
	w.giver, w.srv.Moves = nil, nil
	if w.leaving() {
		w.quieten()
	}
}

// end is called when the taker has closed the link, or has died. What it has
// not acknowledged it has not read from.
func (g *giver) end() {
	w := g.w
	g.close()
	g.leave()
	back := g.out
	g.out, g.closing = nil, true
	w.unconfirmed -= len(back)
	for _, e := range back {
		g.takeBack(e, false)
	}
	if len(back) > 0 {
		w.log.Info("successor is gone: connections are back", "connections", len(back))
	}
}
