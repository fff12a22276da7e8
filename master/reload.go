package master

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"srvctl/conf"
	"srvctl/proto/control"
)

// reloadStage is how far a reload has come. Only reload.set changes it.
type reloadStage uint8

const (
	// reloadLoading: another goroutine reads and checks the configuration and
	// takes what it needs from the system. Exits: reloadWaiting; the end when
	// that failed or the server stops.
	reloadLoading reloadStage = iota

	// reloadWaiting: drain.generations old generations exist, and the oldest
	// was told to end at once. Exits: reloadPreparing when there is room;
	// the end when the server stops.
	reloadWaiting

	// reloadPreparing: the new workers start, the first alone. Exits:
	// reloadRolling when all are ready, which is the barrier; reloadUndoing
	// when one of them fails or the server stops.
	reloadPreparing

	// reloadUndoing: the new workers are killed; the old ones never noticed.
	// Exits: the end.
	reloadUndoing

	// reloadRolling: the new generation is in force. Slot after slot the new
	// worker accepts and the old one drains. Exits: the end when each slot has
	// had its turn and the old workers have left the sockets, so that whoever
	// connects after the answer meets the new configuration.
	reloadRolling

	numReloadStages
)

var reloadStageNames = [numReloadStages]string{
	reloadLoading:   "loading",
	reloadWaiting:   "waiting",
	reloadPreparing: "preparing",
	reloadUndoing:   "undoing",
	reloadRolling:   "rolling",
}

func (s reloadStage) String() string { return reloadStageNames[s] }

// reloadExits lists the edges that the comments above describe.
var reloadExits = [numReloadStages][]reloadStage{
	reloadLoading:   {reloadWaiting},
	reloadWaiting:   {reloadPreparing},
	reloadPreparing: {reloadRolling, reloadUndoing},
	reloadUndoing:   {},
	reloadRolling:   {},
}

// A reload is the transaction that puts another generation into force, or
// changes nothing. It belongs to the loop.
type reload struct {
	stage    reloadStage
	began    time.Time
	deadline time.Time // when a roll is not waited for any longer
	askers   []*asker
	reopened int       // m.reopens when it began
	draft    *draft    // from loading to the barrier
	scaled   scaling   // in force from the barrier on
	turn     int       // of the slots, while it rolls
	settling bool      // what is not configured any more takes no connections
	walked   bool      // every slot has had its turn
	moving   time.Time // until then the answer waits for connections that move
	failed   error     // why it is undone
	report   ReloadReport
	stopped  bool // the server stops: whatever comes is thrown away
}

// An asker is an operator who waits for the answer to a reload.
type asker struct {
	op   *operation
	wait bool // until the old workers have drained
}

func (r *reload) set(to reloadStage) {
	if !slices.Contains(reloadExits[r.stage], to) {
		panic(fmt.Sprintf("master: a reload cannot go from %v to %v", r.stage, to))
	}
	r.stage = to
}

// tell sends a line to everybody who waits for this reload.
func (r *reload) tell(text string) {
	for _, a := range r.askers {
		a.op.progress(text)
	}
}

// reloadRequest asks for a reload.
type reloadRequest struct {
	why     string
	workers int    // not 0: only their number changes, no file is read
	asker   *asker // nil for a signal
}

// apply starts a reload. What is asked for while one runs becomes exactly one
// more: it reads the files later than everybody asked.
func (e reloadRequest) apply(m *master, now time.Time) {
	switch {
	case m.phase >= phaseStopping:
		m.log.Warn("reload refused: the server stops", "why", e.why)
		if e.asker != nil {
			e.asker.op.finish(endAnswer(1, "reload: the server stops: nothing was changed", ""))
		}
	case m.phase == phaseStarting || m.reload != nil || m.upgrading():
		m.again.add(e)
	default:
		m.again.add(e)
		m.beginReload(now)
	}
}

// wanted is the one further reload that was asked for.
type wanted struct {
	whys    []string
	files   bool // somebody wants the files to be read
	workers int  // not 0: the number of workers that was asked for last
	askers  []*asker
}

// maxAskers bounds the operators who wait; operators' connections are bounded
// far below.
const maxAskers = 2 * maxOperators

func (w *wanted) add(e reloadRequest) {
	if !slices.Contains(w.whys, e.why) && len(w.whys) < maxAskers {
		w.whys = append(w.whys, e.why)
	}
	if e.workers > 0 {
		w.workers = e.workers
	} else {
		w.files = true
	}
	switch {
	case e.asker == nil:
	case len(w.askers) >= maxAskers:
		e.asker.op.finish(endAnswer(1, "reload: too many operators wait for one: nothing was changed", "try again"))
	default:
		w.askers = append(w.askers, e.asker)
	}
}

