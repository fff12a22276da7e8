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

// inFlight is how many connections may be on their way.
const inFlight = 64

// stuck is a relay of n clients, some of which are on their way to a successor
// that does not answer.
func stuck(t *testing.T, n int) (r *relay, clients []*browser) {
	r = newRelay(t, tested)
	clients = r.clients(n)
	r.heir(tested)
	r.sticks(int64(n - inFlight))
	return r, clients
}

// sticks fills the window, so that so many are left.
func (r *relay) sticks(left int64) {
	r.t.Helper()
	r.join()
	r.new.halt()
	r.drain()
	until(r.t, "the window is full", func() bool { return r.old.cell.View().Idle == left })
}

// While the successor does not answer, those that did not go yet are served.
func TestTakerThatStops(t *testing.T) {
	r, clients := stuck(t, inFlight+36)
	for _, b := range clients {
		b.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
	}
	until(t, "those that did not go are answered", func() bool {
		return strings.Count(r.old.file("access"), "\n") == len(clients)/2+36
	})
	r.new.goOn()
	for i, b := range clients {
		closes, err := b.answer("hello\n")
		if err = b.stays(closes, err); err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
	}
	r.old.ends(control.Drained{Moved: len(clients)})
	r.counts(0, int64(len(clients)))
	if n := askAll(t, clients); n > 0 {
		t.Errorf("%d connections were closed", n)
	}
}

// A successor that dies has read nothing of what it did not acknowledge.
func TestTakerThatDies(t *testing.T) {
	for name, again := range map[string]bool{"for good": false, "and is replaced": true} {
		t.Run(name, func(t *testing.T) {
			r, clients := stuck(t, inFlight+36)
			r.new.signal(syscall.SIGKILL)
			<-r.new.endedc
			until(t, "all are back", func() bool { return r.old.cell.View().Connections() == int64(len(clients)) })
			if again {
				r.heir(tested)
				r.join()
				r.counts(0, int64(len(clients)))
			}
			switch closed := askAll(t, clients); {
			case again && closed > 0:
				t.Errorf("%d connections were closed, want none: there is a successor", closed)
			case !again && closed != len(clients):
				t.Errorf("%d of %d connections were closed, want all: they can go nowhere", closed, len(clients))
			}
			for _, b := range clients {
				b.Close()
			}
			if again {
				r.old.ends(control.Drained{Moved: len(clients)})
				r.counts(0, 0)
			} else {
				r.old.ends(control.Drained{Finished: len(clients)})
			}
		})
	}
}

// When the one who gives dies, what it had sent is served.
func TestGiverThatDies(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "terminated": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			r, clients := stuck(t, inFlight+36)
			r.old.signal(signal)
			<-r.old.endedc
			r.new.goOn()
			served, broken := 0, 0
			for _, b := range clients {
				switch closes, err := b.ask("/hello"); {
				case err == nil && !closes:
					served++
				case err != nil:
					broken++
				}
			}
			if served != inFlight || broken != 36 {
				t.Errorf("%d clients are served, %d have lost their connection; want %d and 36", served, broken, inFlight)
			}
			until(t, "they are counted", func() bool { return r.team.host.Process(r.new.index) == inFlight })
		})
	}
}

// The one who gives still has its copies, and cannot be asked to close them.
func TestGiverThatStops(t *testing.T) {
	r, clients := stuck(t, inFlight)
	r.old.halt()
	r.new.goOn()
	if n := askAll(t, clients[1:]); n > 0 {
		t.Errorf("%d connections were closed", n)
	}
	if n := r.team.host.Connections(); n != 2*inFlight {
		t.Errorf("%d connections are counted, want each twice while nobody knows", n)
	}
	clients[0].send("GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	if closes, err := clients[0].answer("hello\n"); err != nil || !closes {
		t.Errorf("closes %t, %v", closes, err)
	}
	clients[0].sees(io.EOF, "the connection ends for all who hold it")
	r.old.goOn()
	r.old.ends(control.Drained{Moved: inFlight})
	r.counts(0, inFlight-1)
}

// A successor without descriptors takes what it can.
func TestTakerThatIsFull(t *testing.T) {
	r := newRelay(t, tested)
	clients := r.clients(100)
	r.heir(tested)
	before := r.new.descriptors()
	limit := uint64(before) + 40
	must(t, unix.Prlimit(r.new.pid(), unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: limit}, nil))
	r.join()
	r.drain()
	until(t, "all have been tried", func() bool { return strings.Count(r.old.file("log"), "raise limits.open_files") > 0 })
	closed := askAll(t, clients)
	if closed < 50 || closed > 65 {
		t.Errorf("%d connections were closed, want what does not fit: about 60", closed)
	}
	for _, b := range clients {
		b.Close()
	}
	r.old.ends(control.Drained{Finished: closed, Moved: len(clients) - closed})
	r.counts(0, 0)
	until(t, "no descriptor is left behind", func() bool { return r.new.descriptors() <= before+1 })
}

// A worker that takes over while it drains moves on what comes, if it can.
func TestChain(t *testing.T) {
	r := newRelay(t, tested)
	clients := r.clients(inFlight + 36)
	r.heir(tested)
	busy := r.new.gets(t, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nhel")
	until(t, "it is at work", func() bool { return r.new.cell.View().InFlight == 1 })
	r.sticks(36)
	first, second := r.old, r.new
	r.heir(tested)
	r.old = second
	r.join()
	r.drain()
	second.goOn()
	first.ends(control.Drained{Moved: len(clients)})
	r.counts(1, int64(len(clients)))
	if n := askAll(t, clients); n > 0 || busy.finishes() {
		t.Errorf("%d connections were closed", n)
	}
	second.ends(control.Drained{Moved: len(clients) + 1})
}

// gets gives it a connection of which bytes have been read.
func (h *hand) gets(t *testing.T, bytes string) *browser {
	t.Helper()
	b, fd := connection(t)
	f := h.takes(t)
	f.send(handover.Conn{Seq: 1, Bytes: []byte(bytes)}, fd)
	f.says(handover.Ack{Seq: 1})
	return b
}

// Without anybody behind it, it does not take them.
func TestTakerThatDrains(t *testing.T) {
	r := newRelay(t, tested)
	clients := r.clients(10)
	r.heir(tested)
	busy := r.new.gets(t, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nhel")
	until(t, "it is at work", func() bool { return r.new.cell.View().InFlight == 1 })
	r.new.send(control.Drain{Timeout: anHour, Idle: anHour, Why: control.WhyReload})
	until(t, "the listeners are left", func() bool { return r.new.holds(r.http) == 0 })
	r.join()
	r.drain()
	until(t, "all have been refused", func() bool {
		return strings.Count(r.old.file("log"), "this process drains, too") == len(clients)
	})
	if n := askAll(t, clients); n != len(clients) {
		t.Errorf("%d of %d connections were closed, want all", n, len(clients))
	}
	if !busy.finishes() {
		t.Error("the last response of a worker that drains does not say so")
	}
}

// The end of the master ends no hand-over.
func TestMoveWithoutAMaster(t *testing.T) {
	r, clients := stuck(t, inFlight+36)
	r.old.link.Close()
	r.new.link.Close()
	r.new.goOn()
	askAll(t, clients)
	for _, b := range clients {
		b.Close()
	}
	r.old.exits()
	r.new.exits()
}

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
