package conn_test

import (
	"strings"
	"testing"

	"srvctl/worker/conn"
	"srvctl/worker/serve"
)

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n" }

// request is one with these further lines.
func request(line string, fields ...string) string {
	return line + "\r\nHost: h\r\n" + strings.Join(append(fields, "", ""), "\r\n")
}

func TestKeepAlive(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().is("idle", "nothing has been asked")
	c.sends(get("/hello")).gets("200 hello").is("idle", "the first request is over")
	c.sends(get("/bytes/9000")).gets("200 [9000]")
	c.sends(get("/nowhere")).gets("404 " + string(serve.ErrorPage(404).Body()))
	c.is("idle", "the third is over")
	if c.conn.Held() != 0 {
		t.Errorf("an idle connection holds buffers of %d bytes", c.conn.Held())
	}
	if s.host.done != 3 {
		t.Errorf("%d responses were reported, want 3", s.host.done)
	}
}

func TestRequestWaitsAlready(t *testing.T) {
	s := newSite(t)
	c := s.host.prepare()
	c.in = []byte(get("/hello"))
	c.start()
	c.gets("200 hello").is("idle", "served in the turn it was accepted")
}

func TestClientIsKnown(t *testing.T) {
	s := newSite(t)
	s.host.dial().sends(get("/hello")).gets("200 hello")
	if r := s.xs[0].Req; r.Client != peer || r.Listener != 3 || r.Secure {
		t.Errorf("request of %v on listener %d, secure %t; want %v, 3, false", r.Client, r.Listener, r.Secure, peer)
	}
}

// What ends a connection after its response, and how the response says so.
func TestPersistence(t *testing.T) {
	for _, test := range []struct {
		name, request, want, then string
	}{
		{"1.1", request("GET /hello HTTP/1.1"), "200 hello", "idle"},
		{"1.1, close", request("GET /hello HTTP/1.1", "Connection: close"), "200 close hello", "closed"},
		{"1.1, close in a list", request("GET /hello HTTP/1.1", "Connection: foo, Close"), "200 close hello", "closed"},
		{"1.0", request("GET /hello HTTP/1.0"), "200 close hello", "closed"},
		{"1.0, keep-alive", request("GET /hello HTTP/1.0", "Connection: keep-alive"), "200 keep-alive hello", "idle"},
		{"1.0, both", request("GET /hello HTTP/1.0", "Connection: keep-alive, close"), "200 close hello", "closed"},
		{"1.0 without Host", "GET /hello HTTP/1.0\r\n\r\n", "200 close hello", "closed"},
		{"the handler's wish", request("GET /close HTTP/1.1"), "200 close hello", "lingering"},
		{"1.0, a length", request("GET /stream/100 HTTP/1.0", "Connection: keep-alive"), "200 keep-alive [100]", "idle"},
		{"1.0, no length", request("GET /chunks/100 HTTP/1.0", "Connection: keep-alive"), "200 close to-end [100]", "lingering"},
		{"1.0, no length, close", request("GET /chunks/100 HTTP/1.0"), "200 close to-end [100]", "closed"},
		{"slow path, close", request("GET /offload HTTP/1.1", "Connection: close"), "200 close hello", "closed"},
		{"a file, close", request("GET /file/100 HTTP/1.1", "Connection: close"), "200 close [100]", "closed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			s.host.dial().sends(test.request).gets(test.want).is(test.then, test.name)
		})
	}
}

