package master

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"srvctl/conf"
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
	reopened int     // m.reopens when it began
	draft    *draft  // from loading to the barrier
	scaled   scaling // in force from the barrier on
	turn     int     // of the slots, while it rolls
	walked   bool    // every slot has had its turn
	failed   error   // why it is undone
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
	case m.phase == phaseStarting || m.reload != nil:
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
	if len(m.again.whys) == 0 || m.phase != phaseServing {
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
			m.hasten(now, s, evictGrace, 0)
		}
	}
	m.log.Warn("old generation is ended: too many drain", "generation", g.number, "limit", most)
}

// evictGrace is what requests in flight get in a generation that has to go.
const evictGrace = time.Second

// barrier is called when a worker of the next generation is ready. The first
// lets the others start; when all are, the generation is put into force, and
// from there on there is no way back: a worker that fails is restarted.
func (m *master) barrier(now time.Time) {
	for _, s := range m.next.slots {
		if s.state == slotVacant {
			m.start(now, s)
		}
	}
	if !m.next.allIn(slotReady) {
		return
	}
	r := m.reload
	from, to := m.gen, m.next
	m.old, m.gen, m.next = append(m.old, from), to, nil
	m.commitListeners(from, to)
	m.adopt(r.draft, from)
	r.draft, m.scaled = nil, r.scaled
	r.report.Generation = to.number
	from.unseal()
	for _, s := range from.slots {
		if !s.state.accepting() {
			m.retire(now, s) // nothing is in flight there
		}
	}
	r.set(reloadRolling)
	r.deadline = now.Add(2 * to.config.ReadyTimeout)
	m.wakeAt(r.deadline)
	m.rollOn(now)
}

// adopt takes over what a draft brought besides sockets.
func (m *master) adopt(d *draft, from *generation) {
	g := d.gen
	if from != nil {
		if own := g.logs.takeOwn(); own != nil { // nil: it could not be opened again, the old one goes on
			m.log.SetOutput(own)
		}
		m.log.SetLevel(g.config.Log.Level)
		m.log.SetFormat(g.config.Log.Format)
		m.beside(from.logs.close)
	}
	if d.admin != nil {
		old := m.admin
		m.admin = d.admin
		if old != nil {
			m.beside(old.close)
		}
	}
	for _, note := range g.notes {
		m.log.Warn(note)
	}
	m.count(func() { m.registry.SetGeneration(g.number) })
	m.watchFiles()
}

// rolling reports whether slots change over.
func (m *master) rolling() bool { return m.reload != nil && m.reload.stage == reloadRolling }

// rollOn lets slot after slot change over: the new worker accepts, then the old
// one drains. A slot whose new worker has crashed is passed over once others
// serve, which then accept from its sockets.
func (m *master) rollOn(now time.Time) {
	r := m.reload
	if !m.rolling() {
		return
	}
	for ; r.turn < len(m.gen.slots); r.turn++ {
		s := m.gen.slots[r.turn]
		if s.state == slotReady {
			m.open(now, s)
		}
		if s.state == slotOpening {
			return
		}
		if m.gen.serving() {
			m.retireSlot(now, r.turn)
		}
	}
	if m.gen.serving() && !r.walked {
		r.walked = true
		m.retireRest(now)
		r.deadline = now.Add(leaveLimit)
	}
	late := !now.Before(r.deadline)
	switch {
	case m.gen.serving():
		if late || m.allLeft() {
			m.endReload(now)
		}
	case late:
		r.failed = fmt.Errorf("generation %d is in force, but none of its workers can serve: %s; the workers before go on until one can",
			m.gen.number, or(m.gen.slots[0].lastExit, "see the log"))
		m.endReload(now)
	}
}

// leaveLimit is how long the old workers may take to leave the sockets before
// the answer does not wait for them: one that is stopped or hangs never does.
const leaveLimit = 2 * time.Second

// allLeft reports whether every worker that drains has left the sockets. Those
// that are being ended do not accept either, or not for long.
func (m *master) allLeft() bool {
	for _, g := range m.old {
		for _, s := range g.slots {
			if s.state == slotDraining && !s.worker.left {
				return false
			}
		}
	}
	return true
}

// retireSlot lets the workers of this slot in all generations before drain.
func (m *master) retireSlot(now time.Time, number int) {
	var left *slot
	for _, g := range m.old {
		if number < len(g.slots) && m.retire(now, g.slots[number]) {
			left = g.slots[number]
		}
	}
	var came *slot
	if number < len(m.gen.slots) {
		came = m.gen.slots[number]
	}
	if m.reload != nil {
		m.reload.changed(came, left)
	}
	m.rebalance(now)
}

// retireRest lets every worker drain that is not of the generation in force,
// and leaves alone those that do.
func (m *master) retireRest(now time.Time) {
	most := 0
	for _, g := range m.old {
		most = max(most, len(g.slots))
	}
	for number := range most {
		for _, g := range m.old {
			if number < len(g.slots) && g.slots[number].state != slotDraining && g.slots[number].state != slotVacant {
				m.retireSlot(now, number)
				break
			}
		}
	}
}

