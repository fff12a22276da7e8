package conn_test

import (
	"slices"
	"testing"
	"time"
)

// Every response is told of once: whole, cut, or given to what was no request.
func TestReports(t *testing.T) {
	for _, tt := range []struct {
		name     string
		do       func(s *site)
		done     []int
		rejected []int
		aborted  []end
	}{
		{"a whole response", func(s *site) { s.host.dial().sends(get("/hello")) }, []int{200}, nil, nil},
		{"a refused head", func(s *site) { s.host.dial().sends("GET / HTTP/1.1\nHost: a\n\n") }, nil, []int{400}, nil},
		{"a head that does not end", func(s *site) {
			s.host.dial().sends("GET / HT")
			s.host.pass(time.Minute)
		}, nil, []int{408}, nil},
		{"a client that did not wait", func(s *site) { s.host.dial().sends(get("/suspend")).hangsUp() }, nil, nil, []end{{499, 0}}},
		{"a client that left in the middle", func(s *site) {
			s.host.dial().blocks(5000).sends(get("/file/1000000")).hangsUp()
		}, nil, nil, []end{{200, 5000 - 97}}}, // the head has 97 bytes
		{"half a head", func(s *site) { s.host.dial().sends("GET / HT").hangsUp() }, nil, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			tt.do(s)
			if h := s.host; !slices.Equal(h.codes, tt.done) || !slices.Equal(h.rejected, tt.rejected) || !slices.Equal(h.aborted, tt.aborted) {
				t.Errorf("done %v, rejected %v, aborted %v; want %v, %v, %v", h.codes, h.rejected, h.aborted, tt.done, tt.rejected, tt.aborted)
			}
		})
	}
}

// A file that was rewritten is not sent on; one that is only being appended to
// gets a second look.
func TestFileThatChanges(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().blocks(400).sends(get("/file/1000000"))
	s.opened[0].changed = true
	c.readsAll().is("busy", "it may be growing")
	s.host.pass(100 * time.Millisecond)
	c.is("aborted", "it is another file now")

	c = s.host.dial().blocks(400).sends(get("/file/1000000"))
	s.opened[1].changed = true
	c.readsAll().is("busy", "it may be growing")
	s.opened[1].changed = false
	s.host.pass(100 * time.Millisecond)
	c.gets("200 [1000000]")
}
