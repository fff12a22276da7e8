package handover

import (
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"srvctl/tests/harness"
)

// window is how many connections may be on their way from one process to
// another, sent and not acknowledged.
const window = 64

// members is how many connections there are, some of which are busy all the
// time.
const (
	members = 2000
	busy    = 40
)

// A process that dies or stands still in the middle of a hand-over takes with
// it what it had, and nothing else. Both sides are stopped so that the window is
// full when it happens, and /proc tells then what the victim holds: its
// descriptors are what it owns and what nobody has acknowledged. Of the latter
// it takes nothing either where the other side has it too, or will get it.
func TestKillDuringHandover(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(h *halfway) (mayBreak, mayEnd map[int]bool)
	}{
		{"receiver that has taken nothing yet", (*halfway).killReceiver},
		{"receiver whose answers nobody has read", (*halfway).killReceiverAfterTaking},
		{"sender with a full window", (*halfway).killSender},
		{"sender whose connections were taken", (*halfway).killSenderAfterTaking},
		{"receiver that stands still for 2 s", (*halfway).pauseReceiver},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for range times(1, 10) {
				s := setup{workers: 4, more: "heartbeat: {timeout: 1m}\nlimits: {connections: 12000}"}.start(t)
				crowd := meet(t, s)
				before := counters(t, s)
				h := stopHalfway(t, s)
				mayBreak, mayEnd := tc.do(h)
				h.wg.Wait()
				crowd.account(s, mayBreak, mayEnd)
				now := counters(t, s)
				wantGrowth(t, before, now)
				if now[accepted] != members {
					t.Errorf("%v connections were accepted, want %d", now[accepted], members)
				}
				crowd.close()
				if code := s.Stop(); code != 0 {
					t.Errorf("the server exits with %d", code)
				}
				crowd.wantOnce(s)
			}
		})
	}
}

// halfway is a server in the middle of a hand-over in one slot: the receiver
// stands still, the sender has sent what it may and waits.
type halfway struct {
	*testing.T
	s                *harness.Server
	sender, receiver int
	peers            map[string]int // the clients' ports of all connections there are
	held             int            // connections of the sender at first
	wg               sync.WaitGroup
}

func stopHalfway(t *testing.T, s *harness.Server) *halfway {
	t.Helper()
	h := &halfway{T: t, s: s, sender: s.Status().In("serving")[0].PID, peers: peersByInode(t, s.Addr("http"))}
	halt(t, h.sender)
	h.held = len(h.holds(h.sender).all)
	h.wg.Go(func() {
		if r := s.Reload(); r.Code != 0 {
			t.Errorf("the reload exits with %d: %s%s", r.Code, r.Stdout, r.Stderr)
		}
	})
	st := s.AwaitStatus("the next generation serves, the sender alone drains", func(st harness.Status) bool {
		old := st.In("draining")
		all := !slices.ContainsFunc(st.In("serving"), func(w harness.WorkerStatus) bool { return w.Generation != 2 })
		return all && len(st.In("serving")) == 4 && len(st.Workers) == 5 && len(old) == 1 && old[0].PID == h.sender
	})
	h.receiver = st.In("serving")[0].PID
	halt(t, h.receiver)
	if n := len(h.holds(h.receiver).all); n > 0 || h.held <= 2*window {
		t.Fatalf("the receiver has %d connections and the sender %d; want none and more than two windows", n, h.held)
	}
	goOn(t, h.sender)
	h.awaitWindow()
	return h
}

func (h *halfway) holds(pid int) holding { return whatHolds(h.T, pid, h.peers) }

// awaitWindow waits until the sender may not send any more.
func (h *halfway) awaitWindow() {
	h.Helper()
	n := 0
	if !harness.Poll(patience, func() bool { n = len(h.holds(h.sender).detached); return n == window }) {
		h.Fatalf("%d connections are on their way, want %d", n, window)
	}
}

// taken stops the sender, lets the receiver take what is on its way, and stops
// it too.
func (h *halfway) taken() {
	h.Helper()
	halt(h.T, h.sender)
	goOn(h.T, h.receiver)
	n := 0
	if !harness.Poll(patience, func() bool { n = len(h.holds(h.receiver).all); return n == window }) {
		h.Fatalf("the receiver has %d connections, want %d", n, window)
	}
	halt(h.T, h.receiver)
}

// killReceiver: everything on its way goes back, nothing breaks. Until the
// master has found another receiver the sender can only tell whoever asks that
// his connection ends.
func (h *halfway) killReceiver() (mayBreak, mayEnd map[int]bool) {
	mine, theirs := h.holds(h.receiver).all, h.holds(h.sender).all
	kill(h.T, h.receiver)
	return mine, theirs
}

// killReceiverAfterTaking: the window is the dead process's, all else is the
// sender's.
func (h *halfway) killReceiverAfterTaking() (mayBreak, mayEnd map[int]bool) {
	h.taken()
	mine, theirs := h.holds(h.receiver).all, h.holds(h.sender).all
	kill(h.T, h.receiver)
	goOn(h.T, h.sender)
	return mine, theirs
}