// watchFiles makes changes of the configuration's files a reload, if that is
// wanted.
func (m *master) watchFiles() {
	c := m.gen.config
	if !c.Reload.Watch {
		if m.watcher != nil {
			m.watcher.watch(nil)
		}
		return
	}
	if m.watcher == nil {
		m.watcher = newWatcher(
			func() { m.post(reloadRequest{why: "the files have changed"}) },
			func(err error) { m.log.Error("configuration's files cannot be watched", "err", err) })
	}
	m.watcher.watch(c.Watch)
}

// failReload undoes a reload that has not reached its barrier.
func (m *master) failReload(now time.Time, err error) {
	r := m.reload
	if r.failed == nil {
		r.failed = err
	}
	switch r.stage {
	case reloadPreparing:
		r.set(reloadUndoing)
		for _, s := range m.next.slots {
			if s.state.hasProcess() && s.state != slotDying {
				m.kill(now, s, syscall.SIGKILL)
			}
		}
		m.undone(now)
	case reloadUndoing, reloadRolling:
	case reloadLoading, reloadWaiting:
		if d := r.draft; d != nil {
			r.draft = nil
			m.beside(d.discard)
		}
		m.endReload(now)
	}
}

// undone ends an undone reload once its last process is gone.
func (m *master) undone(now time.Time) {
	r := m.reload
	if r == nil || r.stage != reloadUndoing || !m.next.allIn(slotVacant) {
		return
	}
	m.rollbackListeners(m.next)
	m.next = nil
	m.beside(r.draft.release)
	r.draft = nil
	m.endReload(now)
}

// endReload answers everybody who waits and goes on to what was asked for
// meanwhile.
func (m *master) endReload(now time.Time) {
	r := m.reload
	m.reload = nil
	r.stopped = true
	took := now.Sub(r.began)
	r.report.TookMS = took.Milliseconds()
	r.report.Result, r.report.Generation = reloadOK, m.gen.number
	if r.failed != nil {
		r.report.Result, r.report.Error = reloadFailed, r.failed.Error()
		m.log.Error("reload failed, generation "+fmt.Sprint(m.gen.number)+" goes on", "err", r.failed)
		m.service.ready(fmt.Sprintf("reload failed, generation %d goes on: %v", m.gen.number, r.failed))
	} else {
		m.log.Info("reload done", "generation", m.gen.number, "workers", len(m.gen.slots), "in", took.Round(time.Millisecond).String())
		m.service.ready(fmt.Sprintf("serving, generation %d, %s", m.gen.number, plural(len(m.gen.slots), "worker")))
		r.tell(r.summary(m))
	}
	m.last = &LastReload{
		Result: r.report.Result, At: now.Format(time.RFC3339Nano), Generation: m.gen.number,
		Error: r.report.Error, TookMS: r.report.TookMS,
	}
	outcome := r.report.Result
	m.count(func() { m.registry.Reloaded(outcome) })
	m.answerReload(r)
	m.settleOld(now)
	m.beginReload(now)
}

// answerReload answers who asked, or lets him wait for the old generation.
func (m *master) answerReload(r *reload) {
	for _, a := range r.askers {
		if r.failed != nil {
			a.op.send(reportAnswer(r.report))
			a.op.finish(endAnswer(1, "reload: "+r.failed.Error(), fmt.Sprintf("generation %d goes on unchanged", m.gen.number)))
			continue
		}
		if a.wait && len(m.old) > 0 {
			g := m.old[len(m.old)-1]
			g.waiting = append(g.waiting, a.op)
			a.op.report = &r.report
			continue
		}
		a.op.send(reportAnswer(r.report))
		a.op.finish(endAnswer(0, "", ""))
	}
}

// settleOld forgets the generations whose last process is gone, and tells who
// waited for that.
func (m *master) settleOld(now time.Time) {
	if m.rolling() {
		return // its slots may not have had their turn
	}
	m.old = slices.DeleteFunc(m.old, func(g *generation) bool {
		if !g.allIn(slotVacant) {
			return false
		}
		text := fmt.Sprintf("generation %d has drained: %s finished, %d cut", g.number, plural(g.finished, "connection"), g.cut)
		m.log.Info("old generation has drained", "generation", g.number, "finished", g.finished, "cut", g.cut, "killed", g.killed, "crashed", g.crashed)
		for _, op := range g.waiting {
			op.progress(text)
			op.send(reportAnswer(*op.report))
			op.finish(endAnswer(0, "", ""))
		}
		g.waiting = nil
		return true
	})
	m.makeRoom(now)
}

// stopReload ends whatever a reload is doing, because the server stops.
func (m *master) stopReload(now time.Time) {
	stops := errors.New("the server stops")
	for _, a := range m.again.askers {
		a.op.finish(endAnswer(1, "reload: the server stops: nothing was changed", ""))
	}
	m.again = wanted{}
	if r := m.reload; r != nil {
		if r.stage == reloadRolling {
			r.failed = stops
			m.endReload(now)
		} else {
			m.failReload(now, stops)
		}
	}
	for _, g := range m.old {
		for _, op := range g.waiting {
			op.finish(endAnswer(1, "reload: the new generation serves, but the server stops before the old one has drained", ""))
		}
		g.waiting = nil
	}
}
