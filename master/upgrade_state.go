package master

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"

	"srvctl/conf"
	"srvctl/shared/limit"
	"srvctl/shared/metrics"
	"srvctl/shared/sock"
)

// stateFormat is the form of a saved state. An image that knows another one
// refuses it while it rehearses, and so cannot take the place of this one.
// Whoever changes the meaning of a field, or takes one away, counts up.
const stateFormat = 1

// saved is everything that an image of this program leaves to the one that
// takes its place in the same process. What it holds of the system are numbers
// of descriptors that stay open. Times are told by the distance from Clock.
type saved struct {
	Version string `json:"version"` // of the program that wrote it
	PID     int    `json:"pid"`
	Control int    `json:"control"`   // version of the frames that its workers speak
	Host    int    `json:"host_size"` // of the memory shared by the workers
	Clock   int64  `json:"clock"`     // monotonic, when it was written

	Path      string      `json:"path"` // where the program is started from
	File      string      `json:"file"` // of the configuration
	Instance  string      `json:"instance"`
	Began     time.Time   `json:"began"`
	Paths     Paths       `json:"paths"`
	DaemonLog string      `json:"daemon_log"`
	Notes     []string    `json:"notes"`
	Last      *LastReload `json:"last_reload"`
	Scaled    [2]int      `json:"scaled"` // of scaling: workers, file
	Reopens   int         `json:"reopens"`

	LockFD   int `json:"lock_fd"`
	SocketFD int `json:"socket_fd"`
	HostFD   int `json:"host_fd"`

	Admin       *savedAdmin       `json:"admin"` // nil: off
	Sets        []savedSet        `json:"sets"`
	Gone        []int             `json:"gone"`        // of Sets
	Generations []savedGeneration `json:"generations"` // the last is in force
	Taken       []int             `json:"taken"`       // process numbers that belong to no slot
	Operators   []savedOperator   `json:"operators"`
	Signals     []int             `json:"signals"` // that came and were not heeded
	Reload      bool              `json:"reload"`  // one is wanted
	Why         string            `json:"why"`     // somebody asked for the upgrade
	Totals      metrics.Totals    `json:"totals"`
}

type savedAdmin struct {
	Address string `json:"address"` // as configured
	FD      int    `json:"fd"`
}

// savedSet is the sockets of one address.
type savedSet struct {
	Spec   sock.Spec `json:"spec"`
	Shared bool      `json:"shared"`
	Given  bool      `json:"given"`
	Bound  string    `json:"bound"`
	Note   string    `json:"note"`
	FDs    []int     `json:"fds"` // none: it is closed
}

type savedListener struct {
	Number int    `json:"number"`
	Name   string `json:"name"`
	Shared bool   `json:"shared"`
	Set    int    `json:"set"` // of saved.Sets
}

type savedGeneration struct {
	Number      int             `json:"number"`
	Config      json.RawMessage `json:"config"` // as conf.Decode reads it
	Watch       []conf.Watched  `json:"watch"`
	SealedFD    int             `json:"sealed_fd"` // -1: no more workers are started
	Checksum    uint64          `json:"checksum"`
	Layout      metrics.Layout  `json:"layout"`
	Fingerprint uint64          `json:"fingerprint"` // of the layout
	Notes       []string        `json:"notes"`
	Counts      [5]int          `json:"counts"` // finished, moved, cut, killed, crashed
	Evicted     bool            `json:"evicted"`
	Listeners   []savedListener `json:"listeners"`
	Slots       []savedSlot     `json:"slots"`
}

type savedSlot struct {
	State    string        `json:"state"`
	Age      time.Duration `json:"age"`
	Left     time.Duration `json:"left"` // until the deadline; meaningless without one
	Limited  bool          `json:"limited"`
	Backoff  time.Duration `json:"backoff"`
	Restarts int           `json:"restarts"`
	LastExit string        `json:"last_exit"`
	ExitAt   time.Time     `json:"exit_at"`
	Worker   *savedWorker  `json:"worker"`
}

