package worker_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/proto/control"
	"srvctl/shared/sock"
)

// relay is an old worker that serves, and its successor, which takes the
// connections over once the old one drains.
type relay struct {
	t        testing.TB
	http     *port
	old, new *hand
}

func newRelay(t testing.TB, before, after string) *relay {
	t.Helper()
	http, team := newPort(t, true, 1).listens(), newTeam(t)
	alt := newPort(t, true, 1).listens()
	r := &relay{t: t, http: http}
	r.old = team.hire(t, before, 0, http, alt).serve(0)
	r.new = team.hire(t, after, 0, http, alt)
	return r
}

var both = []control.Pair{{Old: 0, New: 0}, {Old: 1, New: 1}}

// join gives each its end of a pair, as the master does.
func (r *relay) join(old, new *hand) {
	r.t.Helper()
	give, take, err := sock.Pair()
	must(r.t, err)
	new.send(control.Take{Slot: 0, Generation: 1}, take)
	old.send(control.Give{Listeners: both}, give)
	unix.Close(give)
	unix.Close(take)
}

// swap lets the successor take everything.
func (r *relay) swap() {
	r.t.Helper()
	r.new.serve(0)
	r.join(r.old, r.new)
	r.drain()
}

func (r *relay) drain() {
	r.t.Helper()
	r.old.send(control.Drain{Timeout: anHour, Idle: anHour, Why: control.WhyReload})
}

// counts checks who holds how many connections.
func (r *relay) counts(old, new int64) {
	r.t.Helper()
	host := r.old.team.host
	until(r.t, "the counts are "+itoa(int(old))+" and "+itoa(int(new)), func() bool {
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

func TestIdleConnectionsMove(t *testing.T) {
	r := newRelay(t, tested, tested)
	var clients []*browser
	for i := range 100 {
		b := r.http.browser()
		if i%2 == 0 {
			b.asks()
		}
		clients = append(clients, b)
	}
	r.counts(100, 0)
	r.swap()
	r.old.ends(control.Drained{Moved: 100})
	r.counts(0, 100)
	for _, b := range clients {
		b.asks()
	}
}