// beginReload starts the reload that is wanted, if one is.
func (m *master) beginReload(now time.Time) {
	if len(m.again.whys) == 0 || m.phase != phaseServing || m.upgrading() {
		return
	}
	want := m.again
	m.again = wanted{}
	r := &reload{began: now, askers: want.askers, reopened: m.reopens}
	m.reload = r
	m.log.Info("reload begins", "why", strings.Join(want.whys, ", "), "generation", m.gen.number+1)
	m.service.reloading("reading the configuration")
	has, err := m.settingNow()
	if err != nil {
		m.failReload(now, fmt.Errorf("listeners: %w", err))
		return
	}
	running, number, scaled := m.gen.config, m.gen.number+1, m.scaled
	m.beside(func() {
		defer has.close()
		e := drafted{reload: r}
		c := running
		if want.files {
			c, e.problems = m.opts.Load(running.File)
		}
		if c != nil {
			e.watch = c.Watch
		}
		if !e.problems.Failed() {
			c, e.scaled = scaled.apply(c, want)
			e.changes = conf.Diff(running, c)
			e.draft, e.err = m.env.draft(number, c, has)
		}
		if !m.post(e) && e.draft != nil {
			e.draft.discard()
		}
	})
}

// drafted is posted when the configuration was read and what it needs was
// taken, or why that was not possible.
type drafted struct {
	reload   *reload
	problems conf.Problems
	watch    []conf.Watched
	changes  []conf.Change
	scaled   scaling
	draft    *draft
	err      error
}

func (e drafted) apply(m *master, now time.Time) {
	r := e.reload
	if r.stopped {
		if e.draft != nil {
			m.beside(e.draft.discard)
		}
		return
	}
	if m.watcher != nil && m.gen.config.Reload.Watch {
		// Also when it is refused: what repairs it may be a file that only it names.
		m.watcher.watch(e.watch)
	}
	for _, p := range e.problems {
		r.report.Problems = append(r.report.Problems, p.Error())
		for _, a := range r.askers {
			a.op.send(Answer{Event: EventProblem, Text: p.Error()})
		}
		m.log.Warn("configuration", "err", p.Error())
	}
	switch {
	case e.problems.Failed():
		m.failReload(now, fmt.Errorf("the configuration has %s", plural(len(e.problems.Errors()), "problem")))
	case e.err != nil:
		m.failReload(now, e.err)
	default:
		r.draft, r.scaled = e.draft, e.scaled
		r.describe(e.changes)
		r.set(reloadWaiting)
		m.makeRoom(now)
	}
}

// makeRoom ends the oldest generations when there are as many as may be, and
// goes on once they are gone.
func (m *master) makeRoom(now time.Time) {
	r := m.reload
	if r == nil || r.stage != reloadWaiting {
		return
	}
	most := max(1, r.draft.gen.config.Drain.Generations)
	// Each worker has a number in tables that are shared by the host.
	room := m.freeIndexes() >= len(r.draft.gen.slots)+len(m.gen.slots)
	if len(m.old) > 0 && (len(m.old) >= most || !room) {
		if !m.old[0].evicted {
			m.evict(now, m.old[0], most)
		}
		return
	}
	if err := m.prepareListeners(r.draft); err != nil {
		m.failReload(now, err)
		return
	}
	r.set(reloadPreparing)
	m.next = r.draft.gen
	if r.reopened != m.reopens { // the files were renamed while it loaded
		m.reopen(m.next)
	}
	m.service.status("starting the workers of generation " + fmt.Sprint(m.next.number))
	m.start(now, m.next.slots[0])
}

// evict makes a generation that drains end now, because a newer one needs its
// place: what is idle is closed, requests in flight get evictGrace.
func (m *master) evict(now time.Time, g *generation, most int) {
	text := fmt.Sprintf("generation %d is ended: at most %s may drain (drain.generations)", g.number, plural(most, "old generation"))
	m.reload.tell(text)
	g.evicted = true
	for _, s := range g.slots {
		m.retire(now, s) // where it had to go on serving
		if s.state == slotDraining {
			m.hasten(now, s, control.Drain{Timeout: evictGrace, Why: control.WhyReload})
		}
	}
	m.log.Warn("old generation is ended: too many drain", "generation", g.number, "limit", most)
}

// evictGrace is what requests in flight get in a generation that has to go.
const evictGrace = time.Second