type savedWorker struct {
	PID      int               `json:"pid"`
	Index    int               `json:"index"`
	Version  string            `json:"version"`
	LinkFD   int               `json:"link_fd"`
	CellFD   int               `json:"cell_fd"`
	PipeFD   int               `json:"pipe_fd"` // -1: it has closed it
	Outbox   []savedFrame      `json:"outbox"`
	Silent   bool              `json:"silent"`
	Left     bool              `json:"left"`
	Killed   bool              `json:"killed"`
	Foreign  bool              `json:"foreign"`
	Accepts  []int             `json:"accepts"`
	ReadyIn  time.Duration     `json:"ready_in"`
	Failure  string            `json:"failure"`
	Verdict  string            `json:"verdict"`
	Reason   string            `json:"reason"`
	Heir     int               `json:"heir"`   // its Index, -1: none
	Counts   [3]int            `json:"counts"` // moved, finished, cut
	Degraded map[string]string `json:"degraded"`
	Tail     savedTail         `json:"tail"`
}

type savedFrame struct {
	Frame []byte `json:"frame"`
	FDs   []int  `json:"fds"`
}

type savedTail struct {
	First   []string `json:"first"`
	Last    []string `json:"last"`
	Most    int      `json:"most"`
	Skipped int      `json:"skipped"`
}

// savedOperator is a connection to the operators' socket.
type savedOperator struct {
	FD     int    `json:"fd"`
	Unread []byte `json:"unread"` // what came and was not answered
	Asked  bool   `json:"asked"`  // for this upgrade, and waits for its end
}

// stateEnvelope is what is looked at first.
type stateEnvelope struct {
	Format int             `json:"format"`
	State  json.RawMessage `json:"state"`
}

// encode makes what decodeState reads.
func (s *saved) encode() ([]byte, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write the state down: %w", err)
	}
	return json.Marshal(stateEnvelope{stateFormat, raw})
}

// A FormatError is the error of a state in another form than this program's.
type FormatError struct{ Format int }

func (e *FormatError) Error() string {
	return fmt.Sprintf("the running server's state has format %d, this version reads %d: use `srvctl stop` and `srvctl start`", e.Format, stateFormat)
}

// decodeState reads a state and checks all of it that can be checked without
// asking the system.
func decodeState(data []byte) (*saved, error) {
	var e stateEnvelope
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("the running server's state cannot be read: %w", err)
	}
	if e.Format != stateFormat {
		return nil, &FormatError{e.Format}
	}
	s := new(saved)
	d := json.NewDecoder(bytes.NewReader(e.State))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("the running server's state cannot be read: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("the running server's state cannot be read: something follows it")
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("the running server's state is wrong: %w", err)
	}
	return s, nil
}

// check finds contradictions.
func (s *saved) check() error {
	if len(s.Generations) == 0 {
		return errors.New("no generation")
	}
	if s.Generations[len(s.Generations)-1].SealedFD < 0 {
		return errors.New("the generation in force has no configuration")
	}
	seen := make(map[int]bool)
	for _, fd := range s.descriptors() {
		if fd < 3 || seen[fd] {
			return fmt.Errorf("descriptor %d", fd)
		}
		seen[fd] = true
	}
	indexes := make(map[int]bool)
	for _, n := range s.Taken {
		if n < 0 || n >= limit.MaxProcesses || indexes[n] {
			return fmt.Errorf("process number %d", n)
		}
		indexes[n] = true
	}
	for _, n := range s.Gone {
		if n < 0 || n >= len(s.Sets) {
			return fmt.Errorf("address %d of %d", n, len(s.Sets))
		}
	}
	pids := make(map[int]bool)
	last := 0
	for i := range s.Generations {
		g := &s.Generations[i]
		if g.Number <= last || len(g.Slots) == 0 || len(g.Slots) > limit.MaxProcesses {
			return fmt.Errorf("generation %d with %d slots after %d", g.Number, len(g.Slots), last)
		}
		last = g.Number
		if err := g.check(len(s.Sets), pids, indexes); err != nil {
			return fmt.Errorf("generation %d: %w", g.Number, err)
		}
	}
	return nil
}

