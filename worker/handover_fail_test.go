package worker_test

import (
	"io"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/proto/control"
	"srvctl/proto/handover"
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
