package worker

import (
	"net/netip"
	"time"

	"srvctl/proto/handover"
	"srvctl/shared/sock"
	"srvctl/worker/conn"
	"srvctl/worker/loop"
)

// window is how many connections may be on their way to another process, sent
// and not acknowledged.
const window = 64

// handLink is an end of a link between two workers, in the loop.
type handLink struct {
	w     *worker
	link  *sock.Link
	watch *loop.Watch
}

func (w *worker) openLink(fd int, ready func()) (handLink, error) {
	link, err := sock.NewLink(fd)
	if err != nil {
		return handLink{}, err
	}
	watch, err := w.loop.Watch(link.FD(), ready)
	if err != nil {
		link.Close()
		return handLink{}, err
	}
	if w.received == nil {
		w.received = make([]byte, sock.MaxFrame)
	}
	return handLink{w: w, link: link, watch: watch}, nil
}

func (h *handLink) close() {
	h.watch.Remove()
	h.link.Close()
}

func (h *handLink) send(m handover.Message, fd int) error {
	frame, err := handover.Append(h.w.frame[:0], m)
	if err != nil {
		return err
	}
	h.w.frame = frame
	return h.link.Send(frame, fd)
}

// resume makes a connection of a descriptor that came back, or from another
// process. It is counted already.
func (w *worker) resume(fd int, r conn.Record, stays bool) *conn.Conn {
	s := w.loop.Adopt(fd, r.Peer)
	c := w.srv.Resume(s, r, stays)
	s.SetEvents(c)
	c.Start()
	return c
}

func frameOf(seq uint64, listener int, r *conn.Record) handover.Conn {
	return handover.Conn{
		Seq: seq, Listener: listener, Peer: r.Peer.AsSlice(), Requests: r.Requests,
		Head: r.Head, Age: time.Duration(max(0, r.Age)), Bytes: r.Bytes,
	}
}

func recordOf(m *handover.Conn) conn.Record {
	peer, _ := netip.AddrFromSlice(m.Peer)
	return conn.Record{
		Listener: m.Listener, Peer: peer, Requests: m.Requests,
		Head: m.Head, Age: int64(m.Age), Bytes: m.Bytes,
	}
}