func (g *savedGeneration) check(sets int, pids, indexes map[int]bool) error {
	for _, l := range g.Listeners {
		if l.Set < 0 || l.Set >= sets {
			return fmt.Errorf("listener %s has address %d of %d", l.Name, l.Set, sets)
		}
	}
	for i := range g.Slots {
		s := &g.Slots[i]
		state, ok := stateNamed(s.State)
		if !ok || state == slotForking || state.hasProcess() != (s.Worker != nil) {
			return fmt.Errorf("slot %d is %q", i, s.State)
		}
		w := s.Worker
		if w == nil {
			continue
		}
		if w.PID <= 1 || pids[w.PID] {
			return fmt.Errorf("slot %d: pid %d", i, w.PID)
		}
		if w.Index < 0 || w.Index >= limit.MaxProcesses || indexes[w.Index] {
			return fmt.Errorf("slot %d: process number %d", i, w.Index)
		}
		if len(w.Outbox) > maxOutbox || len(w.Tail.First)+len(w.Tail.Last) > 2*tailAll {
			return fmt.Errorf("slot %d: too much waits for it", i)
		}
		pids[w.PID], indexes[w.Index] = true, true
	}
	return nil
}

func stateNamed(name string) (slotState, bool) {
	i := slices.Index(slotNames[:], name)
	return slotState(max(i, 0)), i >= 0
}

// descriptors are all that the state names.
func (s *saved) descriptors() []int {
	fds := []int{s.LockFD, s.SocketFD, s.HostFD}
	if s.Admin != nil {
		fds = append(fds, s.Admin.FD)
	}
	fds = append(fds, s.sockets()...)
	for i := range s.Generations {
		g := &s.Generations[i]
		if g.SealedFD >= 0 {
			fds = append(fds, g.SealedFD)
		}
		for _, slot := range g.Slots {
			if slot.Worker != nil {
				fds = append(fds, slot.Worker.descriptors()...)
			}
		}
	}
	return fds
}

// sockets are the descriptors that must be sockets, but for workers' links.
func (s *saved) sockets() (fds []int) {
	for _, set := range s.Sets {
		fds = append(fds, set.FDs...)
	}
	for _, op := range s.Operators {
		fds = append(fds, op.FD)
	}
	return fds
}

func (w *savedWorker) descriptors() []int {
	fds := []int{w.LinkFD, w.CellFD}
	if w.PipeFD >= 0 {
		fds = append(fds, w.PipeFD)
	}
	for _, f := range w.Outbox {
		fds = append(fds, f.FDs...)
	}
	return fds
}

// present asks the system for every descriptor, before anything is done with
// one of them.
func (s *saved) present() error {
	var st syscall.Stat_t
	for _, fd := range s.descriptors() {
		if err := syscall.Fstat(fd, &st); err != nil {
			return fmt.Errorf("descriptor %d was not handed over: %w", fd, err)
		}
	}
	for _, fd := range append(s.sockets(), s.SocketFD) {
		if _, ok := identifySocket(fd); !ok {
			return fmt.Errorf("descriptor %d is not a socket", fd)
		}
	}
	return nil
}

// readable says why this program cannot go on with what it was given, although
// it can read it: the memory that it shares with workers has another form.
func (s *saved) readable() error {
	const instead = "use `srvctl stop` and `srvctl start`"
	if s.Host != limit.Size() {
		return fmt.Errorf("the running workers count connections in another form: %s", instead)
	}
	for i := range s.Generations {
		g := &s.Generations[i]
		if g.Layout.Fingerprint() != g.Fingerprint {
			return fmt.Errorf("the running workers of generation %d have counters in another form: %s", g.Number, instead)
		}
		if _, err := conf.Decode(g.Config); err != nil {
			return fmt.Errorf("the running configuration (generation %d): %w: %s", g.Number, err, instead)
		}
	}
	return metrics.NewRegistry("").Import(s.Totals)
}
