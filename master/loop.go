package master

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"srvctl/shared/limit"
	"srvctl/shared/logging"
	"srvctl/shared/metrics"
	"srvctl/shared/sock"
)

const (
	// maxEvents bounds what waits for the loop. Whoever posts more has to wait:
	// all of them are goroutines with nothing better to do.
	maxEvents = 256

	// maxCounts bounds what waits for the registry.
	maxCounts = 256
)

// master is the state of a running server. Everything below the line belongs
// to the goroutine that calls run, the loop; everybody else posts events.
type master struct {
	opts     Options
	env      env
	log      *logging.Logger
	registry *metrics.Registry
	host     *limit.Host
	hostFD   int
	instance string // names this server among others on the host
	paths    Paths
	service  *service // what runs this server, e.g. systemd
	// daemonLog takes the place of standard output and error where there are
	// none.
	daemonLog string
	path      string // where the next program is found

	claim       *claim
	operators   *operators
	children    *children
	stopReaper  func()
	hushSignals func() []syscall.Signal // ends the goroutine that posts signals, returns those it has left

	events chan event
	donec  chan struct{}  // closed when the loop has ended
	wg     sync.WaitGroup // goroutines started by beside
	counts chan func()    // calls to the registry, which may have to wait for a page being made
	public atomic.Pointer[readiness]

	// ---
	phase   phase         // changed by setPhase only
	gen     *generation   // in force
	next    *generation   // that a reload prepares, nil without one
	old     []*generation // that drain, the oldest first
	reload  *reload       // under way, nil without one
	again   wanted        // the reload after that
	upgrade *upgrade      // under way, nil without one
	resumed *resumed      // not nil until the loop runs in a program that has taken over
	last    *LastReload
	scaled  scaling
	gone    []*sock.Set              // not configured any more, see closeGone
	indexes [limit.MaxProcesses]bool // process numbers in use
	admin   *admin
	watcher *watcher  // of the configuration's files
	reopens int       // how often the logs were opened again
	pulseAt time.Time // when heartbeats are looked at; zero: not yet
	pingAt  time.Time // when the service manager wants to hear of the loop; zero: never
	stop    stopping
	err     error // why the first start failed
	began   time.Time
	timer   time.Time // when the loop has to look again, besides the slots' deadlines; zero: never
	states  map[string]int
	notes   []string // what is degraded about this server as long as it runs
}

// event is what somebody outside the loop has to say. apply runs on the loop
// and must return within a millisecond.
type event interface {
	apply(m *master, now time.Time)
}

// readiness is what everybody may know without asking the loop.
type readiness struct {
	Ready bool   `json:"ready"`
	State string `json:"state"`
	Why   string `json:"why,omitempty"` // why it is not ready
}

// post hands an event to the loop. It must not be called by the loop itself.
// After the end of the loop events are dropped, which it reports.
func (m *master) post(e event) (ok bool) {
	select {
	case m.events <- e:
		return true
	case <-m.donec:
		return false
	}
}

// beside runs f on a goroutine of its own: what takes longer than the loop may.
// Every f ends by itself, at the latest when donec is closed.
func (m *master) beside(f func()) {
	m.wg.Go(f)
}

// count hands a call to the goroutine that feeds the registry.
func (m *master) count(f func()) {
	select {
	case m.counts <- f:
	default: // 256 calls behind; late counts are better than lost ones
		f()
	}
}

// run is the loop. It starts the slots and returns when the server has gone.
func (m *master) run() error {
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		for f := range m.counts {
			f()
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	if m.resumed != nil {
		m.resume(time.Now())
	} else {
		m.began = time.Now()
		m.start(m.began, m.gen.slots[0])
	}
	for m.phase != phaseGone {
		m.publish()
		m.arm(timer)
		select {
		case e := <-m.events:
			e.apply(m, time.Now())
		case <-timer.C:
		}
		m.tick(time.Now())
	}
	m.publish()
	close(m.donec)
	close(m.counts)
	<-counted
	return m.err
}

// wakeAt makes the loop look again at this time, if it would not sooner.
func (m *master) wakeAt(t time.Time) {
	if m.timer.IsZero() || t.Before(m.timer) {
		m.timer = t
	}
}

// arm sets the timer to the earliest deadline.
func (m *master) arm(timer *time.Timer) {
	next := m.timer
	sooner := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for s := range m.slots() {
		sooner(s.deadline)
	}
	if m.rolling() {
		sooner(m.reload.deadline)
	}
	sooner(m.stop.closeAt)
	sooner(m.pingAt)
	sooner(m.pulseAt)
	if next.IsZero() {
		timer.Stop()
		return
	}
	timer.Reset(time.Until(next))
}

// tick handles every deadline that has passed.
func (m *master) tick(now time.Time) {
	if !m.timer.IsZero() && !now.Before(m.timer) {
		m.timer = time.Time{}
		for s := range m.slots() {
			if s.worker != nil {
				m.flush(now, s)
			}
		}
	}
	for _, s := range slices.Collect(m.slots()) { // which a deadline may change
		if !s.deadline.IsZero() && !now.Before(s.deadline) {
			m.expire(now, s)
		}
	}
	if at := m.stop.closeAt; !at.IsZero() && !now.Before(at) {
		m.closeDoors(now)
	}
	if m.rolling() && (m.reload.walked || !now.Before(m.reload.deadline)) {
		m.rollOn(now)
	}
	if !m.pulseAt.IsZero() && !now.Before(m.pulseAt) {
		m.checkPulses(now)
	}
	if !m.pingAt.IsZero() && !now.Before(m.pingAt) {
		m.service.ping()
		m.pingAt = now.Add(m.service.watchdog())
	}
}

// started is called once, when all workers of the first start serve.
func (m *master) started(now time.Time) {
	m.setPhase(phaseServing)
	m.publish()
	m.log.Info("serving", "generation", m.gen.number, "workers", len(m.gen.slots), "in", now.Sub(m.began).Round(time.Millisecond).String())
	m.service.ready(fmt.Sprintf("serving, generation %d, %s", m.gen.number, plural(len(m.gen.slots), "worker")))
	m.watchFiles()
	m.pulseAt = now
	if m.opts.Ready != nil {
		m.beside(func() { m.opts.Ready(nil) })
	}
	if every := m.service.watchdog(); every > 0 {
		m.pingAt = now.Add(every)
	}
	m.beginReload(now)
}

// publish makes the state of the server known to whoever does not ask the loop.
func (m *master) publish() {
	r := readiness{State: m.phase.String()}
	states := m.tally()
	switch serving := states[slotServing.String()]; {
	case m.phase != phaseServing:
		r.Why = "the server is " + r.State
	case serving == 0:
		r.Why = "no worker serves"
	default:
		r.Ready = true
	}
	if old := m.public.Load(); old == nil || *old != r {
		m.public.Store(&r)
	}
	if !maps.Equal(states, m.states) {
		m.states = states
		m.count(func() { m.registry.SetWorkers(states) })
	}
}
