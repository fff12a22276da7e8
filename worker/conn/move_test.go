package conn_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"srvctl/worker/conn"
)

// movesFrom drains a site whose connections can be moved.
func movesFrom(t *testing.T) (s *site) {
	s = newSite(t)
	s.srv().Moves = []bool{3: true}
	return s
}

const anyBytes = 60 << 10

// moves moves all that can be moved now to another site, and tells how many
// that were.
func (s *site) moves(to *site, bytes int) (n int) {
	for {
		c := s.srv().NextToMove(bytes)
		if c == nil {
			to.host.run()
			return n
		}
		n++
		from := s.host
		i := slices.IndexFunc(from.clients, func(x *client) bool { return x.conn == c && !x.gone() })
		x := from.clients[i]
		from.clients = slices.Delete(from.clients, i, i+1)
		from.accepted--
		r, w := c.Release()
		if w != &x.wire || c.State() != conn.Closed {
			s.host.t.Errorf("released: another stream, or the connection is %s", c.State())
		}
		x.comes(to, r, false)
	}
}

// comes brings a client to a site.
func (c *client) comes(to *site, r conn.Record, stays bool) {
	c.host, c.queued, c.deadline, c.read, c.write = to.host, false, 0, false, false
	to.host.clients = append(to.host.clients, c)
	to.host.accepted++
	c.conn = to.srv().Resume(&c.wire, r, stays)
	c.conn.Start()
}

func TestMove(t *testing.T) {
	s, to := movesFrom(t), newSite(t)
	fresh := s.host.dial()
	idle := s.host.dial().sends(get("/hello")).gets("200 hello")
	half := s.host.dial().sends("GET /hello HTTP/1.1\r\nHo")
	busy := s.host.dial().sends(get("/suspend"))
	sending := s.host.dial().sends(request("POST /collect HTTP/1.1", "Content-Length: 4") + "so")
	streaming := s.host.dial().sends(get("/slow/100"))
	blocked := s.host.dial().blocks(10).sends(get("/bytes/20000"))
	lingering := s.host.dial().sends(get("/close")).gets("200 close hello")
	if n := s.moves(to, anyBytes); n != 0 {
		t.Errorf("%d connections moved before the drain", n)
	}
	s.drain()
	s.drain() // twice is once
	if n := s.moves(to, anyBytes); n != 3 {
		t.Errorf("%d connections moved, want those that wait for a request, or for more of one", n)
	}
	fresh.sends(get("/hello")).gets("200 hello")
	idle.sends(get("/hello")).gets("200 hello")
	half.is("head", "it was in the middle of one").sends("st: h\r\n\r\n").gets("200 hello")

	s.resume(sendHello)
	busy.gets("200 hello")
	sending.sends("me").gets("200 got some")
	s.sources[0].gives(s.host, 100)
	streaming.gets("200 [100]")
	blocked.readsAll().gets("200 [20000]")
	asking := s.host.dial().sends(get("/hello")).gets("200 hello")
	if n := s.moves(to, anyBytes); n != 5 {
		t.Errorf("%d connections moved, want those that have finished", n)
	}
	for _, c := range []*client{fresh, idle, half, busy, sending, streaming, blocked, asking} {
		c.sends(get("/hello")).gets("200 hello").is("idle", "it goes on")
	}
	lingering.is("lingering", "it had had its last response")
	if s.host.closed != 0 {
		t.Errorf("%d connections were closed, want none", s.host.closed)
	}
}

// What cannot be moved is drained.
func TestWhatDoesNotMove(t *testing.T) {
	s, to := movesFrom(t), newSite(t)
	other := s.host.dial()
	other.conn.Listener = 4
	secure := s.host.dial()
	secure.conn.Secure = true
	queued := s.host.dial()
	gone := s.host.dial()
	busy := s.host.dial()
	s.drain()
	gone.hangsUp()
	busy.sends(get("/suspend"))
	for _, c := range []*client{other, secure} {
		c.sends(get("/hello")).gets("200 close hello")
	}
	s.srv().Moves = nil // there is nobody any more
	s.drain()
	queued.sends(get("/hello")).gets("200 close hello")
	if n := s.moves(to, anyBytes); n != 0 {
		t.Errorf("%d connections moved, want none", n)
	}
	s.srv().Moves = []bool{3: true} // there is somebody else
	s.resume(sendHello)
	busy.gets("200 hello")
	if n := s.moves(to, anyBytes); n != 1 {
		t.Errorf("%d connections moved, want the one that finished", n)
	}
}

// One that comes back because nobody wants it is drained.
func TestComesBack(t *testing.T) {
	s, to := movesFrom(t), newSite(t)
	c := s.host.dial()
	s.drain()
	s.moves(to, anyBytes)
	to.srv().Moves = []bool{3: true}
	to.drain()
	next := to.srv().NextToMove(anyBytes)
	r, _ := next.Release()
	to.host.clients = slices.DeleteFunc(to.host.clients, func(x *client) bool { return x == c })
	to.host.accepted--
	c.comes(s, r, true)
	if n := s.moves(to, anyBytes); n != 0 {
		t.Errorf("%d connections moved, want none", n)
	}
	c.is("idle", "its window has not passed").sends(get("/hello")).gets("200 close hello")
}

