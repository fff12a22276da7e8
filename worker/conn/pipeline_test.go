package conn_test

import (
	"fmt"
	"strings"
	"testing"

	"srvctl/worker/conn"
	"srvctl/worker/serve"
)

// asking is n requests whose responses tell them apart, and those.
func asking(n int) (requests string, responses []string) {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "GET /path/%d HTTP/1.1\r\nHost: h\r\n\r\n", i)
		responses = append(responses, fmt.Sprintf("200 you asked for %d", i))
	}
	return b.String(), responses
}

func TestPipelineIsOneWrite(t *testing.T) {
	s := newSite(t)
	c := s.host.dial()
	c.nreads = 0
	requests, responses := asking(conn.TurnCount)
	c.sends(requests).gets(responses...)
	if c.nreads != 1 || c.writes != 1 {
		t.Errorf("%d reads and %d writes for %d requests, want one each", c.nreads, c.writes, conn.TurnCount)
	}
}

// A body that is not copied goes with what is before it.
func TestPipelineOfLargeBodies(t *testing.T) {
	s := newSite(t)
	c := s.host.dial()
	c.sends(get("/hello") + get("/bytes/20000") + get("/hello") + get("/hello") + get("/bytes/20000"))
	c.gets("200 hello", "200 [20000]", "200 hello", "200 hello", "200 [20000]")
	if c.writes != 2 {
		t.Errorf("%d writes, want 2", c.writes)
	}
}

func TestPipelineTakesTurns(t *testing.T) {
	for _, test := range []struct {
		path string
		turn int // requests that are served in one
	}{
		{"/hello", conn.TurnCount},
		{"/bytes/8000", conn.TurnBytes/8000 + 1}, // copied
		{"/bytes/50000", 3},                      // not copied
	} {
		s := newSite(t)
		c := s.host.dial()
		c.in = []byte(strings.Repeat(get(test.path), 100))
		c.conn.Readable()
		for served := test.turn; served < 100; served += test.turn {
			if s.host.done != served || !c.queued {
				t.Fatalf("%s: %d responses, queued %t; want %d and another turn", test.path, s.host.done, c.queued, served)
			}
			if c.conn.Readable(); s.host.done != served {
				t.Fatalf("%s: an event gave it a turn beside its own", test.path)
			}
			c.queued = false
			c.conn.Continue()
		}
		s.host.run()
		if s.host.done != 100 {
			t.Errorf("%s: %d responses in the end, want all 100", test.path, s.host.done)
		}
	}
}

func TestPipelineLosesNothing(t *testing.T) {
	s := newSite(t)
	requests, responses := asking(5000)
	for _, mostRead := range []int{1 << 20, 4096, 333} {
		c := s.host.dial()
		c.mostRead = mostRead
		c.sends(requests).gets(responses...).is("idle", "all is answered")
		if c.conn.Held() != 0 {
			t.Errorf("%d bytes of buffers are held", c.conn.Held())
		}
	}
}

func TestOthersAreServedBetween(t *testing.T) {
	s := newSite(t)
	greedy, modest := s.host.dial(), s.host.dial()
	greedy.in = []byte(strings.Repeat(get("/hello"), 1000))
	modest.in = []byte(get("/bytes/3"))
	s.host.turn()
	modest.gets("200 " + string(pattern(3)))
	if s.host.done > 2*conn.TurnCount+1 {
		t.Errorf("%d requests were served in the first turn", s.host.done)
	}
	s.host.run()
	if s.host.done != 1001 {
		t.Errorf("%d requests were served, want 1001", s.host.done)
	}
}

// While a response waits for its reader nothing more is served or read.
func TestPipelineBehindBlockedReader(t *testing.T) {
	s := newSite(t)
	requests, responses := asking(10)
	c := s.host.dial().blocks(1000)
	c.sends(get("/bytes/50000") + requests)
	c.is("busy", "the reader has not taken the response")
	if s.host.srv.Writing != 1 || s.host.srv.Inflight != 0 {
		t.Errorf("writing %d, in flight %d; want it counted as writing", s.host.srv.Writing, s.host.srv.Inflight)
	}
	if len(s.xs) != 1 {
		t.Errorf("%d requests were begun behind a response that waits", len(s.xs))
	}
	more, last := asking(3)
	c.sends(more)
	if len(c.in) != len(more) || c.read {
		t.Errorf("%d bytes wait in the kernel, want %d; watched for reading: %t", len(c.in), len(more), c.read)
	}
	c.reads(40_000).is("busy", "it has not taken all")
	c.readsAll().gets(append(append([]string{"200 [50000]"}, responses...), last...)...)
	c.is("idle", "all is answered")
}

func TestPipelineBehindHandler(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().sends(get("/hello") + get("/suspend") + get("/hello") + get("/suspend") + get("/hello"))
	c.gets("200 hello")
	s.resume(func(x *serve.Exchange) { x.Bytes([]byte("first")) })
	c.gets("200 first", "200 hello")
	s.resume(func(x *serve.Exchange) { x.Bytes([]byte("second")) })
	c.gets("200 second", "200 hello").is("idle", "all is answered")
}

func TestNothingIsServedBehindTheLast(t *testing.T) {
	for _, last := range []string{"/close", "/chunks/5", "/offload"} {
		s := newSite(t)
		c := s.host.dial()
		c.sends(get("/hello") + request("GET "+last+" HTTP/1.0") + get("/hello"))
		if len(s.xs) != 2 {
			t.Errorf("%s: %d requests served, want 2", last, len(s.xs))
		}
		c.is("lingering", "what the client sent behind it must not reset the response")
	}
}

// Bytes that were not read are never reset away from a response.
func TestUnreadBytesMakeItLinger(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().sends(request("GET /suspend HTTP/1.1", "Connection: close"))
	c.sends("more than was announced")
	s.resume(func(x *serve.Exchange) { x.Send(s.small) })
	c.gets("200 close hello").is("lingering", "bytes of the client have come")
	c.leaves().is("closed", "nothing more comes")
}
