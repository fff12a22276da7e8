package worker_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"srvctl/proto/control"
	"srvctl/proto/handover"
	"srvctl/shared/sock"
)

// far is the test in the place of one of the two.
type far struct {
	t    testing.TB
	link *sock.Conn
}

func newFar(t testing.TB) (f *far, theirs int) {
	t.Helper()
	ours, theirs, err := sock.Pair()
	must(t, err)
	link, err := sock.NewConn(ours)
	must(t, err)
	t.Cleanup(link.Close)
	return &far{t: t, link: link}, theirs
}

// takes makes the test the one who gives to it.
func (h *hand) takes(t testing.TB) *far {
	t.Helper()
	f, theirs := newFar(t)
	h.send(control.Take{Slot: 0, Generation: 1}, theirs)
	unix.Close(theirs)
	return f
}

func (f *far) send(m handover.Message, fds ...int) {
	f.t.Helper()
	frame, err := handover.Append(nil, m)
	must(f.t, err)
	must(f.t, f.link.Send(frame, fds))
}

// gets returns the next message and the descriptor with it, -1 for none.
func (f *far) gets() (m handover.Message, fd int, err error) {
	buf := make([]byte, sock.MaxFrame)
	n, fds, err := f.link.Recv(buf)
	if err != nil {
		return nil, -1, err
	}
	for _, fd := range fds {
		f.t.Cleanup(func() { unix.Close(fd) })
	}
	m, err = handover.Decode(buf[:n])
	if len(fds) != 1 {
		return m, -1, err
	}
	return m, fds[0], err
}

// says checks what comes next.
func (f *far) says(want handover.Message) {
	f.t.Helper()
	if got, _, err := f.gets(); err != nil || got != want {
		f.t.Fatalf("the worker says %#v, %v; want %#v", got, err, want)
	}
}

func (f *far) ends() {
	f.t.Helper()
	if m, _, err := f.gets(); !errors.Is(err, io.EOF) {
		f.t.Errorf("the worker says %#v, %v; want that it closes the link", m, err)
	}
}

// connection is one that nobody serves yet: a client, and the server's end.
func connection(t testing.TB) (b *browser, fd int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	s, err := l.Accept()
	must(t, err)
	defer s.Close()
	f, err := s.(*net.TCPConn).File()
	must(t, err)
	t.Cleanup(func() { f.Close() })
	fd = int(f.Fd())
	must(t, unix.SetNonblock(fd, true))
	return newBrowser(t, c), fd
}

// A taker answers for every frame before it reads, and touches nothing of what
// it refuses.
func TestTakerRefuses(t *testing.T) {
	r := newRelay(t, tested)
	h := r.old
	before := h.descriptors()
	b, fd := connection(t)
	f := h.takes(t)
	f.send(handover.Conn{Seq: 1, Listener: 2}, fd)
	f.says(handover.Nack{Seq: 1, Reason: "there is no listener 2"})
	f.send(handover.Conn{Seq: 2})
	f.says(handover.Nack{Seq: 2, Reason: "0 descriptors came with it"})
	f.send(handover.Conn{Seq: 3}, fd, fd)
	f.says(handover.Nack{Seq: 3, Reason: "2 descriptors came with it"})
	limit := unix.Rlimit{Cur: 3, Max: 20_000}
	var was unix.Rlimit
	must(t, unix.Prlimit(h.pid(), unix.RLIMIT_NOFILE, &limit, &was))
	f.send(handover.Conn{Seq: 4}, fd)
	f.says(handover.Nack{Seq: 4, Reason: "its descriptor did not arrive: raise limits.open_files"})
	must(t, unix.Prlimit(h.pid(), unix.RLIMIT_NOFILE, &was, nil))
	if n := h.descriptors(); n > before+1 {
		t.Errorf("%d descriptors, %d before: what was refused is still open", n, before)
	}
	if n := r.team.host.Connections(); n != 0 {
		t.Errorf("%d connections are counted, want none", n)
	}

	f.send(handover.Conn{Seq: 5, Requests: 7, Bytes: []byte("GET /hello HTTP/1.1\r\nHo")}, fd)
	f.says(handover.Ack{Seq: 5})
	b.send("st: h\r\n\r\n")
	closes, err := b.answer("hello\n")
	must(t, b.stays(closes, err))

	other, fd2 := connection(t)
	must(t, f.link.Send([]byte("garbage"), []int{fd2}))
	f.ends()
	b.asks()
	other.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
	if n := r.team.host.Connections(); n != 1 {
		t.Errorf("%d connections are counted, want the one that was taken", n)
	}
	f = h.takes(t)
	f.send(handover.Ack{Seq: 1})
	f.ends()
	h.send(control.Drain{Timeout: anHour, Idle: 0, Why: control.WhyStop})
	b.sees(io.EOF, "it drains")
	b.Close()
	h.ends(control.Drained{Finished: 1})
}

