package metrics

import (
	"fmt"
	"maps"
)

// Totals are all counters of a Registry that no attached cell holds, in a form
// that can be written down: what one image of the master hands to the next.
type Totals struct {
	Sites         map[string]SiteTotals `json:"sites"`
	Accepted      map[string]uint64     `json:"accepted"`
	Refused       map[string]uint64     `json:"refused"`
	ParseErrors   map[string]uint64     `json:"parse_errors"`
	Received      uint64                `json:"received"`
	Sent          uint64                `json:"sent"`
	AccessDropped uint64                `json:"access_dropped"`
	Moved         uint64                `json:"moved"`
	CPU           map[int]float64       `json:"cpu"` // seconds by slot
	Restarts      map[string]uint64     `json:"restarts"`
	Reloads       map[string]uint64     `json:"reloads"`
	Generation    int                   `json:"generation"`
}

// SiteTotals are those of one site.
type SiteTotals struct {
	Buckets []uint64       `json:"buckets"`
	Sum     uint64         `json:"sum"` // nanoseconds
	Codes   map[int]uint64 `json:"codes"`
}

// Fingerprint is the same in all programs that can read each other's cells of
// this layout.
func (l Layout) Fingerprint() uint64 { return l.checksum() + version }

// Export returns the totals. Workers that are attached and not kept count as
// dead: the cells of those that are kept will be attached to the registry that
// imports the totals. Nothing is changed.
func (r *Registry) Export(kept func(id int) bool) Totals {
	r.look()
	r.mu.Lock()
	defer r.mu.Unlock()
	s, cpu := r.retired.clone(), maps.Clone(r.retiredCPU)
	for id, w := range r.workers {
		if !kept(id) {
			s.addCell(w.layout, w.cell)
			cpu[w.slot] += w.usage.cpu
		}
		s.declare(w.layout)
	}
	t := Totals{
		Sites: make(map[string]SiteTotals, len(s.sites)), Accepted: s.accepted, Refused: s.refused, ParseErrors: s.parse,
		Received: s.received, Sent: s.sent, AccessDropped: s.accessDropped, Moved: s.movedConns, CPU: cpu,
		Restarts: maps.Clone(r.restarts), Reloads: maps.Clone(r.reloads), Generation: r.generation,
	}
	for name, site := range s.sites {
		t.Sites[name] = SiteTotals{Buckets: append([]uint64(nil), site.buckets[:]...), Sum: site.sum, Codes: site.codes}
	}
	return t
}

// Import makes the totals of another registry the start of this one, to which
// nothing may have been attached yet. After an error it is as it was.
func (r *Registry) Import(t Totals) error {
	s := newSums()
	for name, site := range t.Sites {
		own := s.site(name)
		if len(site.Buckets) != len(own.buckets) {
			return fmt.Errorf("metrics: site %q has %d buckets, want %d", name, len(site.Buckets), len(own.buckets))
		}
		copy(own.buckets[:], site.Buckets)
		own.sum = site.Sum
		maps.Copy(own.codes, site.Codes)
	}
	maps.Copy(s.accepted, t.Accepted)
	maps.Copy(s.refused, t.Refused)
	maps.Copy(s.parse, t.ParseErrors)
	s.received, s.sent, s.accessDropped, s.movedConns = t.Received, t.Sent, t.AccessDropped, t.Moved
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retired = s
	maps.Copy(r.retiredCPU, t.CPU)
	maps.Copy(r.restarts, t.Restarts)
	maps.Copy(r.reloads, t.Reloads)
	r.generation = t.Generation
	return nil
}
