package conn_test

import (
	"io"
	"strings"
	"testing"

	"srvctl/worker/serve"
)

// Callbacks may call anything of the exchange, from inside anything.
func TestCallsFromInsideCallbacks(t *testing.T) {
	s := newSite(t)
	var b *busybody
	s.host.srv.Site = serve.HandlerFunc(func(x *serve.Exchange) {
		b = &busybody{x: x}
		x.More()
		x.Wake()
		x.Receive(b)
		x.More()
		x.Wake()
	})
	c := s.host.dial().sends(postChunked("/", "one ", "two ", "three ", "four") + get("/"))
	c.gets("200 chunked one two three four", "200 chunked")
	if b.depth > 1 {
		t.Errorf("callbacks were nested %d deep", b.depth)
	}

	// The same when the body comes bit by bit and the reader is slow.
	c = s.host.dial()
	c.most = 3
	c.sends(strings.Split(postChunked("/", "one ", "two ", "three ", "four")+get("/"), "")...)
	c.gets("200 chunked one two three four", "200 chunked")
}

// busybody echoes, and calls More and Wake wherever it can.
type busybody struct {
	x     *serve.Exchange
	held  []byte
	whole bool
	in    int
	depth int
	begun bool
}

func (b *busybody) enter() func() {
	b.in++
	b.depth = max(b.depth, b.in)
	b.x.More()
	b.x.Wake()
	return func() {
		b.x.Wake()
		b.x.More()
		b.in--
	}
}

func (b *busybody) Data(x *serve.Exchange, p []byte) bool {
	defer b.enter()()
	b.held = append(b.held, p...)
	b.begin()
	return false // More was called
}

func (b *busybody) End(x *serve.Exchange, err error) {
	defer b.enter()()
	b.whole = true
	b.begin()
}

func (b *busybody) begin() {
	if !b.begun {
		b.begun = true
		b.x.Stream(b, -1)
	}
}

func (b *busybody) Read(x *serve.Exchange, p []byte) (int, error) {
	b.in++
	defer func() { b.in-- }()
	n := copy(p, b.held)
	b.held = b.held[n:]
	if n > 0 {
		b.x.More()
		b.x.Wake()
	}
	if b.whole && len(b.held) == 0 {
		return n, io.EOF
	}
	return n, nil
}

func (b *busybody) Close() { b.enter()() }

// A handler that wakes another client's exchange while it serves a pipeline
// must not disturb what has been gathered for its own.
func TestWakeOfAnotherClient(t *testing.T) {
	s := newSite(t)
	other := s.host.dial().sends(get("/slow/40"))
	hub := s.sources[0]
	s.host.srv.Site = serve.HandlerFunc(func(x *serve.Exchange) {
		if string(x.Req.Head.Path.Of(x.Req.Buf)) == "/wake" {
			hub.have += 40
			hub.x.Wake()
		}
		s.Serve(x)
	})
	c := s.host.dial().sends(get("/hello") + get("/wake") + get("/hello"))
	c.gets("200 hello", "404 "+page(404), "200 hello")
	other.gets("200 [40]")
}

// The same from within a source, whose piece is being filled.
func TestWakeOfAnotherClientFromASource(t *testing.T) {
	s := newSite(t)
	other := s.host.dial().sends(get("/slow/40"))
	hub := s.sources[0]
	hub.at = 8000 // its bytes are others
	other.out = nil
	s.host.srv.Site = serve.HandlerFunc(func(x *serve.Exchange) {
		x.Stream(&waker{source: s.source("chunks", 400), hub: hub}, 400)
	})
	c := s.host.dial().sends(get("/"))
	c.gets("200 [400]")
	other.getsBytes("its own", string(pattern(8040)[8000:]))
}

type waker struct {
	*source
	hub *source
}

func (w *waker) Read(x *serve.Exchange, p []byte) (int, error) {
	n, err := w.source.Read(x, p)
	w.hub.have += 40
	w.hub.x.Wake()
	return n, err
}

// What has been read comes before what arrives later, whichever event is first.
func TestMoreBeforeReadable(t *testing.T) {
	s := newSite(t)
	c := s.host.dial()
	body := string(pattern(100_000)) // two reads
	c.in = []byte(postChunked("/pause", body[:10], body[10:]))
	c.conn.Readable()
	k := s.sinks[0]
	if string(k.got) != body[:10] {
		t.Fatalf("the sink has %q, want the first chunk", k.got)
	}
	k.pause = false
	k.x.More()
	c.conn.Readable() // before the turn that More asked for
	s.host.run()
	c.gets("200 got [100000]")
}
