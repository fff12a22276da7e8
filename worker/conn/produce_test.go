package conn_test

import (
	"strings"
	"testing"
	"time"

	"srvctl/worker/conn"
)

func TestSourceThatFails(t *testing.T) {
	for _, test := range []struct{ name, path string }{
		{"chunks", "/slow/100"},
		{"before its first byte", "/slow/100"},
	} {
		s := newSite(t)
		c := s.host.dial().sends(get(test.path))
		s.sources[0].fail = errSource
		s.sources[0].gives(s.host, 10)
		c.is("aborted", "the client must not take it for whole")
		if s.host.done != 0 {
			t.Errorf("%s: it was reported as done", test.name)
		}
	}
}

func TestSourceThatEndsShort(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().sends(get("/slow/100"))
	s.sources[0].left = 50
	s.sources[0].eofs = true
	s.sources[0].gives(s.host, 50)
	c.is("aborted", "the client was promised 100 bytes")
	if !strings.HasSuffix(string(c.out), string(pattern(50))) {
		t.Errorf("client got %q, want what there was and nothing else", c.out)
	}
}

// A source is never asked for more than was promised.
func TestSourceThatHasMore(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().sends(get("/slow/100"))
	s.sources[0].left = 1000
	s.sources[0].gives(s.host, 1000)
	c.gets("200 [100]").is("idle", "all of the promised length is out")
	if s.sources[0].at != 100 {
		t.Errorf("%d bytes were read from the source, want 100", s.sources[0].at)
	}
}

// A head does not wait for a source that has nothing yet.
func TestHeadGoesFirst(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().sends(get("/slow/100"))
	if !strings.HasSuffix(string(c.out), "\r\n\r\n") {
		t.Errorf("client got %q, want a head", c.out)
	}
	for range 10 {
		s.sources[0].gives(s.host, 10)
	}
	c.gets("200 [100]")
}

// It goes together with the first bytes when there are some.
func TestHeadAndBodyTogether(t *testing.T) {
	for _, path := range []string{"/stream/1000", "/chunks/1000"} {
		s := newSite(t)
		c := s.host.dial().sends(get(path)).gets(bodyOf(path))
		if c.writes != 1 {
			t.Errorf("%s: %d writes, want 1", path, c.writes)
		}
	}
}

// A reader that blocks holds up the source, with bounded memory.
func TestSourceBehindABlockedReader(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().blocks(1000).sends(get("/chunks/1000000"))
	for range 100 {
		s.sources[0].x.Wake() // does not fill the memory
		s.host.run()
	}
	if got := s.sources[0].at; got > 200_000 {
		t.Errorf("%d bytes were taken from the source for a reader that takes none", got)
	}
	if held := c.conn.Held(); held > 200_000 {
		t.Errorf("%d bytes are held for a reader that takes none", held)
	}
	c.readsAll().gets("200 chunked [1000000]")
}

// A long body does not keep the loop from others.
func TestLongBodiesTakeTurns(t *testing.T) {
	for _, path := range []string{"/file/5000000", "/chunks/5000000", "/stream/5000000"} {
		s := newSite(t)
		long, short := s.host.dial(), s.host.dial()
		long.in, short.in = []byte(get(path)), []byte(get("/hello"))
		s.host.turn()
		short.gets("200 hello")
		if got := len(long.out); got > 2*conn.FileQuantum+1000 {
			t.Errorf("%s: %d bytes in its first turn", path, got)
		}
		s.host.run()
		long.gets(bodyOf(path))
	}
}

func TestFileThatWasCut(t *testing.T) {
	s := newSite(t)
	for _, size := range []int{0, 1, 500_000, 999_999} {
		c := s.host.dial().blocks(400).sends(get("/file/1000000"))
		s.opened[len(s.opened)-1].size = size
		c.readsAll().is("aborted", "the client was promised more")
		if s.host.done != 0 {
			t.Errorf("%d of 1000000 bytes: it was reported as done", size)
		}
	}
}

