package conn_test

import (
	"strings"
	"testing"
	"time"

	"srvctl/worker/conn"
)

// Every bad head gets a complete response with its status, is counted, and its
// connection ends so that the client can read the response.
func TestBadHeads(t *testing.T) {
	for _, test := range []struct {
		reason string
		code   int
		head   string
	}{
		{"bare_lf", 400, "GET / HTTP/1.1\nHost: h\n\n"},
		{"space_in_name", 400, "GET / HTTP/1.1\r\nHost : h\r\n\r\n"},
		{"missing_host", 400, "GET / HTTP/1.1\r\n\r\n"},
		{"length_and_coding", 400, request("POST / HTTP/1.1", "Content-Length: 1", "Transfer-Encoding: chunked")},
		{"unknown_coding", 501, request("POST / HTTP/1.1", "Transfer-Encoding: gzip, chunked")},
		{"unsupported_version", 505, "GET / HTTP/3.0\r\n\r\n"},
		{"http2_preface", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
		{"request_line_too_long", 414, "GET /" + strings.Repeat("x", 9000) + " HTTP/1.1\r\n"},
		{"head_too_large", 431, request("GET / HTTP/1.1", "X: "+strings.Repeat("x", 40_000))},
		{"too_many_fields", 431, request("GET / HTTP/1.1", strings.Split(strings.Repeat("X: y,", 101), ",")...)},
		{"bad_expect", 417, request("GET / HTTP/1.1", "Expect: x")},
		{"bad_method", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"}, // a TLS handshake
	} {
		t.Run(test.reason, func(t *testing.T) {
			s := newSite(t)
			c := s.host.dial().sends(get("/hello") + test.head)
			want := page(test.code)
			c.gets("200 hello", strings.TrimSpace(itoa(test.code)+" close ")+" "+want)
			c.is("lingering", "the client may still be sending")
			if strings.Join(s.host.refused, " ") != test.reason {
				t.Errorf("counted as %q, want %s", s.host.refused, test.reason)
			}
			if s.host.heads != 1 || s.host.done != 1 {
				t.Errorf("%d heads refused, %d responses handed over; want one each", s.host.heads, s.host.done)
			}
			if s.host.srv.Writing != 1 {
				t.Errorf("%d connections are counted as writing, want this one", s.host.srv.Writing)
			}
		})
	}
}

func TestRefusalWaitsForItsReader(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().blocks(10).sends("garbage\r\n\r\n").is("busy", "the page has not been taken")
	c.sends("more garbage").readsAll().gets("400 close "+page(400)).is("lingering", "now it has")
}

func TestLingering(t *testing.T) {
	s := newSite(t)
	linger := func() *client {
		t.Helper()
		c := s.host.dial().sends(get("/close")).gets("200 close hello").is("lingering", "the handler ended it")
		if !c.shut {
			t.Error("the sending direction is open")
		}
		return c
	}
	linger().leaves().is("closed", "the client has gone")

	c := linger()
	s.host.pass(conn.LingerSilence - 1)
	c.is("lingering", "silence has not lasted")
	s.host.pass(2)
	c.is("closed", "silence has lasted")

	c = linger()
	for range 7 {
		s.host.pass(4 * time.Second)
		c.sends("more").is("lingering", "what comes is thrown away, for a while")
	}
	s.host.pass(time.Second + conn.LingerTotal - 7*4*time.Second)
	c.is("closed", "it has lasted too long")

	c = linger()
	c.hangsUp()
	c.is("closed", "the stream is broken")

	c = linger()
	c.conn.Cut()
	c.is("closed", "time is up")
}

// It does not end in the middle of what a client has to say, but in time.
func TestLingeringIsBounded(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().sends(get("/close"))
	begin := s.host.srv.Now
	for !c.gone() {
		s.host.pass(time.Second)
		c.in = append(c.in, "more"...)
		s.host.run()
	}
	if took := s.host.srv.Now - begin; took > conn.LingerTotal {
		t.Errorf("it lingered for %v, want %v at most", time.Duration(took), time.Duration(conn.LingerTotal))
	}
}

func TestClientLeaves(t *testing.T) {
	s := newSite(t)
	s.host.dial().leaves().is("closed", "nothing was asked")
	s.host.dial().sends("GET /he").leaves().is("closed", "half a head was sent")
	s.host.dial().sends(get("/hello")).leaves().is("closed", "it has its response")
	c := s.host.dial()
	c.in = []byte(get("/hello"))
	c.leaves().gets("200 hello").is("closed", "it sent a request and its end at once")

	c = s.host.dial().blocks(100).sends(get("/bytes/20000")).leaves().is("busy", "it may still read")
	c.readsAll().gets("200 [20000]").is("closed", "it has read all")

	c = s.host.dial().sends(get("/suspend")).leaves().is("busy", "it may still read")
	c.hangsUp()
	c.is("closed", "nobody is there")
}

func TestCut(t *testing.T) {
	s := newSite(t)
	for _, test := range []struct{ input, ending string }{
		{"", "closed"},
		{"GET /", "closed"},
		{get("/close"), "closed"},
		{get("/suspend"), "aborted"},
		{get("/slow/100"), "aborted"},
		{request("POST /collect HTTP/1.1", "Content-Length: 5"), "aborted"},
	} {
		c := s.host.dial().sends(test.input)
		c.conn.Cut()
		if c.ending != test.ending {
			t.Errorf("%q: %q, want %s", test.input, c.ending, test.ending)
		}
	}
	c := s.host.dial().blocks(10).sends(get("/hello"))
	c.conn.Cut()
	c.is("aborted", "a part of a response is out")
}

// Calls that come late find nothing to do.
func TestEventsAfterTheEnd(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().leaves().is("closed", "the client left")
	if got := c.conn.State(); got != conn.Closed {
		t.Errorf("the connection is %v", got)
	}
	c.conn.Readable()
	c.conn.Writable()
	c.conn.Continue()
	c.conn.Expired()
	c.conn.Hangup()
	c.conn.Drain()
	c.conn.Cut()
}
