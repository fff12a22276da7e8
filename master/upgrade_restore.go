package master

import (
	"fmt"
	"os"
	"time"

	"srvctl/conf"
	"srvctl/shared/limit"
	"srvctl/shared/metrics"
	"srvctl/shared/sock"
)

// mapHost opens the memory that is shared by all workers.
func (m *master) mapHost(fd int) error {
	mem, err := sock.Map(fd)
	if err != nil {
		return fmt.Errorf("counts of the host: %w", err)
	}
	if len(mem) < limit.Size() {
		return fmt.Errorf("counts of the host: %d bytes, want %d", len(mem), limit.Size())
	}
	m.hostFD, m.host = fd, limit.Open(mem)
	return nil
}

// restore builds the generations with their slots, workers and sockets.
func (m *master) restore(s *saved) error {
	sets := make([]*sock.Set, len(s.Sets))
	for i := range s.Sets {
		var err error
		if sets[i], err = s.Sets[i].restore(); err != nil {
			return err
		}
	}
	for _, i := range s.Gone {
		m.gone = append(m.gone, sets[i])
	}
	for _, n := range s.Taken {
		m.indexes[n] = true
	}
	now := time.Now()
	gap := time.Duration(monotonic() - s.Clock)
	for i := range s.Generations {
		g, err := m.restoreGeneration(&s.Generations[i], sets, now.Add(-gap), foreign(s.Control))
		if err != nil {
			return fmt.Errorf("generation %d: %w", s.Generations[i].Number, err)
		}
		if m.gen != nil {
			m.old = append(m.old, m.gen)
		}
		m.gen = g
	}
	m.restoreHeirs(s)
	raiseFiles(m.gen.config)
	var err error
	if m.gen.user, _, err = workerUser(m.gen.config.User); err != nil {
		return err
	}
	return m.restoreLogs(m.gen)
}

func (s *savedSet) restore() (*sock.Set, error) {
	if len(s.FDs) == 0 { // it was closed, and is only named by generations that drain
		return &sock.Set{Spec: s.Spec, Shared: s.Shared, Given: s.Given, Bound: s.Bound, Note: s.Note}, nil
	}
	set, err := sock.Adopt(s.Spec, s.FDs, len(s.FDs))
	if err != nil {
		return nil, fmt.Errorf("listener: %w", err)
	}
	set.Shared, set.Given, set.Note = s.Shared, s.Given, s.Note
	return set, nil
}

// restoreGeneration builds a generation; then is when it was written down.
func (m *master) restoreGeneration(s *savedGeneration, sets []*sock.Set, then time.Time, foreign bool) (*generation, error) {
	c, err := conf.Decode(s.Config)
	if err != nil {
		return nil, err
	}
	c.Watch = s.Watch
	g := &generation{
		number: s.Number, config: c, sealed: s.SealedFD, checksum: s.Checksum, layout: s.Layout, notes: s.Notes, evicted: s.Evicted,
		logs: &logFiles{paths: make(map[string]*os.File)},
	}
	g.finished, g.moved, g.cut, g.killed, g.crashed = s.Counts[0], s.Counts[1], s.Counts[2], s.Counts[3], s.Counts[4]
	for _, l := range s.Listeners {
		g.listeners = append(g.listeners, &listener{number: l.Number, name: l.Name, shared: l.Shared, set: sets[l.Set]})
	}
	for i := range s.Slots {
		slot, err := m.restoreSlot(g, i, &s.Slots[i], then, foreign)
		if err != nil {
			return nil, fmt.Errorf("slot %d: %w", i, err)
		}
		g.slots = append(g.slots, slot)
	}
	return g, nil
}

func (m *master) restoreSlot(g *generation, number int, s *savedSlot, then time.Time, foreign bool) (*slot, error) {
	state, _ := stateNamed(s.State) // checked by decodeState
	restored := &slot{
		gen: g, number: number, state: state, since: then.Add(-s.Age), backoff: s.Backoff,
		restarts: s.Restarts, lastExit: s.LastExit, exitAt: s.ExitAt,
	}
	if s.Limited {
		restored.deadline = then.Add(s.Left)
	}
	if s.Worker == nil {
		return restored, nil
	}
	w, err := m.restoreWorker(restored, s.Worker)
	if err != nil {
		return nil, err
	}
	w.foreign = w.foreign || foreign
	restored.worker = w
	return restored, nil
}

func (m *master) restoreWorker(home *slot, s *savedWorker) (*worker, error) {
	mem, err := sock.Map(s.CellFD)
	if err != nil {
		return nil, err
	}
	cell, err := metrics.OpenCell(mem, home.gen.layout)
	if err != nil {
		return nil, err
	}
	link, err := sock.NewConn(s.LinkFD)
	if err != nil {
		return nil, err
	}
	link.SetSendWait(0)
	w := &worker{
		id:   id{slot: home.number, generation: home.gen.number, index: s.Index},
		home: home, link: link, tail: s.Tail.restore(), cell: cell, unmap: cellEnd(mem, s.CellFD),
		proc: m.children.adopt(s.PID), readc: make(chan struct{}),
		version: s.Version, silent: s.Silent, left: s.Left, killed: s.Killed, foreign: s.Foreign, accepts: s.Accepts, readyIn: s.ReadyIn,
		failure: s.Failure, verdict: s.Verdict, reason: s.Reason,
		moved: s.Counts[0], finished: s.Counts[1], cut: s.Counts[2], degraded: s.Degraded,
	}
	if w.degraded == nil {
		w.degraded = make(map[string]string)
	}
	w.handles = handles{link: s.LinkFD, cell: s.CellFD, pipe: s.PipeFD}
	for _, f := range s.Outbox {
		w.outbox = append(w.outbox, outgoing{f.Frame, f.FDs})
	}
	m.indexes[s.Index] = true
	return w, nil
}

func (s *savedTail) restore() *tail {
	t := newTail()
	t.first, t.last, t.most, t.skipped = s.First, s.Last, max(s.Most, tailLast), s.Skipped
	return t
}

// startReading reads the last words of a worker from here on.
func (w *worker) startReading() {
	if w.handles.pipe < 0 {
		w.handles.dup = func() int { return -1 }
		close(w.tail.donec)
		return
	}
	f := os.NewFile(uintptr(w.handles.pipe), "last words")
	w.handles.dup = pipeEnd(f)
	go w.tail.read(f) // ends with the process
}

// restoreHeirs finds the workers that take the connections of others.
func (m *master) restoreHeirs(s *saved) {
	byIndex := make(map[int]*worker)
	for slot := range m.slots() {
		if slot.worker != nil {
			byIndex[slot.worker.index] = slot.worker
		}
	}
	for i := range s.Generations {
		for _, slot := range s.Generations[i].Slots {
			if slot.Worker != nil && slot.Worker.Heir >= 0 {
				byIndex[slot.Worker.Index].heir = byIndex[slot.Worker.Heir]
			}
		}
	}
}

// cellEnd gives the memory of a worker's counters back.
func cellEnd(mem []byte, fd int) func() {
	return func() {
		sock.Unmap(mem)
		closeAll([]int{fd})
	}
}
