package master

import (
	"fmt"
	"slices"
	"time"

	"srvctl/proto/control"
	"srvctl/shared/limit"
	"srvctl/shared/sock"
)

// handles are the descriptors of a worker that a next program needs. Nobody
// closes one of them but who is named here.
type handles struct {
	link int // closed by worker.link
	cell int // closed by worker.unmap
	// pipe is where its last words come from, -1 once it has closed it. It is a
	// copy that hush makes: the original belongs to the goroutine that reads.
	pipe int
	// dup makes that copy and ends the goroutine.
	dup func() int
}

// save writes down the state of the server as it is now. It runs on the loop.
// Descriptors that only the end of this program knows are left out.
func (m *master) save() (*saved, error) {
	now := time.Now()
	s := &saved{
		Version: m.opts.Version, PID: processID(), Control: control.Version, Host: limit.Size(), Clock: monotonic(),
		Path: m.path, File: m.gen.config.File, Instance: m.instance, Began: m.began, Paths: m.paths, DaemonLog: m.daemonLog,
		Notes: m.notes, Last: m.last, Scaled: [2]int{m.scaled.workers, m.scaled.file}, Reopens: m.reopens,
		HostFD: m.hostFD, Reload: len(m.again.whys) > 0,
	}
	if m.upgrade != nil {
		s.Why = m.upgrade.why
	}
	if m.claim != nil {
		s.LockFD = int(m.claim.lock.Fd())
		fd, err := socketDescriptor(m.claim.socket)
		if err != nil {
			return nil, err
		}
		s.SocketFD = fd
	}
	if m.admin != nil && m.admin.set != nil {
		s.Admin = &savedAdmin{m.admin.set.Spec.Address, m.admin.set.Files[0]}
	}
	sets := &setNumbers{state: s}
	kept := make(map[int]bool)
	for g := range m.generations() {
		saved, err := g.save(now, sets)
		if err != nil {
			return nil, fmt.Errorf("generation %d: %w", g.number, err)
		}
		s.Generations = append(s.Generations, saved)
		for _, slot := range g.slots {
			if slot.worker != nil {
				kept[slot.worker.index] = true
			}
		}
	}
	for _, set := range m.gone {
		s.Gone = append(s.Gone, sets.number(set))
	}
	for i, taken := range m.indexes {
		if taken && !kept[i] {
			s.Taken = append(s.Taken, i)
		}
	}
	s.Totals = m.registry.Export(func(id int) bool { return kept[id] })
	return s, nil
}

// setNumbers gives every set of sockets a number.
type setNumbers struct {
	state *saved
	sets  []*sock.Set
}

func (n *setNumbers) number(set *sock.Set) int {
	if i := slices.Index(n.sets, set); i >= 0 {
		return i
	}
	n.sets = append(n.sets, set)
	n.state.Sets = append(n.state.Sets, savedSet{set.Spec, set.Shared, set.Given, set.Bound, set.Note, set.Files})
	return len(n.sets) - 1
}

func (g *generation) save(now time.Time, sets *setNumbers) (savedGeneration, error) {
	text, err := g.config.Encode()
	if err != nil {
		return savedGeneration{}, err
	}
	s := savedGeneration{
		Number: g.number, Config: text, Watch: g.config.Watch, SealedFD: g.sealed, Checksum: g.checksum,
		Layout: g.layout, Fingerprint: g.layout.Fingerprint(), Notes: g.notes,
		Counts: [5]int{g.finished, g.moved, g.cut, g.killed, g.crashed}, Evicted: g.evicted,
	}
	for _, l := range g.listeners {
		s.Listeners = append(s.Listeners, savedListener{l.number, l.name, l.shared, sets.number(l.set)})
	}
	for _, slot := range g.slots {
		s.Slots = append(s.Slots, slot.save(now))
	}
	return s, nil
}

func (s *slot) save(now time.Time) savedSlot {
	saved := savedSlot{
		State: s.state.String(), Age: now.Sub(s.since), Limited: !s.deadline.IsZero(), Backoff: s.backoff,
		Restarts: s.restarts, LastExit: s.lastExit, ExitAt: s.exitAt,
	}
	if saved.Limited {
		saved.Left = s.deadline.Sub(now)
	}
	w := s.worker
	if w == nil {
		return saved
	}
	saved.Worker = &savedWorker{
		PID: w.proc.pid(), Index: w.index, Version: w.version, LinkFD: w.handles.link, CellFD: w.handles.cell, PipeFD: w.handles.pipe,
		Silent: w.silent, Left: w.left, Killed: w.killed, Foreign: w.foreign, Accepts: w.accepts, ReadyIn: w.readyIn,
		Failure: w.failure, Verdict: w.verdict, Reason: w.reason, Heir: -1,
		Counts: [3]int{w.moved, w.finished, w.cut}, Degraded: w.degraded, Tail: w.tail.save(),
	}
	if w.heir != nil && w.heir.home.worker == w.heir {
		saved.Worker.Heir = w.heir.index
	}
	for _, o := range w.outbox {
		saved.Worker.Outbox = append(saved.Worker.Outbox, savedFrame{o.frame, o.fds})
	}
	return saved
}

func (t *tail) save() savedTail {
	t.mu.Lock()
	defer t.mu.Unlock()
	return savedTail{slices.Clone(t.first), slices.Clone(t.last), t.most, t.skipped}
}