// Statuses and methods that leave the body out, of every kind of body.
func TestBodiless(t *testing.T) {
	for _, test := range []struct{ name, request, want string }{
		{"HEAD, ready", request("HEAD /hello HTTP/1.1"), "HEAD 200 (5)"},
		{"HEAD, large", request("HEAD /large HTTP/1.1"), "HEAD 200 (60000)"},
		{"HEAD, bytes", request("HEAD /bytes/30000 HTTP/1.1"), "HEAD 200 (30000)"},
		{"HEAD, file", request("HEAD /file/30000 HTTP/1.1"), "HEAD 200 (30000)"},
		{"HEAD, stream", request("HEAD /stream/30000 HTTP/1.1"), "HEAD 200 (30000)"},
		{"HEAD, chunks", request("HEAD /chunks/30000 HTTP/1.1"), "HEAD 200 chunked"},
		{"HEAD, error", request("HEAD /nowhere HTTP/1.1"), "HEAD 404 (139)"},
		{"HEAD, after a while", request("HEAD /offload HTTP/1.1"), "HEAD 200 (5)"},
		{"204", request("GET /status/204 HTTP/1.1"), "204"},
		{"304", request("GET /status/304 HTTP/1.1"), "304"},
		{"empty file", request("GET /file/0 HTTP/1.1"), "200"},
		{"empty stream", request("GET /stream/0 HTTP/1.1"), "200"},
		{"empty chunks", request("GET /chunks/0 HTTP/1.1"), "200 chunked"},
		{"chunks, end comes later", request("GET /chunks/101 HTTP/1.1"), "200 chunked [101]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			c := s.host.dial()
			c.sends(test.request).gets(test.want).is("idle", "the response is over")
			c.sends(get("/hello")).gets("200 hello")
		})
	}
}

func TestNoLengthWithoutBody(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().sends(get("/status/204"))
	c.getsBytes("RFC 9110 section 8.6: no Content-Length in a 204",
		"HTTP/1.1 204 No Content\r\nServer: srvctl\r\nDate: "+date+"\r\n\r\n")
}

func TestKeepAliveRequests(t *testing.T) {
	s := newSite(t)
	s.host.srv.Limits.Requests = 3
	c := s.host.dial().sends(get("/hello"), get("/offload"))
	c.gets("200 hello", "200 hello").is("idle", "two of three")
	c.sends(get("/hello")).gets("200 close hello").is("lingering", "the third is the last")

	c = s.host.dial().sends(strings.Repeat(get("/hello"), 5))
	c.gets("200 hello", "200 hello", "200 close hello").is("lingering", "also in a pipeline")
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	s := newSite(t)
	s.host.dial().sends(get("/offload")).leaves().is("closed", "the client left")
	conns, xs, bufs := s.host.srv.Spare()
	if conns != 1 || xs != 1 || bufs == 0 {
		t.Errorf("spare: %d connections, %d exchanges, %d buffers; want 1, 1, some", conns, xs, bufs)
	}
	first := s.host.clients[0].conn
	c := s.host.dial()
	if c.conn != first {
		t.Error("the connection was not used again")
	}
	c.sends(get("/bytes/100")).gets("200 [100]")
	if s.xs[1] != s.xs[0] {
		t.Error("the exchange was not used again")
	}
	s.host.clients = s.host.clients[1:] // the first is the second now
}

func TestSpareIsBounded(t *testing.T) {
	s := newSite(t)
	for range conn.MaxBuffers + 10 {
		s.host.dial().sends(get("/suspend"))
	}
	for len(s.suspended) > 0 {
		s.resume(func(x *serve.Exchange) { x.Send(s.small) })
	}
	for _, c := range s.host.clients {
		c.gets("200 hello").leaves()
	}
	conns, xs, bufs := s.host.srv.Spare()
	if conns != conn.MaxBuffers || xs != conn.MaxBuffers || bufs > conn.MaxBuffers {
		t.Errorf("spare: %d connections, %d exchanges, %d buffers; want %d at most", conns, xs, bufs, conn.MaxBuffers)
	}
}

func TestTurnAway(t *testing.T) {
	s := newSite(t)
	c := s.host.prepare()
	c.in = []byte(get("/hello"))
	s.host.srv.TurnAway(&c.wire, 503)
	c.gets("503 close " + string(serve.ErrorPage(503).Body()))
	if !c.shut || c.ending != "closed" || len(c.in) != 0 {
		t.Errorf("shut %t, ending %q, %d bytes unread; want an orderly end", c.shut, c.ending, len(c.in))
	}
}
