package metrics

import (
	"maps"
	"runtime"
	"sync"
)

// Labels of the master's own counters, there from the start with value 0 so
// that the first event shows as an increase. Others may be used too.
const (
	ReloadSucceeded = "ok"
	ReloadFailed    = "failed"

	RestartCrash = "crash" // it ended by itself
	RestartHang  = "hang"  // its heartbeat stopped and the master ended it
)

// A Registry is the master's side: it sums the cells of all workers and what
// the master itself counts into one page that never goes backwards, over
// crashes, reloads and layouts. It implements prometheus.Collector.
//
// All methods may be called from any goroutine. The sums are made under one
// lock; Attach and Retire wait for a Collect under way, so the master calls
// them from beside its loop.
type Registry struct {
	version, goVersion string

	mu         sync.Mutex
	workers    map[int]*worker // attached, by id
	retired    *sums
	retiredCPU map[int]float64 // seconds by slot
	restarts   map[string]uint64
	reloads    map[string]uint64
	states     map[string]int
	generation int
}

// A worker is one attached process.
type worker struct {
	id, slot, generation int
	layout               Layout
	cell                 *Cell
	process              process
	usage                usage // of the last look
}

// NewRegistry returns a registry without workers for this version of srvctl.
func NewRegistry(version string) *Registry {
	return &Registry{
		version:    version,
		goVersion:  runtime.Version(),
		workers:    map[int]*worker{},
		retired:    newSums(),
		retiredCPU: map[int]float64{},
		restarts:   map[string]uint64{RestartCrash: 0, RestartHang: 0},
		reloads:    map[string]uint64{ReloadSucceeded: 0, ReloadFailed: 0},
		states:     map[string]int{},
	}
}

// Attach adds a worker's cell to the page. The id is the caller's, one per
// process; the cell's memory must stay mapped until Retire has returned. A pid
// of 0 means no process metrics.
func (r *Registry) Attach(id int, slot, generation, pid int, l Layout, c *Cell) {
	w := &worker{id: id, slot: slot, generation: generation, layout: l, cell: c}
	if pid > 0 {
		w.process = openProcess(pid)
		w.usage = w.process.usage() // it may have lived for long, and end before the next look
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retireLocked(id)
	r.workers[id] = w
}

// Retire folds a dead worker's counts into the sums that stay, exactly once;
// an unknown id is ignored. When it returns the cell is not used any more.
func (r *Registry) Retire(id int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retireLocked(id)
}

func (r *Registry) retireLocked(id int) {
	w := r.workers[id]
	if w == nil {
		return
	}
	delete(r.workers, id)
	r.retired.declare(w.layout) // the page keeps its shape while no worker lives
	r.retired.addCell(w.layout, w.cell)
	r.retiredCPU[w.slot] += w.usage.cpu
	r.forgetLocked()
}

// maxGone is how many names of sites and listeners that are no longer
// configured are kept on the page.
const maxGone = 1000

// forgetLocked bounds the page when configurations come and go with ever new
// names: beyond maxGone all names that no worker knows are dropped.
func (r *Registry) forgetLocked() {
	sites, listeners := map[string]bool{NoSite: true}, map[string]bool{Other: true}
	for _, w := range r.workers {
		for _, n := range w.layout.Sites {
			sites[n] = true
		}
		for _, n := range w.layout.Listeners {
			listeners[n] = true
		}
	}
	if len(r.retired.sites) > len(sites)+maxGone {
		maps.DeleteFunc(r.retired.sites, func(n string, _ *siteSums) bool { return !sites[n] })
	}
	if len(r.retired.accepted) > len(listeners)+maxGone {
		maps.DeleteFunc(r.retired.accepted, func(n string, _ uint64) bool { return !listeners[n] })
	}
}

// Restarted counts a worker that was replaced because it failed.
func (r *Registry) Restarted(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.restarts[reason]++
}

// Reloaded counts a reload by its result.
func (r *Registry) Reloaded(result string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reloads[result]++
}

// SetGeneration stores the generation that serves.
func (r *Registry) SetGeneration(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.generation = n
}

// SetWorkers stores the number of workers by state. A state that was there
// before and is missing now becomes 0.
func (r *Registry) SetWorkers(byState map[string]int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for state := range r.states {
		r.states[state] = 0
	}
	maps.Copy(r.states, byState)
}
