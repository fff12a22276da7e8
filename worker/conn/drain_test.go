package conn_test

import (
	"strings"
	"testing"
	"time"

	"srvctl/worker/conn"
	"srvctl/worker/serve"
)

// drain begins to drain, or presses for it.
func (s *site) drain() {
	s.srv().Drain()
	for _, c := range s.host.clients {
		if !c.gone() {
			c.conn.Drain()
		}
	}
}

func TestDrain(t *testing.T) {
	s := newSite(t)
	idle := s.host.dial()
	s.host.pass(time.Second)
	fresh := s.host.dial()
	half := s.host.dial().sends("GET /hello HTTP/1.1\r\n")
	slow := s.host.dial().sends("GET /hello HTTP/1.1\r\n")
	busy := s.host.dial().sends(get("/suspend"))
	streaming := s.host.dial().sends(get("/slow/100"))
	asking := s.host.dial()

	s.drain()
	asking.sends(get("/hello")).gets("200 close hello").is("lingering", "the response was its last")
	s.host.pass(time.Second)
	idle.is("closed", "it was silent for the whole window")
	fresh.is("idle", "its window has not passed")
	half.sends("Host: h\r\n\r\n").gets("200 close hello")
	s.resume(sendHello)
	busy.gets("200 close hello")
	s.sources[0].gives(s.host, 100)
	streaming.gets("200 [100]").is("idle", "its response could not say that it was the last")
	s.host.pass(time.Second)
	fresh.is("closed", "its window has passed")
	s.host.pass(time.Second)
	streaming.is("closed", "its window has passed, too")
	s.host.pass(7 * time.Second)
	slow.gets("408 close "+page(408)).is("lingering", "it had all of its header timeout")
}

// The quiet window begins with the last thing that happened on a connection,
// not with the drain, and ends no later than the keep-alive timeout.
func TestDrainWindow(t *testing.T) {
	s := newSite(t)
	s.srv().Limits.DrainIdle = 10 * second
	c := s.host.dial()
	s.host.pass(4 * time.Second)
	asks := s.host.dial()
	s.drain()
	late := s.host.dial() // from the queue of a listener that nobody serves after us
	s.host.pass(6*time.Second - 1)
	c.is("idle", "it has been silent for a nanosecond less than the window")
	asks.sends(get("/hello")).gets("200 close hello")
	s.host.pass(1)
	c.is("closed", "it has been silent for the window")
	s.host.pass(4 * time.Second)
	late.is("closed", "its window began when it was accepted")

	s = newSite(t)
	s.srv().Limits.DrainIdle = 1000 * second
	c = s.host.dial()
	s.drain()
	s.host.pass(75 * time.Second)
	c.is("closed", "the keep-alive timeout is shorter")
}

// A request that arrives in the moment the window closes is served.
func TestDrainRace(t *testing.T) {
	s := newSite(t)
	c := s.host.dial()
	s.drain()
	c.in = []byte(get("/hello")) // epoll has not told yet
	s.host.srv.Now = c.deadline
	c.conn.Expired()
	c.gets("200 close hello")
}

// A drain that is told to hurry closes idle connections at once. Of those that
// were active just now the client may be sending.
func TestDrainWithoutAWindow(t *testing.T) {
	s := newSite(t)
	silent := s.host.dial()
	s.host.pass(time.Second)
	active := s.host.dial().sends(get("/hello")).gets("200 hello")
	asking := s.host.dial()
	s.drain()
	silent.is("idle", "its window has not passed")
	s.srv().Limits.DrainIdle = 0
	s.drain()
	asking.in = []byte(get("/hello"))
	s.host.pass(0)
	silent.is("closed", "there is no window any more")
	asking.gets("200 close hello")
	active.is("lingering", "its client may be sending").sends(get("/hello")).getsBytes("it is too late", "")
	s.host.pass(conn.DrainLinger)
	active.is("closed", "a second was enough")
}

