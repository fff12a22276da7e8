package master

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"srvctl/proto/control"
	"srvctl/shared/limit"
	"srvctl/shared/metrics"
)

// birth is what a worker process is started with.
type birth struct {
	id
	home   *slot
	layout metrics.Layout
	host   int         // memfd of the counts shared by the host
	user   *credential // nil: as the master
}

// id names one worker process among all of this server.
type id struct {
	slot       int
	generation int
	index      int // number in the tables shared by the host; free again once it is reaped
}

// A worker is one process that runs, from its start until it is reaped. What
// is below the line belongs to the loop.
type worker struct {
	id
	home  *slot
	proc  process
	link  link
	tail  *tail
	cell  *metrics.Cell
	unmap func() // gives the cell's memory back

	readc chan struct{} // closed when nothing more will come from link

	version string // of the program it runs
	foreign bool   // it speaks frames of another version, and is only watched
	handles handles

	// ---
	outbox   []outgoing    // frames that did not fit into the link yet
	silent   bool          // its link has ended
	left     bool          // it accepts from no socket any more
	killed   bool          // SIGKILL was sent
	accepts  []int         // slots it was last told to accept from
	readyIn  time.Duration // how long it took from its start
	pulse    pulse
	failure  string            // why it could not serve, in its own words
	verdict  string            // why it was signalled, "" when it was not
	reason   string            // label of the restart counter, "" = from its exit
	heir     *worker           // who takes its connections while it drains, nil for nobody
	moved    int               // connections that another took while it drained
	finished int               // connections that ended by themselves while it drained
	cut      int               // connections it had to close
	degraded map[string]string // what it cannot do as configured, by key
}

// lastWordsGrace is how long the end of a process's pipe and link are waited
// for once it was reaped. Both end with it unless a child of its own holds them.
const lastWordsGrace = time.Second

// start brings a worker process up for the slot. The fork itself runs beside
// the loop and ends with a born event.
func (m *master) start(now time.Time, s *slot) {
	s.set(now, slotForking)
	b := birth{
		id:     id{slot: s.number, generation: s.gen.number},
		home:   s,
		layout: s.gen.layout,
		host:   m.hostFD,
		user:   s.gen.user,
	}
	var free bool
	if b.index, free = m.takeIndex(); !free {
		m.beside(func() { m.post(born{birth: b, err: errTooMany}) })
		return
	}
	m.beside(func() {
		w, err := m.env.spawn(b)
		if err == nil {
			m.registry.Attach(b.index, b.slot, b.generation, w.proc.pid(), b.layout, w.cell)
		}
		m.post(born{birth: b, worker: w, err: shortage(err)})
	})
}

// shortage adds what to do to an error that is a lack of descriptors.
func shortage(err error) error {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return fmt.Errorf("%w: raise the limit of open files of the master (ulimit -n, LimitNOFILE= of the unit)", err)
	}
	return err
}

// errTooMany says that all numbers of processes are taken, which takes
// hundreds that drain or do not die.
var errTooMany = fmt.Errorf("%d worker processes exist, which is the limit: lower workers, drain.generations or drain.timeout", limit.MaxProcesses)

// takeIndex returns the lowest process number that is free.
func (m *master) takeIndex() (index int, ok bool) {
	for i, taken := range m.indexes {
		if !taken {
			m.indexes[i] = true
			return i, true
		}
	}
	return -1, false
}

// freeIndexes returns how many process numbers are free.
func (m *master) freeIndexes() (n int) {
	for _, taken := range m.indexes {
		if !taken {
			n++
		}
	}
	return n
}

// born is posted when the fork of a slot's process has worked or failed.
type born struct {
	birth
	worker *worker
	err    error
}

func (e born) apply(m *master, now time.Time) {
	e.arrive(m, now)
	m.depart() // which may have waited for this
}

func (e born) arrive(m *master, now time.Time) {
	s := e.home
	if e.err != nil {
		if e.index >= 0 {
			m.indexes[e.index] = false
		}
		m.log.Error("worker could not be started", "slot", s.number, "generation", e.generation, "err", e.err)
		s.lastExit, s.exitAt = "could not be started: "+e.err.Error(), now
		m.vacate(now, s, "start", e.err.Error(), 0)
		return
	}
	w := e.worker
	s.worker, w.home, w.version = w, s, m.opts.Version
	m.beside(func() { m.read(w) })
	m.beside(func() { m.watch(w) })
	if !m.wanted(s.gen) {
		m.kill(now, s, syscall.SIGKILL)
		return
	}
	s.set(now, slotStarting, s.gen.config.ReadyTimeout)
	m.log.Info("worker started", "slot", s.number, "generation", w.generation, "pid", w.proc.pid())
	m.equip(now, s)
}

// wanted reports whether new workers of a generation are.
func (m *master) wanted(g *generation) bool {
	return m.phase < phaseStopping && (g == m.gen || g == m.next && m.reload.stage == reloadPreparing)
}

// equip sends a new worker everything it needs to prepare.
func (m *master) equip(now time.Time, s *slot) {
	w := s.worker
	m.send(now, s, control.Begin{
		Slot: w.slot, Generation: w.generation, Index: w.index,
		Workers: len(s.gen.slots), Instance: m.instance,
	}, s.gen.sealed)
	for _, l := range s.gen.listeners {
		first := 0
		for files := range slices.Chunk(l.set.Files, control.MaxDescriptors) {
			m.send(now, s, control.Listener{
				Number: l.number, Name: l.name, Address: l.set.Bound, Shared: l.shared,
				First: first, Count: len(files),
			}, files...)
			first += len(files)
		}
	}
	m.sendLogs(now, s)
	m.send(now, s, control.Prepare{})
}

// read posts what a worker says until its link ends. It runs on a goroutine of
// its own, one per worker, and ends with the process.
func (m *master) read(w *worker) {
	defer close(w.readc)
	buf := make([]byte, control.MaxFrame)
	for {
		n, fds, err := w.link.Recv(buf)
		if errors.Is(err, syscall.ECONNRESET) {
			// It ended with frames unread. What it said before comes after this.
			n, fds, err = w.link.Recv(buf)
		}
		for _, fd := range fds {
			syscall.Close(fd) // no worker has anything to hand over yet
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return // paused: the next program reads on
		}
		if err != nil || n == 0 {
			m.post(hungUp{w, err})
			return
		}
		if w.foreign {
			continue
		}
		msg, err := control.Decode(buf[:n])
		m.post(said{w, msg, err})
	}
}

// watch posts the end of a worker, after everything it said. It runs on a
// goroutine of its own, one per worker.
func (m *master) watch(w *worker) {
	<-w.proc.gone()
	grace := time.NewTimer(lastWordsGrace)
	defer grace.Stop()
	for _, c := range []<-chan struct{}{w.readc, w.tail.donec} {
		select {
		case <-c:
		case <-grace.C:
			grace.Reset(0)
		}
	}
	m.registry.Retire(w.index)
	m.post(ended{w})
}