// giving is a worker with n clients that drains, and the test its successor.
func giving(t *testing.T, n int) (r *relay, clients []*browser, f *far) {
	r = newRelay(t, tested)
	clients = r.clients(n)
	f, theirs := newFar(t)
	r.old.send(control.Give{Listeners: []control.Pair{{Old: 0, New: 7}}}, theirs)
	unix.Close(theirs)
	r.drain()
	return r, clients, f
}

// taken reads n connections and answers nothing.
func (f *far) taken(n int) (all []handover.Conn) {
	f.t.Helper()
	for range n {
		m, fd, err := f.gets()
		must(f.t, err)
		c, ok := m.(handover.Conn)
		if !ok || fd < 0 || c.Listener != 7 || net.IP(c.Peer).String() != "127.0.0.1" {
			f.t.Fatalf("got %#v with descriptor %d, want a connection", m, fd)
		}
		all = append(all, c)
	}
	return all
}

// No more than a few are on their way, and what is not acknowledged comes back
// when the link ends, and only then.
func TestGiverWaits(t *testing.T) {
	const n = inFlight + 36
	r, clients, f := giving(t, n)
	first := f.taken(inFlight)
	for i, c := range first {
		if c.Seq != uint64(i+1) || c.Requests != 1 && c.Requests != 0 || c.Head || len(c.Bytes) > 0 {
			t.Errorf("connection %d is %+v", i, c)
		}
	}
	if n := r.old.cell.View().Idle; n != 36 {
		t.Errorf("%d connections wait there, want 36", n)
	}
	f.link.Close()
	until(t, "all are back", func() bool { return r.old.cell.View().Idle == n })
	if n := askAll(t, clients); n != len(clients) {
		t.Errorf("%d of %d were closed, want all", n, len(clients))
	}
}

func TestGiverIsAnswered(t *testing.T) {
	const n = inFlight + 36
	r, clients, f := giving(t, n)
	f.taken(inFlight)
	for seq := range uint64(10) {
		f.send(handover.Ack{Seq: 1 + seq})
	}
	f.taken(10)
	f.send(handover.Nack{Seq: 12, Reason: "not this one"}) // in no order
	f.send(handover.Ack{Seq: 11})
	f.taken(2)
	f.send(handover.Ack{Seq: 11}) // twice: whoever says so is not to be trusted
	for seq := range uint64(5) {
		f.send(handover.Ack{Seq: 20 + seq})
	}
	f.ends()
	f.send(handover.Ack{Seq: 30})
	f.link.Close()
	moved := 10 + 1 + 5 + 1
	until(t, "the others are back", func() bool { return r.old.cell.View().Idle == int64(n-moved) })
	if got := r.team.host.Connections(); got != int64(n-moved) {
		t.Errorf("%d connections are counted, want %d", got, n-moved)
	}
	for _, b := range clients {
		b.Close()
	}
	r.old.ends(control.Drained{Moved: moved, Finished: n - moved})
	if log := r.old.file("log"); strings.Count(log, "not this one") != 1 || strings.Count(log, "connection 11, which is not on its way") != 1 {
		t.Errorf("the log says\n%s", log)
	}
}

// Time alone gives nothing back: nobody knows who reads.
func TestGiverOutOfTime(t *testing.T) {
	r, clients, f := giving(t, 10)
	f.taken(10)
	r.old.send(control.Drain{Timeout: time.Nanosecond, Why: control.WhyReload})
	clients[0].send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
	f.send(handover.Nack{Seq: 1})
	f.send(handover.Ack{Seq: 2})
	until(t, "the answers are heeded", func() bool { return r.team.host.Connections() == 8 })
	r.old.signal(syscall.SIGTERM)
	r.old.ends(control.Drained{Moved: 1, Finished: 1})
	f.ends()
}