// pipelines are what one read brings while draining, and what is answered.
var pipelines = []struct {
	name, input string
	want        []string
}{
	{"one", get("/hello"), []string{"200 close hello"}},
	{"three", get("/path/1") + get("/path/2") + get("/path/3"), []string{"200 you asked for 1", "200 you asked for 2", "200 close you asked for 3"}},
	{"a part of a head", get("/path/1") + get("/path/2") + "GET /hello HTTP/1.1\r\nHost:", []string{"200 you asked for 1", "200 close you asked for 2"}},
	{"an empty line", get("/path/1") + "\r\n", []string{"200 close you asked for 1"}},
	{"an empty line between", get("/path/1") + "\r\n" + get("/path/2"), []string{"200 you asked for 1", "200 close you asked for 2"}},
	{"garbage", get("/path/1") + "garbage\r\n\r\n", []string{"200 close you asked for 1"}},
	{"a close", get("/path/1") + request("GET /hello HTTP/1.1", "Connection: close") + get("/path/2"), []string{"200 you asked for 1", "200 close hello"}},
	{"bodies", post("/collect", "one") + postChunked("/collect", "tw", "o"), []string{"200 got one", "200 close got two"}},
	{"a part of a body", post("/collect", "one") + request("POST /collect HTTP/1.1", "Content-Length: 4") + "two", []string{"200 close got one"}},
	{"a part of a chunked body", get("/hello") + strings.TrimSuffix(postChunked("/collect", "one"), "\r\n"), []string{"200 close hello"}},
	{"a bad chunk", get("/hello") + strings.Replace(postChunked("/collect", "some"), "some\r\n", "some!!", 1), []string{"200 close hello"}},
	{"a body that is asked for before it comes", get("/hello") + request("POST /collect HTTP/1.1", "Content-Length: 4", "Expect: 100-continue"), []string{"200 close hello"}},
	{"a body too large", get("/hello") + post("/limit/2", "one") + get("/hello"), []string{"200 hello", "413 close " + page(413)}},
	{"bodies nobody wants", post("/hello", "one") + postChunked("/hello", "tw", "o") + get("/hello"), []string{"200 hello", "200 hello", "200 close hello"}},
	{"a paused sink", post("/pause", "x") + get("/hello"), []string{"200 got x", "200 close hello"}},
	{"a body wanted later", post("/late", "x") + post("/late", "y"), []string{"200 got x", "200 close got y"}},
	{"an echo", post("/echo", "x") + get("/hello"), []string{"200 x", "200 close hello"}},
	{"the pool", get("/offload") + get("/offload") + "GET", []string{"200 hello", "200 close hello"}},
	{"files and sources", get("/file/1000") + get("/chunks/50") + get("/stream/70") + get("/status/204"), []string{"200 [1000]", "200 chunked [50]", "200 [70]", "204 close"}},
	{"a source last", get("/hello") + get("/chunks/50") + "GET", []string{"200 hello", "200 close chunked [50]"}},
	{"large bodies", get("/bytes/20000") + get("/large") + get("/bytes/20000"), []string{"200 [20000]", "200 [60000]", "200 close [20000]"}},
	{"1.0", request("GET /hello HTTP/1.0", "Connection: keep-alive") + request("GET /hello HTTP/1.0", "Connection: keep-alive"), []string{"200 keep-alive hello", "200 close hello"}},
}

// All requests that have been read whole are answered, and only the last answer
// says that the connection closes.
func TestDrainAnswersWhatWasRead(t *testing.T) {
	for _, test := range pipelines {
		for name, shape := range map[string]func(*client){
			"":                    func(*client) {},
			", small writes":      func(c *client) { c.most = 7 },
			", a blocked reader":  func(c *client) { c.blocks(10) },
			", a reader of a bit": func(c *client) { c.blocks(150) },
		} {
			t.Run(test.name+name, func(t *testing.T) {
				s := newSite(t)
				s.drain()
				c := s.host.dial()
				shape(c)
				c.sends(test.input)
				for _, k := range s.sinks {
					k.more(s.host)
				}
				c.readsAll().gets(test.want...).is("lingering", "the last has been said")
			})
		}
	}
}

// The same for what waits behind a response that is under way when the drain
// begins.
func TestDrainAnswersWhatWaits(t *testing.T) {
	for _, first := range []string{"/suspend", "/slow/100", "/file/100", "/bytes/20000"} {
		for _, test := range pipelines {
			t.Run(first+" and "+test.name, func(t *testing.T) {
				s := newSite(t)
				s.cold, s.host.hold = first == "/file/100", true
				c := s.host.dial().blocks(10).sends(get(first) + test.input)
				s.drain()
				s.host.hold, s.cold = false, false
				want := map[string]string{"/suspend": "200 hello", "/slow/100": "200 [100]", "/file/100": "200 [100]", "/bytes/20000": "200 [20000]"}[first]
				switch first {
				case "/suspend":
					s.resume(func(x *serve.Exchange) { x.Send(s.small) })
				case "/slow/100":
					c.readsAll()
					s.sources[0].gives(s.host, 100)
				}
				c.readsAll()
				for _, k := range s.sinks {
					k.more(s.host)
				}
				c.gets(append([]string{want}, test.want...)...).is("lingering", "the last has been said")
			})
		}
	}
}

