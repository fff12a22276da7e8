package master

import (
	"slices"
	"syscall"
	"time"

	"srvctl/proto/control"
	"srvctl/shared/metrics"
)

// birth is what a worker process is started with.
type birth struct {
	id
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
	proc  process
	link  link
	tail  *tail
	cell  *metrics.Cell
	unmap func() // gives the cell's memory back

	readc chan struct{} // closed when nothing more will come from link

	// ---
	outbox   []outgoing        // frames that did not fit into the link yet
	silent   bool              // its link has ended
	killed   bool              // SIGKILL was sent
	accepts  []int             // slots it was last told to accept from
	failure  string            // why it could not serve, in its own words
	verdict  string            // why it was signalled, "" when it was not
	reason   string            // label of the restart counter, "" = from its exit
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
		id:     id{slot: s.number, generation: m.gen.number, index: m.takeIndex()},
		layout: m.gen.layout,
		host:   m.hostFD,
		user:   m.user,
	}
	m.beside(func() {
		w, err := m.env.spawn(b)
		if err == nil {
			m.registry.Attach(b.index, b.slot, b.generation, w.proc.pid(), b.layout, w.cell)
		}
		m.post(born{id: b.id, worker: w, err: err})
	})
}

// takeIndex returns the lowest process number that is free.
func (m *master) takeIndex() int {
	for i, taken := range m.indexes {
		if !taken {
			m.indexes[i] = true
			return i
		}
	}
	// The number of slots is bounded far below by the configuration.
	panic("master: more worker processes than limit.MaxProcesses")
}

// born is posted when the fork of a slot's process has worked or failed.
type born struct {
	id
	worker *worker
	err    error
}

func (e born) apply(m *master, now time.Time) {
	s := m.gen.slots[e.slot]
	if e.err != nil {
		m.indexes[e.index] = false
		m.log.Error("worker could not be started", "slot", s.number, "generation", e.generation, "err", e.err)
		s.lastExit, s.exitAt = "could not be started: "+e.err.Error(), now
		m.vacate(now, s, "start", e.err.Error(), 0)
		return
	}
	w := e.worker
	s.worker = w
	m.beside(func() { m.read(w) })
	m.beside(func() { m.watch(w) })
	if m.phase == phaseStopping {
		m.kill(now, s, syscall.SIGKILL)
		return
	}
	s.set(now, slotStarting, m.gen.config.ReadyTimeout)
	m.log.Info("worker started", "slot", s.number, "generation", w.generation, "pid", w.proc.pid())
	m.equip(now, s)
}

// equip sends a new worker everything it needs to prepare.
func (m *master) equip(now time.Time, s *slot) {
	w := s.worker
	m.send(now, s, control.Begin{
		Slot: w.slot, Generation: w.generation, Index: w.index,
		Workers: len(m.gen.slots), Instance: m.instance,
	}, m.gen.sealed)
	for _, l := range m.listeners {
		first := 0
		for files := range slices.Chunk(l.set.Files, control.MaxDescriptors) {
			m.send(now, s, control.Listener{
				Number: l.number, Name: l.name, Address: l.set.Bound, Shared: l.set.Shared,
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
		for _, fd := range fds {
			syscall.Close(fd) // no worker has anything to hand over yet
		}
		if err != nil || n == 0 {
			m.post(hungUp{w, err})
			return
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
