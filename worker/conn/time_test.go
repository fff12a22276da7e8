package conn_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"srvctl/worker/serve"
)

func itoa(n int) string { return strconv.Itoa(n) }

func sendHello(x *serve.Exchange) { x.Bytes([]byte("hello")) }

func TestHeaderTimeout(t *testing.T) {
	s := newSite(t)
	c := s.host.dial()
	s.host.pass(60 * time.Second)
	c.sends("G")
	for range 9 {
		s.host.pass(time.Second)
		c.sends("x") // does not buy time
	}
	s.host.pass(999 * time.Millisecond)
	c.is("head", "it has a millisecond left")
	s.host.pass(time.Millisecond)
	c.gets("408 close "+page(408)).is("lingering", "the head was too slow")

	// It runs for each head anew, also when one read brought the end of one
	// and the beginning of the next.
	c = s.host.dial().sends("GET /hello HTTP/1.1\r\n")
	s.host.pass(9 * time.Second)
	c.sends("Host: h\r\n\r\nGET ").gets("200 hello")
	s.host.pass(9 * time.Second)
	c.is("head", "the second began later")
	s.host.pass(time.Second)
	c.gets("408 close "+page(408)).is("lingering", "the second was too slow")
}

func TestHeaderTimeoutBehindAHandler(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().sends(get("/suspend") + "GET /")
	s.host.pass(time.Hour)
	s.resume(sendHello)
	c.gets("200 hello").is("head", "the clock stood while the handler worked")
	s.host.pass(10 * time.Second)
	c.gets("408 close " + page(408))
}

func TestKeepAliveTimeout(t *testing.T) {
	s := newSite(t)
	c := s.host.dial()
	s.host.pass(75*time.Second - 1)
	c.is("idle", "it has a nanosecond left").sends(get("/hello")).gets("200 hello")
	s.host.pass(75*time.Second - 1)
	c.is("idle", "the request gave it more time")
	s.host.pass(1)
	c.is("closed", "it was silent").getsBytes("there is nothing to answer", "")
}

// A request that arrives with the timeout is served.
func TestKeepAliveRace(t *testing.T) {
	s := newSite(t)
	c := s.host.dial()
	c.in = []byte("GET /hello HTTP/1.1\r\n")
	s.host.srv.Now = c.deadline
	c.conn.Expired()
	c.is("head", "the beginning of a request was there")
	c.sends("Host: h\r\n\r\n").gets("200 hello").is("idle", "it goes on")
}

func TestSlowBody(t *testing.T) {
	for _, path := range []string{"/collect", "/late"} {
		s := newSite(t)
		c := s.host.dial().sends(request("POST "+path+" HTTP/1.1", "Content-Length: 100000"))
		for range 4 {
			s.host.pass(5*time.Second - 1)
			c.sends(strings.Repeat("x", 240*5)) // just enough
			s.host.pass(1)
		}
		c.is("busy", "it came at the minimum rate")
		s.host.pass(5*time.Second - 1)
		c.sends(strings.Repeat("x", 240*5-1))
		s.host.pass(1)
		c.gets("408 close "+page(408)).is("lingering", "it came a byte too slow")
		if k := s.sinks[0]; k.err != serve.ErrTooSlow {
			t.Errorf("the sink was told %v, want ErrTooSlow", k.err)
		}
	}
}

func TestSlowBodyNobodyWants(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().sends(request("POST /hello HTTP/1.1", "Content-Length: 1000"))
	c.gets("200 hello").is("busy", "the rest of the body is on its way")
	s.host.pass(5 * time.Second)
	c.is("lingering", "it will not come; the client may not have read the response")
}

func TestSlowBodyOfAStream(t *testing.T) {
	s := newSite(t)
	s.host.srv.Site = serve.HandlerFunc(func(x *serve.Exchange) {
		x.Receive(s.sink(x, "collect"))
		x.Stream(s.source("slow", 100), 100)
	})
	c := s.host.dial().sends(request("POST / HTTP/1.1", "Content-Length: 100"))
	s.host.pass(5 * time.Second)
	c.is("aborted", "the response was made of the body and cannot be whole")
}