// A response that begins before its request is whole, as an echo's does, cannot
// know what will follow.
func TestDrainDuringABody(t *testing.T) {
	s := newSite(t)
	s.drain()
	h := &busybody{}
	s.host.srv.Site = serve.HandlerFunc(func(x *serve.Exchange) {
		h.x = x
		x.Receive(h)
	})
	c := s.host.dial().sends(request("POST / HTTP/1.1", "Content-Length: 8") + "some")
	c.sends("body"+get("/")).gets("200 close chunked somebody").is("lingering", "it had been said")

	s = newSite(t)
	s.drain()
	c = s.host.dial().sends(request("POST /hello HTTP/1.1", "Content-Length: 4")+"so", "me"+get("/hello"))
	c.gets("200 close hello").is("lingering", "nobody wanted the body")
}

func TestDrainOfAPipeline(t *testing.T) {
	s := newSite(t)
	s.host.srv.Limits.DrainIdle = 0
	requests, responses := asking(100)
	c := s.host.dial()
	c.in = []byte(requests + "GET /too-late")
	c.conn.Readable()
	s.drain()
	c.conn.Expired() // before its next turn
	s.host.run()
	responses[99] = "200 close you asked for 99"
	c.gets(responses...).is("lingering", "the last has been said")
	if want := (100 + conn.TurnCount - 1) / conn.TurnCount; c.writes != want {
		t.Errorf("%d writes, want %d", c.writes, want)
	}
}

// A client that never stops sending gets no more than one read is worth.
func TestDrainEndsAnEndlessPipeline(t *testing.T) {
	s := newSite(t)
	const atOnce = 2000
	each := get("/hello")
	c := s.host.dial()
	c.mostRead = atOnce
	feed := func() { c.in = append(c.in, strings.Repeat(each, 100)...) }
	for range 50 {
		feed()
		s.host.turn()
	}
	s.drain()
	before := s.host.done
	for range 50 {
		feed()
		s.host.turn()
	}
	c.is("lingering", "its last response is out")
	if more := s.host.done - before; more > 2*(atOnce/len(each)+1) {
		t.Errorf("%d requests were served after the drain began, want what one read brings, %d, and what was there", more, atOnce/len(each))
	}
	got, rest := summaries(c.out, nil, true)
	for i, r := range got {
		if strings.Contains(r, "close") != (i == len(got)-1) || len(rest) > 0 {
			t.Fatalf("response %d of %d: %s", i, len(got), r)
		}
	}
}

// A connection whose last response is out does not hold up a drain.
func TestDrainShortensLingering(t *testing.T) {
	s := newSite(t)
	linger := func() *client {
		t.Helper()
		return s.host.dial().sends(get("/close")).gets("200 close hello").is("lingering", "the handler ended it")
	}
	before, unread := linger(), linger()
	unread.unsent = 100
	s.drain()
	after := linger()
	s.host.pass(conn.DrainLinger - 1)
	before.is("lingering", "the client may have sent something before it saw the end")
	s.host.pass(1)
	before.is("closed", "now that has come")
	after.is("closed", "now that has come")
	unread.is("lingering", "the client has not acknowledged the response")
	s.host.pass(time.Second)
	unread.is("lingering", "nor now")
	unread.unsent = 0
	s.host.pass(time.Second)
	unread.is("closed", "it has acknowledged the response")

	stuck, chatty := linger(), linger()
	stuck.unsent = 100
	for range 5 {
		s.host.pass(999 * time.Millisecond)
		stuck.is("lingering", "it may still acknowledge the response")
		chatty.sends("more").is("lingering", "what comes is thrown away")
	}
	s.host.pass(5 * time.Millisecond)
	stuck.is("closed", "it does not acknowledge the response")
	chatty.sends("more").is("closed", "it never stops")
}

// Cut tells whether a client was left without something.
func TestCutTellsWhatWasLost(t *testing.T) {
	for _, test := range []struct {
		input string
		lost  bool
	}{
		{"", false}, {get("/hello"), false}, {get("/close"), false},
		{"GET /", true}, {get("/suspend"), true}, {get("/slow/100"), true},
	} {
		s := newSite(t)
		if got := s.host.dial().sends(test.input).conn.Cut(); got != test.lost {
			t.Errorf("%q: Cut says %t, want %t", test.input, got, test.lost)
		}
	}
	s := newSite(t)
	c := s.host.dial()
	c.in = []byte(strings.Repeat(get("/hello"), 2*conn.TurnCount))
	c.conn.Readable()
	if !c.conn.Cut() {
		t.Error("a connection that waits for its turn: Cut says nothing was lost")
	}
}
