package conn_test

import (
	"strings"
	"testing"
	"time"
)

// What has come while the process stood still counts, though the clock jumped
// over the deadline.
func TestDeadlinesBehindAStall(t *testing.T) {
	for _, test := range []struct {
		name, before, during string
		want                 []string
		then                 string
	}{
		{"silence between requests", "", get("/hello"), []string{"200 hello"}, "idle"},
		{"the beginning of a request", "", "GET /", nil, "head"},
		{"nothing", "", "", nil, "closed"},
		{"the end of a head", "GET /hello HTTP/1.1\r\n", "Host: h\r\n\r\n", []string{"200 hello"}, "idle"},
		{"the end of a head and half of another", "GET /hello HTTP/1.1\r\n", "Host: h\r\n\r\nGET ", []string{"200 hello"}, "head"},
		{"half of a head", "GET /hello HTTP/1.1\r\n", "Host:", []string{"408 close " + page(408)}, "lingering"},
		{"nothing of a head", "GET /hello HTTP/1.1\r\n", "", []string{"408 close " + page(408)}, "lingering"},
		{"a bad head", "GET /hello HTTP/1.1\r\n", "Host :\r\n\r\n", []string{"400 close " + page(400)}, "lingering"},
		{"a body", request("POST /collect HTTP/1.1", "Content-Length: 4"), "body", []string{"200 got body"}, "idle"},
		{"something behind the last response", garbage, "garbage", []string{"400 close " + page(400)}, "lingering"},
		{"nothing behind the last response", garbage, "", []string{"400 close " + page(400)}, "closed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			c := s.host.dial().sends(test.before)
			deadline := c.deadline
			c.in = []byte(test.during)
			s.host.srv.Now = deadline + 20*second
			s.host.srv.Stalled = s.host.srv.Now
			c.deadline = 0
			c.conn.Expired() // before the loop has looked at its sockets
			s.host.run()
			c.gets(test.want...).is(test.then, "the clock has jumped")
		})
	}
}

const garbage = "garbage\r\n\r\n"

// A head that comes byte by byte is not saved by what has just come.
func TestHeaderTimeoutIsNotPutOff(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().sends("GET /")
	deadline := c.deadline
	c.in = []byte("x")
	s.host.srv.Now = deadline
	c.conn.Expired()
	c.gets("408 close "+page(408)).is("lingering", "the head was too slow")
}

// The minimum rate is not asked of clients for a time in which nobody read from
// them or sent to them.
func TestMinimumRateBehindAStall(t *testing.T) {
	stall := func(s *site) {
		s.host.srv.Now += 100 * second
		s.host.srv.Stalled = s.host.srv.Now
	}
	s := newSite(t)
	s.srv().Limits.MinRate = 100_000
	c := s.host.dial().sends(request("POST /collect HTTP/1.1", "Content-Length: 1000000"))
	stall(s)
	c.sends(strings.Repeat("x", 60_000)) // as much as the kernel had room for
	s.host.pass(0)
	c.is("busy", "its window was spoiled")
	s.host.pass(5 * time.Second)
	c.gets("408 close "+page(408)).is("lingering", "it was too slow in a window of its own")

	s = newSite(t)
	s.srv().Limits.MinRate = 100_000
	c = s.host.dial().blocks(10).sends(get("/bytes/60000"))
	c.unsent = 1000
	s.host.pass(5 * time.Second) // now it is known what the kernel had
	stall(s)
	c.unsent = 0
	s.host.pass(0)
	c.is("busy", "its window was spoiled")
	s.host.pass(10 * time.Second)
	c.is("aborted", "it read nothing in windows of its own")
}