func TestFileThatIsNotInMemory(t *testing.T) {
	s := newSite(t)
	s.cold, s.host.hold = true, true
	c := s.host.dial().sends(get("/file/100") + get("/hello"))
	c.getsBytes("it is being read", "").is("busy", "it is being read")
	s.host.pass(time.Hour)
	c.is("busy", "the clock stands for the disk")
	s.host.runPool()
	s.host.run()
	c.gets("200 [100]", "200 hello")
	if f := s.opened[0]; f.loads != 1 {
		t.Errorf("%d loads, want 1", f.loads)
	}
}

// A file that never says that it is there is sent all the same, once it was
// loaded: what else could be done?
func TestFileThatIsNeverInMemory(t *testing.T) {
	s := newSite(t)
	s.cold, s.host.hold = true, true
	c := s.host.dial().sends(get("/file/1000000"))
	f := s.opened[0]
	f.stubborn = true
	for range 5 {
		s.host.runPool()
		s.host.run()
	}
	c.gets("200 [1000000]")
	if f.loads != 2 { // a quantum each
		t.Errorf("%d loads, want 2", f.loads)
	}
}

func TestFileWithAFullPool(t *testing.T) {
	s := newSite(t)
	s.cold, s.host.full = true, true
	c := s.host.dial().sends(get("/file/100"))
	turns := s.host.srv.Now
	s.host.pass(100 * time.Millisecond)
	c.is("busy", "nobody reads the disk for it")
	s.host.full = false
	s.host.pass(100 * time.Millisecond)
	c.gets("200 [100]").is("idle", "it was tried again")
	if s.host.srv.Now != turns+int64(200*time.Millisecond) {
		t.Error("the clock is wrong")
	}
}

// The file stays open until the pool has let go of it.
func TestClientGoneWhileTheFileIsRead(t *testing.T) {
	s := newSite(t)
	s.cold, s.host.hold = true, true
	c := s.host.dial().sends(get("/file/100"))
	c.hangsUp()
	f := s.opened[0]
	if f.released != 0 {
		t.Fatal("the file was closed while the pool reads it")
	}
	s.host.runPool()
	s.host.run()
	if f.released != 1 {
		t.Errorf("the file was released %d times, want once", f.released)
	}
}

func TestBytesAreCounted(t *testing.T) {
	for path, want := range map[string]int64{
		"/hello": 5, "/large": 60_000, "/bytes/100": 100, "/bytes/20000": 20_000, "/file/20000": 20_000,
		"/chunks/20001": 20_001, "/stream/20000": 20_000, "/offload": 5, "/status/204": 0,
	} {
		for _, method := range []string{"GET", "HEAD"} {
			s := newSite(t)
			body := int64(-1)
			s.host.srv.Observer = &witness{s.host, &body}
			c := s.host.dial()
			c.most = 777
			input := request(method + " " + path + " HTTP/1.1")
			c.sends(input)
			if method == "HEAD" {
				want = 0
			}
			if body != want || s.host.srv.Sent != int64(len(c.out)) || s.host.srv.Received != int64(len(input)) {
				t.Errorf("%s %s: %d bytes of body reported, %d sent, %d received; want %d, %d, %d", method, path,
					body, s.host.srv.Sent, s.host.srv.Received, want, len(c.out), len(input))
			}
		}
	}
}

// The disk and the reader may both be waited for.
func TestFileBehindABlockedReader(t *testing.T) {
	s := newSite(t)
	s.cold, s.host.hold = true, true
	c := s.host.dial().blocks(10).sends(get("/hello") + get("/file/100"))
	c.readsAll().is("busy", "the file is being read")
	c.conn.Continue() // a turn that was asked for before
	s.host.runPool()
	s.host.run()
	c.gets("200 hello", "200 [100]")
}
