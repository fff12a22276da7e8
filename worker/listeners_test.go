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
			link, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", h.pid(), m[1]))
			must(h.t, err)
			events[link], _ = strconv.ParseUint(m[2], 16, 64)
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

// What waits in the queue of a listener that others serve is left to them, also
// when this worker has been woken for it.
func TestDrainLeavesQueues(t *testing.T) {
	for name, shared := range map[string]bool{"sliced": false, "shared": true} {
		t.Run(name, func(t *testing.T) {
			http, alt := newPort(t, shared, 1).listens(), newPort(t, false, 1).listens()
			old := hire(t, tested, 0, http, alt).serve(0)
			young := hire(t, tested, 0, http, alt)
			old.halt()
			waiting := queued(http, 300)
			old.send(control.Drain{Timeout: anHour, Why: control.WhyReload, Empty: []int{1}})
			old.goOn()
			until(t, "the sockets are left", func() bool { return old.holds(http)+old.holds(alt) == 0 })
			taken := old.cell.View().Accepted
			young.serve(0)
			for _, b := range waiting {
				_, err := b.answer("hello\n")
				must(t, err)
				b.Close()
			}
			old.ends(control.Drained{Finished: int(taken)})
			if rest := young.cell.View().Accepted; rest == 0 || taken+rest != 300 {
				t.Errorf("%d connections were accepted by the old worker and %d by the new one, want some left of 300", taken, rest)
			}
			until(t, "all have gone", func() bool { return young.cell.View().Connections() == 0 })
			young.send(control.Drain{Timeout: anHour, Why: control.WhyReload})
			young.ends(control.Drained{Finished: 0})
		})
	}
}

// The queues of a listener that nobody else will serve are emptied, those of
// neighbours too, and then its address is free.
func TestDrainEmptiesQueues(t *testing.T) {
	for name, shared := range map[string]bool{"sliced": false, "shared": true} {
		t.Run(name, func(t *testing.T) {
			gone, kept := newPort(t, shared, 3).listens(), newPort(t, shared, 1).listens()
			h := hire(t, tested, 0, gone, kept).serve(0)
			h.halt()
			waiting := queued(gone, 300)
			gone.close()
			h.send(control.Drain{Timeout: anHour, Why: control.WhyReload, Empty: []int{0}})
			h.goOn()
			last := 0
			for _, b := range waiting {
				closes, err := b.answer("hello\n")
				must(t, err)
				if closes {
					last++
				}
				b.Close()
			}
			h.endsWell()
			if last < len(waiting)-100 { // the first may have been answered before the order was read
				t.Errorf("only %d of %d responses say Connection: close", last, len(waiting))
			}
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
				clients.Go(func() { knock(http, i%2 == 0, stop) })
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

// knock asks on new connections, one or three times on each, until it is told
// to stop. All must be answered.
func knock(p *port, once bool, stop <-chan struct{}) {
	for {
		b, err := p.dial()
		if err != nil {
			p.t.Errorf("connect: %v", err)
			return
		}
		for n := 0; ; n++ {
			select {
			case <-stop:
				b.Close()
				return
			default:
			}
			closes, err := b.ask("/hello")
			if err != nil {
				p.t.Errorf("request %d of a connection: %v", n, err)
				return
			}
			if closes || once || n == 2 {
				break
			}
		}
		b.Close()
	}
}
