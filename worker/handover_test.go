package worker_test

import (
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"srvctl/proto/control"
	"srvctl/shared/sock"
)

// relay is workers of which each takes over what the one before it has.
type relay struct {
	t         testing.TB
	http, alt *port
	team      *team
	old, new  *hand
}

// newRelay has a worker that serves.
func newRelay(t testing.TB, text string) *relay {
	t.Helper()
	r := &relay{t: t, http: newPort(t, true, 1).listens(), alt: newPort(t, true, 1).listens(), team: newTeam(t)}
	r.old = r.team.hire(t, text, 0, r.http, r.alt).serve(0)
	return r
}

// heir is a worker that serves, too, and is to take over.
func (r *relay) heir(text string) *hand {
	r.t.Helper()
	r.new = r.team.hire(r.t, text, 0, r.http, r.alt).serve(0)
	return r.new
}

var both = []control.Pair{{Old: 0, New: 0}, {Old: 1, New: 1}}

// join gives each its end of a pair, as the master does.
func (r *relay) join() {
	r.t.Helper()
	give, take, err := sock.Pair()
	must(r.t, err)
	r.new.send(control.Take{Slot: 0, Generation: 1}, take)
	r.old.send(control.Give{Listeners: both}, give)
	unix.Close(give)
	unix.Close(take)
}

func (r *relay) drain() {
	r.t.Helper()
	r.old.send(control.Drain{Timeout: anHour, Idle: anHour, Why: control.WhyReload})
}

// clients connects n, of which every other one has asked something.
func (r *relay) clients(n int) (all []*browser) {
	r.t.Helper()
	for i := range n {
		b := r.http.browser()
		if i%2 == 0 {
			b.asks()
		}
		all = append(all, b)
	}
	until(r.t, "all are accepted", func() bool { return r.team.host.Connections() >= int64(n) })
	return all
}

// counts waits until the two hold so many connections.
func (r *relay) counts(old, new int64) {
	r.t.Helper()
	host := r.team.host
	until(r.t, fmt.Sprintf("%d and %d connections are counted", old, new), func() bool {
		return host.Process(r.old.index) == old && host.Process(r.new.index) == new
	})
}

// asks sends a request on a connection that goes on.
func (b *browser) asks() {
	b.t.Helper()
	if closes, err := b.ask("/hello"); err != nil || closes {
		b.t.Fatalf("closes %t, %v; want an answer, and that the connection goes on", closes, err)
	}
}

// askAll tells how many connections end with their next response. Each must get
// one.
func askAll(t testing.TB, clients []*browser) (closed int) {
	t.Helper()
	for i, b := range clients {
		closes, err := b.ask("/hello")
		if err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
		if closes {
			closed++
		}
	}
	return closed
}

func TestIdleConnectionsMove(t *testing.T) {
	r := newRelay(t, tested)
	clients := r.clients(100)
	r.heir(tested)
	r.join()
	before := r.old.descriptors()
	r.drain()
	r.old.ends(control.Drained{Moved: 100})
	r.counts(0, 100)
	if n := askAll(t, clients); n > 0 {
		t.Errorf("%d connections were closed", n)
	}
	if v := r.new.cell.View(); v.Accepted != 0 || r.old.cell.View().Moved != 100 {
		t.Errorf("%d are counted as accepted by who took them over, %d as moved; want 0 and 100", v.Accepted, r.old.cell.View().Moved)
	}
	for _, b := range clients {
		b.Close()
	}
	r.counts(0, 0)
	until(t, "the new one has no more descriptors than the old one had", func() bool { return r.new.descriptors() <= before-100 })
	if n := strings.Count(r.old.file("access"), "127.0.0.1"); n != 50 {
		t.Errorf("the old one has %d lines of the client, want 50", n)
	}
	until(t, "the new one has a line for each answer", func() bool { return strings.Count(r.new.file("access"), "127.0.0.1") == 100 })
}

// Clients that never rest. Each goes on until it is told to stop, and says what
// was wrong.
var restless = map[string]func(b *browser, n int) error{
	"asking": func(b *browser, n int) error { return b.stays(b.ask("/hello")) },
	"pipelining": func(b *browser, n int) error { // there is always a request under way
		if n == 0 {
			b.echo(0, 16)
		}
		b.echo(n+1, 16)
		return b.echoed(n, 16)
	},
	"posting": func(b *browser, n int) error {
		for _, part := range []string{"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nhel", "l", "o\n"} {
			if _, err := io.WriteString(b, part); err != nil {
				return err
			}
		}
		return b.stays(b.answer("hello\n"))
	},
	"dribbling": func(b *browser, n int) error {
		for _, c := range []byte("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n") {
			if _, err := b.Write([]byte{c}); err != nil {
				return err
			}
		}
		return b.stays(b.answer("hello\n"))
	},
}

