package worker_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"srvctl/proto/control"
)

// registered is how the worker's epoll knows the sockets of a listener, by
// slot: "-" not at all, "own" alone, "exclusive" with others.
func (h *hand) registered(p *port) string {
	h.t.Helper()
	infos, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", h.pid()))
	must(h.t, err)
	events := map[string]uint64{} // by inode
	for _, info := range infos {
		text, _ := os.ReadFile(info)
		for _, m := range target.FindAllStringSubmatch(string(text), -1) {
			if link, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", h.pid(), m[1])); err == nil { // not closed meanwhile
				events[link], _ = strconv.ParseUint(m[2], 16, 64)
			}
		}
	}
	var slots []string
	for _, fd := range p.fds {
		link, err := os.Readlink("/proc/self/fd/" + itoa(fd))
		must(h.t, err)
		switch ev, ok := events[link]; {
		case !ok:
			slots = append(slots, "-")
		case ev&exclusive != 0:
			slots = append(slots, "exclusive")
		default:
			slots = append(slots, "own")
		}
	}
	return strings.Join(slots, " ")
}

// target is a line of an epoll descriptor's /proc/PID/fdinfo.
var target = regexp.MustCompile(`(?m)^tfd: +(\d+) events: +([0-9a-f]+) `)

const exclusive = 1 << 28 // EPOLLEXCLUSIVE

// want waits until the sockets are registered so.
func (h *hand) want(p *port, why, want string) {
	h.t.Helper()
	until(h.t, why+": "+want+", not "+h.registered(p), func() bool { return h.registered(p) == want })
}

// The socket of the worker's own slot is its own. Those of neighbours that are
// down, and of slots that are gone, are accepted from by several workers, and so
// are all sockets of a shared listener.
func TestAcceptSets(t *testing.T) {
	sliced, shared := newPort(t, false, 4).listens(), newPort(t, true, 3).listens()
	one := hire(t, tested, 0, sliced, shared).serve(0, 2, 3) // of four slots two are left
	two := hire(t, tested, 1, sliced, shared).serve(1, 2, 3)
	one.want(sliced, "after a shrink", "own - exclusive exclusive")
	two.want(sliced, "after a shrink", "- own exclusive exclusive")
	one.want(shared, "of what was sliced before", "exclusive exclusive exclusive")
	serves := func(p *port, hands ...*hand) {
		t.Helper()
		for range 200 {
			b := p.browser()
			_, err := b.ask("/hello")
			must(t, err)
			b.Close()
		}
		for _, h := range hands {
			until(t, "all have gone", func() bool { return h.cell.View().Connections() == 0 })
		}
	}
	serves(sliced, one, two)
	serves(shared, one, two)
	if a, b := one.cell.View().Accepted, two.cell.View().Accepted; a == 0 || b == 0 || a+b != 400 {
		t.Errorf("%d and %d connections were accepted, want 400 together", a, b)
	}

	two.send(control.Accept{Slots: []int{1}})
	two.want(sliced, "without the slots that are gone", "- own - -")
	two.want(shared, "whatever is said of slots", "exclusive exclusive exclusive")
	two.send(control.Accept{Slots: []int{0, 1, 2, 3}}) // and stands in for a neighbour
	two.want(sliced, "with them", "exclusive own exclusive exclusive")
	one.send(control.Accept{})
	one.want(sliced, "none", "- - - -")
	serves(sliced, one, two)
	if got := one.cell.View().Accepted + two.cell.View().Accepted; got != 600 {
		t.Errorf("%d connections were accepted, want 600", got)
	}
}

// New sockets may come to a worker that serves: of slots to come, and in place
// of others, which are let go of.
func TestSocketsThatComeLater(t *testing.T) {
	sliced, shared := newPort(t, false, 2).listens(), newPort(t, true, 1).listens()
	h := hire(t, tested, 0, sliced, shared).serve(0)
	more := newPort(t, false, 2)
	h.send(control.Listener{Number: 0, First: 2, Count: 2}, more.fds...)
	h.send(control.Accept{Slots: []int{0, 3}}) // before it listens: left out, or it would be ready all the time
	more.listens()
	h.send(control.Accept{Slots: []int{0, 3}})
	h.want(more, "of a slot to come", "- exclusive")
	h.want(sliced, "as before", "own -")

	other := newPort(t, false, 2).listens()
	h.send(control.Listener{Number: 0, First: 0, Count: 2}, other.fds...)
	h.want(other, "in the place of the first", "own -")
	if n := h.holds(sliced); n != 0 {
		t.Errorf("the worker still holds %d of the sockets that were replaced", n)
	}
	h.send(control.Accept{Slots: []int{0, 1}})
	_, err := other.browser().ask("/hello")
	must(t, err)

	again := newPort(t, true, 2).listens()
	h.send(control.Listener{Number: 1, Shared: true, First: 1, Count: 2}, again.fds...)
	h.send(control.Accept{Slots: []int{0}})
	h.want(again, "more sockets of a shared listener", "exclusive exclusive")
	h.want(shared, "beside the first", "exclusive")
}

// queued connects clients that send a request each, and nobody accepts them.
func queued(p *port, n int) (waiting []*browser) {
	p.t.Helper()
	for range n {
		b := p.browser()
		b.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
		waiting = append(waiting, b)
	}
	return waiting
}

