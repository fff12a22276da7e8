package conn_test

import (
	"strings"
	"testing"

	"srvctl/worker/serve"
)

func TestHandlerThatNeverAnswers(t *testing.T) {
	s := newSite(t)
	s.host.dial().sends(get("/never")).gets("500 close "+page(500)).is("lingering", "the handler is broken")

	c := s.host.dial().sends(get("/suspend"))
	s.resume(func(x *serve.Exchange) {})
	c.gets("500 close " + page(500))

	s.host.srv.Site = serve.HandlerFunc(func(x *serve.Exchange) { x.Receive(silent{s.sink(x, "collect")}) })
	s.host.dial().sends(post("/", "body")).gets("500 close " + page(500))
	s.host.dial().sends(get("/")).gets("500 close " + page(500))
}

// silent is a sink that answers nothing.
type silent struct{ *sink }

func (k silent) End(x *serve.Exchange, err error) { k.ends++ }

func TestPoolIsFull(t *testing.T) {
	s := newSite(t)
	s.host.full = true
	c := s.host.dial().sends(get("/offload") + get("/hello"))
	if !strings.Contains(string(c.out), "\r\nRetry-After: 1\r\n") {
		t.Errorf("client got %q, want Retry-After", c.out)
	}
	c.gets("503 "+page(503), "200 hello").is("idle", "the next request may be of another kind")
}

func TestManyResumptions(t *testing.T) {
	s := newSite(t)
	s.host.hold = true
	order := ""
	s.host.srv.Site = serve.HandlerFunc(func(x *serve.Exchange) {
		for _, name := range []string{"a", "b", "c"} {
			x.Offload(func() {}, func(x *serve.Exchange) {
				if order += name; order == "ab" {
					x.Bytes([]byte("answered by b"))
				}
			})
		}
	})
	c := s.host.dial().sends(get("/"))
	s.host.runPool()
	s.host.run()
	c.gets("200 answered by b").is("idle", "the answer did not wait for the last")
	if order != "abc" {
		t.Errorf("resumed in the order %q, want all", order)
	}
}

// An exchange is not used again while something will come back to it, and once
// after that.
func TestClientGoneWhileSuspended(t *testing.T) {
	s := newSite(t)
	s.host.hold = true
	s.host.srv.Site = serve.HandlerFunc(func(x *serve.Exchange) {
		s.xs = append(s.xs, x)
		s.suspended = append(s.suspended, x.Suspend())
		x.Offload(func() {}, func(x *serve.Exchange) {
			if !x.Gone() {
				t.Error("the handler is not told that the client has gone")
			}
			x.SendFile(s.file(100), 0, 100)
		})
	})
	c := s.host.dial().sends(get("/"))
	x := s.xs[0]
	c.hangsUp()
	c.is("closed", "the stream is broken")
	if s.host.srv.SpareExchange(x) {
		t.Fatal("the exchange is free while two resumptions are outstanding")
	}
	s.host.runPool()
	s.host.run()
	if s.host.srv.SpareExchange(x) {
		t.Fatal("the exchange is free while a resumption is outstanding")
	}
	s.resume(func(x *serve.Exchange) { x.Stream(s.source("chunks", 10), -1) })
	if !s.host.srv.SpareExchange(x) {
		t.Fatal("the exchange is not free after the last resumption")
	}
	if _, n, _ := s.host.srv.Spare(); n != 1 {
		t.Errorf("%d exchanges are free, want 1", n)
	}
}

// What comes back for a client that has gone does not touch the client that
// has its connection now.
func TestResumeForAnotherClient(t *testing.T) {
	s := newSite(t)
	first := s.host.dial().sends(get("/suspend"))
	first.hangsUp()
	s.host.clients = nil
	second := s.host.dial()
	if second.conn != first.conn {
		t.Fatal("the connection was not used again")
	}
	second.sends(get("/suspend"))
	if s.xs[0] == s.xs[1] {
		t.Fatal("the exchange was used again while it was suspended")
	}
	s.resume(func(x *serve.Exchange) {
		x.Bytes([]byte("for the first"))
		x.Wake()
		x.More()
		x.Receive(s.sink(x, "collect"))
	})
	second.getsBytes("nothing of it is for the second", "").is("busy", "its own handler has not answered")
	s.resume(func(x *serve.Exchange) { x.Bytes([]byte("for the second")) })
	second.gets("200 for the second")
}

// For the race detector: a Resumer may be used while the connection is given to
// another client.
func TestResumeWhileTheClientLeaves(t *testing.T) {
	s := newSite(t)
	for range 20 {
		c := s.host.dial().sends(get("/suspend"))
		r := s.suspended[0]
		s.suspended = nil
		donec := make(chan struct{})
		go func() {
			defer close(donec)
			r.Resume(func(x *serve.Exchange) { x.Send(s.small) })
		}()
		c.hangsUp()
		s.host.dial()
		<-donec
		s.host.run()
	}
}

func TestClientGoneWhileReceiving(t *testing.T) {
	for _, path := range []string{"/collect", "/pause"} {
		s := newSite(t)
		c := s.host.dial().sends(request("POST "+path+" HTTP/1.1", "Content-Length: 10"), "some")
		c.hangsUp()
		k := s.sinks[0]
		if k.ends != 1 || k.err != serve.ErrGone {
			t.Errorf("%s: the sink was told %v %d times, want ErrGone once", path, k.err, k.ends)
		}
		if !s.host.srv.SpareExchange(s.xs[0]) {
			t.Errorf("%s: the exchange is not free", path)
		}
		k.x.More() // a late call does nothing
		s.host.run()
	}
}

func TestClientGoneWhileStreaming(t *testing.T) {
	for _, path := range []string{"/slow/100", "/chunks/500000", "/stream/500000", "/file/500000"} {
		s := newSite(t)
		c := s.host.dial().blocks(200).sends(get(path)).is("busy", "it has not read all")
		if c.hangsUp(); !c.gone() {
			t.Errorf("%s: the connection goes on", path)
		}
		for _, b := range s.host.bodies {
			if what, n := b.ended(); n != 1 {
				t.Errorf("%s: %s was let go of %d times, want once", path, what, n)
			}
		}
	}
}

// A handler may answer and have something outstanding all the same.
func TestAnswerBeforeTheLastResumption(t *testing.T) {
	s := newSite(t)
	s.host.srv.Site = serve.HandlerFunc(func(x *serve.Exchange) {
		s.suspended = append(s.suspended, x.Suspend())
		s.xs = append(s.xs, x)
		x.Scratch = append(x.Scratch, "at once"...)
		x.Bytes(x.Scratch)
	})
	c := s.host.dial().sends(get("/")).gets("200 at once").is("idle", "it has its response")
	c.sends(get("/")).gets("200 at once")
	if s.xs[0] == s.xs[1] {
		t.Error("an exchange was used again while it was suspended")
	}
}