func (b *browser) stays(closes bool, err error) error {
	if err == nil && closes {
		err = fmt.Errorf("the response says Connection: close")
	}
	return err
}

// echo asks for as many numbers at once.
func (b *browser) echo(n, many int) {
	text := ""
	for i := range many {
		text += fmt.Sprintf("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n%05d %02d", n, i)
	}
	_, _ = io.WriteString(b, text) // what goes wrong shows when the answer is read
}

func (b *browser) echoed(n, many int) error {
	for i := range many {
		if err := b.stays(b.answer(fmt.Sprintf("%05d %02d", n, i))); err != nil {
			return err
		}
	}
	return nil
}

// No client notices that its connection moves, and moves again.
func TestBusyConnectionsMove(t *testing.T) {
	const each, swaps = 5, 3
	r := newRelay(t, tested)
	var stop atomic.Bool
	var wg sync.WaitGroup
	total := int64(0)
	answered := make(map[string]*atomic.Int64)
	for name, act := range restless {
		served := &atomic.Int64{}
		answered[name] = served
		for range each {
			b := r.http.browser()
			total++
			wg.Go(func() {
				for n := 0; !stop.Load(); n++ {
					if err := act(b, n); err != nil {
						t.Errorf("%s client, request %d: %v", name, n, err)
						return
					}
					served.Add(1)
				}
			})
		}
	}
	until(t, "all are accepted", func() bool { return r.team.host.Connections() == total })
	wg.Go(func() { // the limit for the host must hold
		for low := 0; !stop.Load(); {
			// A sum during which this process did not run is of two times.
			if n := r.team.host.Connections(); n >= total {
				low = 0
			} else if low++; low == 3 {
				t.Errorf("%d connections are counted, there are %d", n, total)
				return
			}
		}
	})
	for range swaps {
		r.heir(tested)
		r.join()
		r.drain()
		r.old.ends(control.Drained{Moved: int(total)})
		r.counts(0, total)
		for name, served := range answered {
			before := served.Load()
			until(t, name+" clients are answered", func() bool { return served.Load() > before+each || t.Failed() })
		}
		r.old = r.new
	}
	stop.Store(true)
	wg.Wait()
}

// What a connection has used up of its limits is not forgotten, and bytes that
// were read are not lost.
func TestStateMoves(t *testing.T) {
	limited := with("access_log:", "limits: {keepalive_requests: 5}\naccess_log:")
	r := newRelay(t, limited)
	asked := r.http.browser()
	for range 3 {
		asked.asks()
	}
	half := r.http.browser()
	half.send("GET /hello HTTP/1.1\r\nHost: h\r\nX: ")
	busy := r.http.browser().begins()
	until(t, "all have begun", func() bool { v := r.old.cell.View(); return v.InFlight == 2 && v.Idle == 1 })
	r.heir(limited)
	r.old.halt()
	r.join()
	r.drain()
	r.old.goOn()
	r.counts(1, 2)
	until(t, "the new one shows one of each", func() bool { v := r.new.cell.View(); return v.Idle == 1 && v.InFlight == 1 })
	asked.asks()
	if closes, err := asked.ask("/hello"); err != nil || !closes {
		t.Errorf("the fifth response: closes %t, %v; want that it does", closes, err)
	}
	half.send("y\r\n\r\n")
	closes, err := half.answer("hello\n")
	must(t, half.stays(closes, err))
	if busy.finishes() {
		t.Error("a response that was under way says Connection: close")
	}
	r.old.ends(control.Drained{Moved: 3})
	busy.asks()
}

// racing reports whether this is built with the race detector, which makes
// everything slow.
func racing() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// Ten thousand connections take no noticeable time, and no client is too early.
func TestTenThousandMove(t *testing.T) {
	const n = 10_000
	text := with("access_log:", "limits: {connections: 20000}\naccess_log:")
	r := newRelay(t, text)
	clients := make([]*browser, 0, n)
	for range n {
		clients = append(clients, r.http.browser())
	}
	until(t, "all are accepted", func() bool { return r.team.host.Connections() == n })
	r.heir(text)
	r.join()
	used, began := r.old.cpu()+r.new.cpu(), time.Now()
	r.drain()
	r.counts(0, n)
	took, spent := time.Since(began), r.old.cpu()+r.new.cpu()-used
	r.old.ends(control.Drained{Moved: n})
	t.Logf("%d connections moved in %v, with %v of CPU time", n, took, spent)
	if spent > time.Second && !racing() {
		t.Errorf("that is too much")
	}
	for i := 0; i < n; i += 100 {
		clients[i].asks()
	}
}
