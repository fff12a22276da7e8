package metrics

import (
	"math"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("srvctl_"+name, help, labels, nil)
}

var (
	descRequests      = desc("requests_total", "Requests answered, by site and status code; site \"-\" reached no site.", "site", "code")
	descDuration      = desc("request_duration_seconds", "Time from the first byte of a request to the last byte of its response handed to the kernel.", "site")
	descInFlight      = desc("requests_in_flight", "Requests read and not yet answered.")
	descConnections   = desc("connections", "Open client connections by state.", "state")
	descAccepted      = desc("connections_accepted_total", "Connections accepted, by listener.", "listener")
	descRefused       = desc("connections_refused_total", "Connections turned away before their first request, by reason.", "reason")
	descMoved         = desc("connections_moved_total", "Connections handed to a successor without being closed.")
	descReceived      = desc("received_bytes_total", "Bytes read from clients.")
	descSent          = desc("sent_bytes_total", "Bytes written to clients.")
	descParseErrors   = desc("parse_errors_total", "Requests refused by the parser, by reason.", "reason")
	descAccessDropped = desc("access_log_dropped_total", "Access log lines lost because a pipe or disk was full.")
	descLoopLag       = desc("loop_lag_seconds", "Greatest delay of an event loop's turn in the last 15 to 30 seconds, over all workers.")
	descWorkers       = desc("workers", "Worker processes by state.", "state")
	descRestarts      = desc("worker_restarts_total", "Workers replaced because they failed, by reason.", "reason")
	descReloads       = desc("reloads_total", "Reloads of the configuration, by result.", "result")
	descGeneration    = desc("generation", "Generation of the configuration that serves.")
	descBuild         = desc("build_info", "Always 1; the version of srvctl and of the Go it was built with.", "version", "go")
	descWorkerCPU     = desc("worker_cpu_seconds_total", "CPU time used by the processes of a slot, past ones included.", "slot")
	descWorkerMemory  = desc("worker_resident_memory_bytes", "Resident memory of the processes of a slot.", "slot")
	descWorkerFDs     = desc("worker_open_fds", "Open descriptors of the processes of a slot.", "slot")
)

var descs = []*prometheus.Desc{
	descRequests, descDuration, descInFlight, descConnections, descAccepted, descRefused, descMoved,
	descReceived, descSent, descParseErrors, descAccessDropped, descLoopLag, descWorkers, descRestarts,
	descReloads, descGeneration, descBuild, descWorkerCPU, descWorkerMemory, descWorkerFDs,
}

// Describe implements prometheus.Collector.
func (r *Registry) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (r *Registry) Collect(ch chan<- prometheus.Metric) {
	r.look()
	for _, m := range r.snapshot() {
		ch <- m // not under the lock: the reader of ch decides how long this takes
	}
}

// A page collects metrics.
type page []prometheus.Metric

func (p *page) counter(d *prometheus.Desc, v float64, labels ...string) {
	*p = append(*p, prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...))
}

func (p *page) gauge(d *prometheus.Desc, v float64, labels ...string) {
	*p = append(*p, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...))
}

func (p *page) counters(d *prometheus.Desc, byLabel map[string]uint64) {
	for label, n := range byLabel {
		p.counter(d, float64(n), label)
	}
}

func (r *Registry) snapshot() page {
	r.mu.Lock()
	defer r.mu.Unlock()
	var p page
	r.clientsLocked(&p)
	r.masterLocked(&p)
	r.processesLocked(&p)
	return p
}

