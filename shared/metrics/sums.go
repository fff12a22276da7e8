package metrics

import (
	"maps"
	"sync/atomic"
)

// sums are counters keyed by name: what cells of different layouts have in
// common. A sums is guarded by its owner.
type sums struct {
	sites                     map[string]*siteSums
	accepted, refused, parse  map[string]uint64
	received, sent            uint64
	accessDropped, movedConns uint64
}

type siteSums struct {
	buckets [numBuckets]uint64
	sum     uint64         // nanoseconds
	codes   map[int]uint64 // the few of the 500 that were seen
}

func newSums() *sums {
	return &sums{
		sites:    map[string]*siteSums{},
		accepted: map[string]uint64{},
		refused:  map[string]uint64{},
		parse:    map[string]uint64{},
	}
}

func (s *sums) site(name string) *siteSums {
	t := s.sites[name]
	if t == nil {
		t = &siteSums{codes: map[int]uint64{}}
		s.sites[name] = t
	}
	return t
}

// addCell adds what the cell has counted so far.
func (s *sums) addCell(l Layout, c *Cell) {
	f := c.fixed
	s.received += atomic.LoadUint64(&f.received)
	s.sent += atomic.LoadUint64(&f.sent)
	s.accessDropped += atomic.LoadUint64(&f.accessDropped)
	s.movedConns += atomic.LoadUint64(&f.moved)
	addNamed(s.accepted, l.Listeners, Other, c.accepted)
	addNamed(s.refused, l.RefusedReasons, Other, c.refused)
	addNamed(s.parse, l.ParseReasons, Other, c.parse)
	for i := range c.hist {
		h := &c.hist[i]
		// A site without requests has no codes either, and to look at them
		// would make their pages real.
		if total(h.buckets[:]) == 0 {
			continue
		}
		name := NoSite
		if i < len(l.Sites) {
			name = l.Sites[i]
		}
		s.site(name).addCell(h, &c.codes[i])
	}
}

func (t *siteSums) addCell(h *histogram, k *codes) {
	for i := range h.buckets {
		t.buckets[i] += atomic.LoadUint64(&h.buckets[i])
	}
	t.sum += atomic.LoadUint64(&h.sum)
	for i := range k {
		if n := atomic.LoadUint64(&k[i]); n > 0 {
			t.codes[firstCode+i] += n
		}
	}
}

// addNamed adds a list of counters; the one after the last name is rest.
func addNamed(to map[string]uint64, names []string, rest string, list []uint64) {
	for i := range list {
		n := atomic.LoadUint64(&list[i])
		if n == 0 {
			continue
		}
		name := rest
		if i < len(names) {
			name = names[i]
		}
		to[name] += n
	}
}

// declare makes the configured names appear before they have counted anything.
func (s *sums) declare(l Layout) {
	for _, name := range l.Sites {
		s.site(name)
	}
	for _, name := range l.Listeners {
		s.accepted[name] += 0
	}
	for _, name := range l.RefusedReasons {
		s.refused[name] += 0
	}
	for i, name := range l.ParseReasons {
		if i > 0 {
			s.parse[name] += 0
		}
	}
}

// clone returns a deep copy.
func (s *sums) clone() *sums {
	n := *s
	n.sites = make(map[string]*siteSums, len(s.sites))
	for name, t := range s.sites {
		copied := *t
		copied.codes = maps.Clone(t.codes)
		n.sites[name] = &copied
	}
	n.accepted = maps.Clone(s.accepted)
	n.refused = maps.Clone(s.refused)
	n.parse = maps.Clone(s.parse)
	return &n
}