func TestSlowReader(t *testing.T) {
	for _, path := range []string{"/large", "/bytes/60000", "/file/60000", "/chunks/60000", "/stream/60000"} {
		s := newSite(t)
		c := s.host.dial().blocks(0).sends(get(path)).is("busy", "nothing has been taken")
		c.unsent = 100_000 // and the kernel gets rid of nothing
		for range 4 {
			s.host.pass(5*time.Second - 1)
			c.reads(240 * 5) // just enough
			s.host.pass(1)
		}
		c.is("busy", "it read at the minimum rate")
		s.host.pass(5 * time.Second)
		c.is("busy", "what the kernel had to send when the window began was not known")
		s.host.pass(5 * time.Second)
		c.is("aborted", "it read nothing for two windows")
	}
}

// The kernel takes bytes in lumps as large as its buffer. A reader that is
// slow, but not too slow, is known by what it acknowledges.
func TestSlowReaderBehindALargeBuffer(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().blocks(100_000).sends(get("/bytes/200000"))
	c.unsent = 100_000
	for range 20 {
		s.host.pass(5 * time.Second)
		c.is("busy", "the kernel's buffer gets shorter")
		c.unsent -= 240 * 5
	}
	s.host.pass(5 * time.Second) // the last 1,200 bytes count for this one
	c.is("busy", "it has just read")
	c.unsent += 500 // taken from us, but fewer acknowledged than that
	c.reads(500)
	s.host.pass(10 * time.Second)
	c.is("aborted", "it stopped reading")
}

// Also when the response is of the fast path, whose tail waits alone.
func TestSlowReaderOfATail(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().blocks(50).sends(get("/hello")).is("busy", "the tail waits")
	s.host.pass(10 * time.Second)
	c.is("aborted", "nobody reads")

	c = s.host.dial().blocks(50).sends("garbage\r\n\r\n")
	s.host.pass(10 * time.Second)
	c.is("aborted", "nobody reads the page")

	c = s.host.dial().blocks(50).sends(get("/hello") + "GET /h")
	s.host.pass(10 * time.Second)
	c.is("aborted", "the part of a request makes no difference")
}

func TestClockStandsForTheHandler(t *testing.T) {
	for _, input := range []string{get("/suspend"), post("/suspend", "body"), request("POST /suspend HTTP/1.1", "Content-Length: 10")} {
		s := newSite(t)
		c := s.host.dial().sends(input)
		s.host.pass(time.Hour)
		c.is("busy", "it waits for the handler, not for the client")
		if s.host.srv.Inflight != 1 {
			t.Errorf("%d in flight, want 1", s.host.srv.Inflight)
		}
		s.resume(sendHello)
		c.gets("200 hello")
	}
}

func TestClockStandsForTheSink(t *testing.T) {
	s := newSite(t)
	c := s.host.dial()
	c.mostRead = 100
	c.sends(post("/pause", string(pattern(200))))
	s.host.pass(time.Hour)
	c.is("busy", "it waits for the sink, not for the client")
	for s.sinks[0].ends == 0 {
		s.sinks[0].more(s.host)
		s.host.pass(4 * time.Second)
	}
	c.gets("200 got [200]")
}

func TestClockStandsForTheSource(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().sends(get("/slow/100"))
	s.host.pass(time.Hour)
	c.is("busy", "it waits for the source, not for the client")
	s.sources[0].gives(s.host, 100)
	c.gets("200 [100]")
}

func TestNoMinimumRate(t *testing.T) {
	s := newSite(t)
	s.host.srv.Limits.MinRate = 0
	reader := s.host.dial().blocks(10).sends(get("/hello"))
	sender := s.host.dial().sends(request("POST /collect HTTP/1.1", "Content-Length: 4"))
	s.host.pass(time.Hour)
	reader.readsAll().gets("200 hello").is("idle", "no minimum rate is set")
	sender.sends("body").gets("200 got body")
}