// leavers are the ways of workers to meet a drain: serving, with what waits
// already told to it or not, or before it was told to serve.
var leavers = map[string]struct{ shared, serves bool }{
	"sliced": {false, true}, "shared": {true, true},
	"sliced, ready": {false, false}, "shared, ready": {true, false},
}

// What waits in the queue of a listener that others serve is left to them, also
// when this worker has been woken for it.
func TestDrainLeavesQueues(t *testing.T) {
	for name, how := range leavers {
		t.Run(name, func(t *testing.T) {
			http, alt := newPort(t, how.shared, 1).listens(), newPort(t, false, 1).listens()
			old, young := hire(t, tested, 0, http, alt), hire(t, tested, 0, http, alt)
			if how.serves {
				old.serve(0)
			}
			old.halt()
			waiting := queued(http, 300)
			old.send(control.Drain{Timeout: anHour, Why: control.WhyReload, Empty: []int{1}})
			old.goOn()
			until(t, "the sockets are left", func() bool { return old.holds(http)+old.holds(alt) == 0 })
			taken := old.cell.View().Accepted // before it read the order
			young.serve(0)
			for _, b := range waiting {
				_, err := b.answer("hello\n")
				must(t, err)
				b.Close()
			}
			old.endsWell()
			if rest := young.cell.View().Accepted; taken+rest != 300 || !how.serves && taken > 0 {
				t.Errorf("%d connections were accepted by the old worker and %d by the new one, of 300", taken, rest)
			}
		})
	}
}

// The queues of a listener that nobody else will serve are emptied, those of
// neighbours too, and then its address is free.
func TestDrainEmptiesQueues(t *testing.T) {
	for name, how := range leavers {
		t.Run(name, func(t *testing.T) {
			gone, kept := newPort(t, how.shared, 3).listens(), newPort(t, how.shared, 1).listens()
			h := hire(t, tested, 0, gone, kept)
			if how.serves {
				h.serve(0)
			}
			h.halt()
			waiting := queued(gone, 300)
			gone.close()
			h.send(control.Drain{Timeout: anHour, Why: control.WhyReload, Empty: []int{0}})
			h.goOn()
			for _, b := range waiting {
				closes, err := b.answer("hello\n")
				must(t, err)
				if !closes && !how.serves {
					t.Error("a response does not say Connection: close")
				}
				b.Close()
			}
			h.endsWell()
			if b, err := gone.dial(); err == nil {
				b.sees(io.EOF, "nobody is there")
				t.Error("the address is still taken")
			}
			_, err := kept.dial()
			must(t, err)
		})
	}
}

// Workers replace each other under load, slot by slot: every connection is
// accepted, every request answered.
func TestWorkersTakeTurns(t *testing.T) {
	for name, shared := range map[string]bool{"sliced": false, "shared": true} {
		t.Run(name, func(t *testing.T) {
			http, alt := newPort(t, shared, 2).listens(), newPort(t, true, 1).listens()
			both := []*hand{hire(t, tested, 0, http, alt).serve(0), hire(t, tested, 1, http, alt).serve(1)}
			stop := make(chan struct{})
			var clients sync.WaitGroup
			for i := range 8 {
				clients.Go(func() { knock(http, customs[i%len(customs)], stop) })
			}
			rounds := 6
			if testing.Short() {
				rounds = 2
			}
			var all []*hand
			for range rounds {
				for slot, old := range both {
					young := hire(t, tested, slot, http, alt).serve(slot)
					old.send(control.Drain{Timeout: anHour, Idle: old.conf.Drain.Idle, Why: control.WhyReload})
					all = append(all, old)
					both[slot] = young
				}
			}
			close(stop)
			clients.Wait()
			for _, h := range slices.Concat(all, both) {
				if slices.Contains(both, h) {
					h.send(control.Drain{Timeout: anHour, Why: control.WhyStop, Empty: []int{0, 1}})
				}
				h.endsWell()
			}
		})
	}
}

// custom is how a client behaves: the requests it sends at once, and how often
// on a connection.
type custom struct{ pipelined, times int }

var customs = []custom{{1, 1}, {1, 3}, {16, 1}, {16, 100}}

// knock asks on new connections until it is told to stop. All requests must be
// answered, those of one packet together.
func knock(p *port, how custom, stop <-chan struct{}) {
	for {
		b, err := p.dial()
		if err != nil {
			p.t.Errorf("connect: %v", err)
			return
		}
		for n := 0; n < how.times; n++ {
			select {
			case <-stop:
				b.Close()
				return
			default:
			}
			closes, err := b.askAtOnce(how.pipelined)
			if err != nil {
				p.t.Errorf("round %d of a connection with %d requests at once: %v", n, how.pipelined, err)
				return
			}
			if closes {
				break
			}
		}
		b.Close()
	}
}

// askAtOnce sends n requests in one packet.
func (b *browser) askAtOnce(n int) (closes bool, err error) {
	if _, err := io.WriteString(b, strings.Repeat("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", n)); err != nil {
		return false, err
	}
	for i := range n {
		closes, err = b.answer("hello\n")
		if err == nil && closes && i < n-1 {
			err = fmt.Errorf("Connection: close in response %d of %d", i+1, n)
		}
		if err != nil {
			return false, err
		}
	}
	return closes, nil
}
