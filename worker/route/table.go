package route

import (
	"fmt"

	"srvctl/proto/http1"
	"srvctl/worker/serve"
)

// Route is one route of a site.
type Route struct {
	Methods []string // nil: any
	Pattern string   // "/a", "/a/{id}/b", "/a/*"
	Handler serve.Handler
}

// Site is what the hosts of one site are answered with. Its number, and the
// numbers of its routes, are their positions in what New is given.
type Site struct {
	Hosts     []string // "example.com" or "*.example.com"; none: the default site
	Listeners []int    // numbers; none: all
	Routes    []Route
}

// Table is a serve.Handler that hands each request to the handler of its route.
type Table struct {
	listeners []hosts
}

// site is a compiled Site.
type site struct {
	number int
	tree   tree
}

// New compiles sites for listeners numbered from 0. It refuses what could never
// be reached: two sites with one host, two routes with one path and method.
func New(sites []Site, listeners int) (*Table, error) {
	t := &Table{listeners: make([]hosts, listeners)}
	for number, s := range sites {
		compiled := &site{number: number}
		for i, r := range s.Routes {
			if err := compiled.tree.add(i, r); err != nil {
				return nil, fmt.Errorf("site %d, route %d: %w", number, i, err)
			}
		}
		compiled.tree.finish()
		on := s.Listeners
		if len(on) == 0 {
			on = make([]int, listeners)
			for i := range on {
				on[i] = i
			}
		}
		for _, l := range on {
			if l < 0 || l >= listeners {
				return nil, fmt.Errorf("site %d: no listener %d", number, l)
			}
			if err := t.listeners[l].add(s.Hosts, compiled); err != nil {
				return nil, fmt.Errorf("site %d, listener %d: %w", number, l, err)
			}
		}
	}
	return t, nil
}

// Serve hands x to the handler of its route, or answers it.
func (t *Table) Serve(x *serve.Exchange) {
	r := &x.Req
	if r.Listener >= len(t.listeners) {
		x.Error(404)
		return
	}
	s := t.listeners[r.Listener].find(r.HostBytes())
	if s == nil {
		x.Error(404)
		return
	}
	x.Site = s.number
	if r.Form == http1.FormAsterisk { // comes with OPTIONS only
		x.NotAllowedBytes(s.tree.allow)
		return
	}
	if reason := x.ResolvePath(); reason != http1.OK {
		x.CloseAfter()
		x.Error(reason.Status())
		return
	}
	// Nothing is more specific than a whole literal path.
	if l := s.tree.exact[string(r.Path)]; l != nil {
		if to := l.take(r); to != nil {
			x.Route = to.route
			to.handler.Serve(x)
			return
		}
	}
	s.search(x)
}

// search answers what is not a whole literal path.
func (s *site) search(x *serve.Exchange) {
	var w walk
	switch to := w.find(&s.tree, &x.Req); {
	case to != nil:
		x.Route = to.route
		to.handler.Serve(x)
	case w.passed.empty():
		x.Error(404)
	default:
		x.Scratch = w.passed.append(x.Scratch[:0])
		x.NotAllowedBytes(x.Scratch)
	}
}