// clientsLocked adds what the workers counted.
func (r *Registry) clientsLocked(p *page) {
	s := r.retired.clone()
	var idle, active, writing, flight, lag int64
	for _, w := range r.workers {
		v := w.cell.gauges()
		idle, active, writing, flight = idle+v.Idle, active+v.Active, writing+v.Writing, flight+v.InFlight
		lag = max(lag, v.Lag)
		s.addCell(w.layout, w.cell)
		s.declare(w.layout)
	}
	for name, t := range s.sites {
		t.collect(p, name)
	}
	p.counters(descAccepted, s.accepted)
	p.counters(descRefused, s.refused)
	p.counters(descParseErrors, s.parse)
	p.counter(descMoved, float64(s.movedConns))
	p.counter(descReceived, float64(s.received))
	p.counter(descSent, float64(s.sent))
	p.counter(descAccessDropped, float64(s.accessDropped))
	p.gauge(descConnections, float64(idle), "idle")
	p.gauge(descConnections, float64(active), "active")
	p.gauge(descConnections, float64(writing), "writing")
	p.gauge(descInFlight, float64(flight))
	p.gauge(descLoopLag, float64(lag)/1e9)
}

// collect adds a site's series: the codes it has answered with, and
// code="200" from the start so that every configured site is on the page. The
// histogram's twenty series wait for the first request.
func (t *siteSums) collect(p *page, site string) {
	for code, n := range t.codes {
		p.counter(descRequests, float64(n), site, strconv.Itoa(code))
	}
	if t.codes[200] == 0 && site != NoSite {
		p.counter(descRequests, 0, site, "200")
	}
	var requests uint64
	cumulative := make(map[float64]uint64, len(bounds))
	for i, n := range t.buckets {
		requests += n
		if i < len(bounds) {
			cumulative[float64(bounds[i])/1e9] = requests
		}
	}
	if requests > 0 {
		*p = append(*p, prometheus.MustNewConstHistogram(descDuration, requests, float64(t.sum)/1e9, cumulative, site))
	}
}

// masterLocked adds what the master counts itself.
func (r *Registry) masterLocked(p *page) {
	p.counters(descRestarts, r.restarts)
	p.counters(descReloads, r.reloads)
	for state, n := range r.states {
		p.gauge(descWorkers, float64(n), state)
	}
	p.gauge(descGeneration, float64(r.generation))
	p.gauge(descBuild, 1, r.version, r.goVersion)
}

// processesLocked adds what the kernel counts for the workers. The label is
// the slot alone: pids and generations would leave a trail of dead series.
func (r *Registry) processesLocked(p *page) {
	type slot struct {
		cpu, resident, fds float64
		alive, fdsKnown    bool
	}
	slots := map[int]slot{}
	for n, cpu := range r.retiredCPU {
		slots[n] = slot{cpu: cpu}
	}
	for _, w := range r.workers {
		if w.process.start == 0 {
			continue
		}
		s, u := slots[w.slot], w.usage
		s.cpu += u.cpu
		if u.ok {
			s.alive = true
			s.resident += float64(u.resident)
			if u.fds >= 0 {
				s.fdsKnown = true
				s.fds += float64(u.fds)
			}
		}
		slots[w.slot] = s
	}
	for n, s := range slots {
		label := strconv.Itoa(n)
		// Sums of seconds differ with their order in the last digit, and a
		// counter that shrinks by that much counts as reset.
		p.counter(descWorkerCPU, math.Round(s.cpu*clockTicks)/clockTicks, label)
		if s.alive {
			p.gauge(descWorkerMemory, s.resident, label)
		}
		if s.fdsKnown {
			p.gauge(descWorkerFDs, s.fds, label)
		}
	}
}

// look reads /proc for all workers, outside the lock because the kernel may
// take its time, and keeps the answer with those that are still attached.
func (r *Registry) look() {
	for _, w := range r.attached() {
		u := w.process.usage()
		r.mu.Lock()
		u.cpu = max(u.cpu, w.usage.cpu) // another look may have been quicker
		w.usage = u
		r.mu.Unlock()
	}
}

func (r *Registry) attached() []*worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*worker, 0, len(r.workers))
	for _, w := range r.workers {
		if w.process.start != 0 {
			list = append(list, w)
		}
	}
	slices.SortFunc(list, func(a, b *worker) int { return a.id - b.id })
	return list
}