func TestWhatTravels(t *testing.T) {
	s, to := movesFrom(t), newSite(t)
	to.srv().Limits.Requests = 3
	silent := s.host.dial()
	s.host.pass(70 * time.Second)
	c := s.host.dial().sends(get("/hello"), get("/hello")).gets("200 hello", "200 hello")
	half := s.host.dial().sends("GET /hello HTTP/1.1\r\n")
	late := s.host.dial().sends("GET /hello HTTP/1.1\r\n")
	s.host.pass(4500 * time.Millisecond)
	s.drain()
	s.moves(to, anyBytes)

	c.sends(get("/hello")).gets("200 close hello") // the third
	to.host.pass(999 * time.Millisecond)
	silent.is("idle", "its client may have sent something while it moved")
	to.host.pass(time.Millisecond)
	silent.is("closed", "it was silent for 75 seconds, and for one more here")
	to.host.pass(4499 * time.Millisecond)
	half.is("head", "it has a header timeout of 10 seconds")
	half.sends("Host: h\r\n\r\n").gets("200 hello")
	to.host.pass(time.Millisecond)
	late.gets("408 close " + page(408))

	s, to = movesFrom(t), newSite(t)
	asks := s.host.dial()
	client := ""
	s.drain()
	s.moves(to, anyBytes)
	asks.sends(get("/hello")).gets("200 hello")
	for _, x := range to.xs {
		client = fmt.Sprint(x.Req.Client, x.Req.Listener)
	}
	if want := fmt.Sprint(peer, 3); client != want {
		t.Errorf("client and listener are %s, want %s", client, want)
	}
}

// A client that never waits for a response moves between two of them, with the
// requests that were read already, when they are few enough.
func TestMoveOfAPipeline(t *testing.T) {
	s, to := movesFrom(t), newSite(t)
	requests, responses := asking(3 * conn.TurnCount)
	c := s.host.dial()
	c.in = []byte(requests)
	c.conn.Readable()
	s.drain()
	left := len(requests) * 2 / 3
	if n := s.moves(to, left-100); n != 0 || s.host.done != conn.TurnCount {
		t.Errorf("%d moved after %d requests with more bytes than can travel", n, s.host.done)
	}
	s.host.turn()
	if n := s.moves(to, left-100); n != 1 || to.host.done != conn.TurnCount {
		t.Errorf("%d moved, %d requests were served there; want one and the last %d", n, to.host.done, conn.TurnCount)
	}
	c.gets(responses...).is("idle", "all is answered")
}

// Wherever in a request it moves, the answer is the same.
func TestMoveAtEveryByte(t *testing.T) {
	all := get("/path/1") + post("/collect", "body") + postChunked("/collect", "bo", "dy") + get("/path/2")
	for at := range len(all) + 1 {
		s, to := movesFrom(t), newSite(t)
		c := s.host.dial().sends(all[:at])
		s.drain()
		s.moves(to, anyBytes)
		c.sends(all[at:])
		s.moves(to, anyBytes)
		c.gets("200 you asked for 1", "200 got body", "200 got body", "200 you asked for 2")
		if c.host != to.host {
			t.Errorf("at byte %d: it has not moved", at)
		}
		if t.Failed() {
			t.Fatalf("moved at byte %d of %q", at, all)
		}
	}
}

func TestModelOfAMove(t *testing.T) { play(t, 3, modelOfAMove) }

// Every client gets all of its answers, none says that the connection closes,
// and in the end all are at the other place.
func modelOfAMove(t *testing.T, r *rand.Rand) {
	s, to := movesFrom(t), newSite(t)
	s.host.hold, to.host.hold = true, true
	actors := make([]*actor, 1+r.IntN(5))
	for i := range actors {
		actors[i] = newActor(r, s)
	}
	at, pace := r.IntN(200), 1+r.IntN(20)
	for i := range 400 {
		actors[r.IntN(len(actors))].acts(r)
		s.acts(r)
		to.acts(r)
		s.host.turn()
		to.host.turn()
		if i == at {
			s.drain()
		}
		if r.IntN(pace) == 0 {
			s.moves(to, r.IntN(anyBytes))
		}
	}
	for range 3 {
		s.settles(actors)
		s.moves(to, anyBytes)
		to.settles(actors)
	}
	for i, a := range actors {
		got, rest := summaries(a.out, nil, a.gone())
		got = slices.DeleteFunc(got, func(s string) bool { return s == "100" })
		if !slices.Equal(got, a.want) || len(rest) > 0 || strings.Contains(strings.Join(got, " "), "close") {
			t.Errorf("client %d got %d responses, want %d%s", i, len(got), len(a.want), difference(got, a.want))
		}
		a.is("idle", "all is answered")
		if a.host != to.host {
			t.Errorf("client %d has not moved", i)
		}
	}
}