// killSender: what is on its way is in the hands of the kernel and reaches the
// receiver.
func (h *halfway) killSender() (mayBreak, mayEnd map[int]bool) {
	halt(h.T, h.sender)
	mine := h.holds(h.sender)
	kill(h.T, h.sender)
	goOn(h.T, h.receiver)
	return without(mine.all, mine.detached), nil
}

// killSenderAfterTaking: what the receiver has is the receiver's, whether its
// answer was read or not.
func (h *halfway) killSenderAfterTaking() (mayBreak, mayEnd map[int]bool) {
	h.taken()
	mine, theirs := h.holds(h.sender).all, h.holds(h.receiver).all
	kill(h.T, h.sender)
	goOn(h.T, h.receiver)
	return without(mine, theirs), nil
}

// pauseReceiver: nobody waits for a time, so nothing happens.
func (h *halfway) pauseReceiver() (mayBreak, mayEnd map[int]bool) {
	<-time.After(2 * time.Second)
	if n := len(h.holds(h.sender).detached); n != window {
		h.Errorf("%d connections are on their way while the receiver stands still, want %d", n, window)
	}
	goOn(h.T, h.receiver)
	return nil, nil
}

func without(all, but map[int]bool) map[int]bool {
	rest := map[int]bool{}
	for port := range all {
		if !but[port] {
			rest[port] = true
		}
	}
	return rest
}

// member is a connection and what it has seen.
type member struct {
	*client
	port   int
	asked  []int // numbers, each answered but for the last of one that broke
	broken error
}

// gathering is many connections.
type gathering struct {
	t     *testing.T
	list  []*member
	stopc chan struct{}
	wg    sync.WaitGroup
}

// meet opens them, lets each be answered once, and keeps some busy.
func meet(t *testing.T, s *harness.Server) *gathering {
	t.Helper()
	harness.RaiseOpenFiles(t, members+256)
	g := &gathering{t: t, stopc: make(chan struct{})}
	for i := range members {
		m := &member{client: connect(t, s.Addr("http"))}
		m.port = m.LocalAddr().(*net.TCPAddr).Port
		g.list = append(g.list, m)
		m.ask(i, 0)
		must(t, m.broken)
	}
	for i, m := range g.list[:busy] {
		g.wg.Go(func() {
			for n := 1; m.broken == nil; n++ {
				select {
				case <-g.stopc:
					return
				case <-time.After(10 * time.Millisecond):
					m.ask(i, n)
				}
			}
		})
	}
	return g
}

// ask asks with a number of its own.
func (m *member) ask(i, n int) {
	number := n*members + i
	m.asked = append(m.asked, number)
	m.broken = m.client.ask(fmt.Sprint("/n/", number), fmt.Sprintln(number))
}

// account asks once more on every connection and wants that only those that may
// be are broken, that only those that may be were ended by an answer, and that
// the server knows how many are left.
func (g *gathering) account(s *harness.Server, mayBreak, mayEnd map[int]bool) {
	g.t.Helper()
	close(g.stopc)
	g.wg.Wait()
	ended, broken, lost := 0, 0, 0
	for i, m := range g.list {
		inFlight := m.broken != nil
		if !inFlight {
			m.ask(i, len(m.asked))
		}
		switch {
		case m.broken == nil:
			continue
		case errors.Is(m.broken, errEnds):
			ended++
			if !mayEnd[m.port] {
				g.t.Errorf("connection %d (port %d) was ended: %v", i, m.port, m.broken)
			}
		default:
			broken++
			if inFlight {
				lost++
			}
			if !mayBreak[m.port] {
				g.t.Errorf("connection %d (port %d), which another process had, is broken: %v", i, m.port, m.broken)
			}
		}
		m.Close()
	}
	g.t.Logf("%d of %d connections might break and %d did, %d of them with a request in flight; %d were ended by an answer", len(mayBreak), members, broken, lost, ended)
	if ended > busy {
		g.t.Errorf("%d connections were ended by an answer, only %d had asked", ended, busy)
	}
	awaitQuiet(g.t, s, members-broken-ended)
	if n := len(peersByInode(g.t, s.Addr("http"))); n != members-broken-ended {
		g.t.Errorf("the kernel has %d connections to the server, want %d", n, members-broken-ended)
	}
}

func (g *gathering) close() {
	for _, m := range g.list {
		m.Close()
	}
}

// wantOnce wants no request in the access log twice, and none that was not
// asked. Lines of a process that was killed may be missing.
func (g *gathering) wantOnce(s *harness.Server) {
	g.t.Helper()
	raw, err := os.ReadFile(s.Dir + "/access.log")
	must(g.t, err)
	times := map[string]int{}
	for _, m := range regexp.MustCompile(`"path":"/n/(\d+)"`).FindAllStringSubmatch(string(raw), -1) {
		times[m[1]]++
	}
	for _, m := range g.list {
		for _, number := range m.asked {
			if n := times[fmt.Sprint(number)]; n > 1 {
				g.t.Errorf("request %d is in the log %d times", number, n)
			}
			delete(times, fmt.Sprint(number))
		}
	}
	if len(times) > 0 || !strings.Contains(string(raw), "/n/") {
		g.t.Errorf("requests in the log that nobody sent: %v", times)
	}
}
