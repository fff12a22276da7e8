package master

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"srvctl/conf"
)

// Status is what a server says of itself: the answer to the status verb and
// the admin page /status.
type Status struct {
	State         string  `json:"state"` // starting, serving, stopping, gone
	Ready         bool    `json:"ready"`
	Why           string  `json:"why,omitempty"` // why it is not ready
	PID           int     `json:"pid"`
	Version       string  `json:"version"`
	Generation    int     `json:"generation"`
	Started       string  `json:"started"` // RFC 3339
	UptimeSeconds float64 `json:"uptime_seconds"`
	Config        string  `json:"config"`           // file, or "embedded default"
	Scaled        int     `json:"scaled,omitempty"` // workers by `srvctl scale`, until the file's number changes
	Socket        string  `json:"socket"`
	PIDFile       string  `json:"pid_file"`
	Admin         string  `json:"admin"` // address, "" = off
	User          string  `json:"user"`  // of the workers, "" = as the master
	Connections   int64   `json:"connections"`

	Reload     *ReloadStatus `json:"reload,omitempty"` // under way
	LastReload *LastReload   `json:"last_reload,omitempty"`

	Listeners []ListenerStatus `json:"listeners"`
	Workers   []WorkerStatus   `json:"workers"`
	Degraded  []Degraded       `json:"degraded"`
}

// ListenerStatus is one listener.
type ListenerStatus struct {
	Name    string `json:"name"`
	Address string `json:"address"` // as configured
	Bound   string `json:"bound"`   // as it is: port 0 is resolved
	Shared  bool   `json:"shared"`
	Note    string `json:"note,omitempty"`
}

// ReloadStatus is a reload under way.
type ReloadStatus struct {
	Stage string `json:"stage"` // loading, waiting, preparing, undoing, rolling
	Since string `json:"since"` // RFC 3339
}

// WorkerStatus is one slot and its worker process.
type WorkerStatus struct {
	Slot          int     `json:"slot"`
	Generation    int     `json:"generation"`
	PID           int     `json:"pid"` // 0: no process at the moment
	Version       string  `json:"version,omitempty"`
	State         string  `json:"state"`
	UptimeSeconds float64 `json:"uptime_seconds"` // in this state
	Connections   int64   `json:"connections"`
	InFlight      int64   `json:"requests_in_flight"`
	Requests      uint64  `json:"requests"`
	MemoryBytes   int64   `json:"memory_bytes"`
	Accepts       []int   `json:"accepts"`             // slots whose sockets it accepts from
	BeatMS        int64   `json:"last_beat_ms"`        // ago; -1: none yet
	LagMS         float64 `json:"loop_lag_ms"`         // greatest of the last 15 to 30 s
	Restarts      int     `json:"restarts"`            // of the slot
	LastExit      string  `json:"last_exit,omitempty"` // how the slot's last worker ended
	LastExitAt    string  `json:"last_exit_at,omitempty"`
	RestartInMS   int64   `json:"restart_in_ms,omitempty"`
}

// Degraded is something that is not as configured, and why.
type Degraded struct {
	Slot int    `json:"slot"` // -1: the whole server
	Key  string `json:"key,omitempty"`
	Text string `json:"text"`
}

// statusRequest asks the loop for a Status.
type statusRequest struct{ answer chan<- Status }

func (e statusRequest) apply(m *master, now time.Time) { e.answer <- m.status(now) }

// askStatus returns the whole status, false when the loop has ended or does
// not answer within the limit.
func (m *master) askStatus(limit time.Duration) (Status, bool) {
	st, ok := m.ask(limit)
	st.readMemory()
	return st, ok
}

// ask returns what the loop itself knows.
func (m *master) ask(limit time.Duration) (Status, bool) {
	answer := make(chan Status, 1)
	return inquire(m, limit, statusRequest{answer}, answer)
}

// configRequest asks the loop for the generation in force, of which only what
// never changes may be read.
type configRequest struct{ answer chan<- inForce }

type inForce struct {
	number int
	config *conf.Config
}

func (e configRequest) apply(m *master, now time.Time) {
	c := m.gen.config
	if m.scaled.workers > 0 { // what a reload compares the file with
		asked := *c
		asked.Workers = m.scaled.file
		c = &asked
	}
	e.answer <- inForce{m.gen.number, c}
}

func (m *master) askConfig(limit time.Duration) (inForce, bool) {
	answer := make(chan inForce, 1)
	return inquire(m, limit, configRequest{answer}, answer)
}

// inquire posts a request and waits for its answer, false when the loop has
// ended or does not answer within the limit.
func inquire[T any](m *master, limit time.Duration, request event, answer <-chan T) (nothing T, ok bool) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case m.events <- request:
	case <-m.donec:
		return nothing, false
	case <-timer.C:
		return nothing, false
	}
	select {
	case a := <-answer:
		return a, true
	case <-m.donec:
		return nothing, false
	case <-timer.C:
		return nothing, false
	}
}

// status runs on the loop: it copies what the loop owns and reads no file.
func (m *master) status(now time.Time) Status {
	r := m.public.Load()
	st := Status{
		State: m.phase.String(), Ready: r.Ready, Why: r.Why,
		PID: os.Getpid(), Version: m.opts.Version, Generation: m.gen.number,
		Started: m.began.Format(time.RFC3339), UptimeSeconds: seconds(now.Sub(m.began)),
		Config: configName(m.gen.config), Socket: m.paths.Socket, PIDFile: m.paths.PID, Admin: m.admin.address(),
		Connections: m.host.Connections(), LastReload: m.last, Scaled: m.scaled.workers,
		Listeners: []ListenerStatus{}, Workers: []WorkerStatus{}, Degraded: []Degraded{},
	}
	if u := m.gen.user; u != nil {
		st.User = u.name
	}
	if r := m.reload; r != nil {
		st.Reload = &ReloadStatus{r.stage.String(), r.began.Format(time.RFC3339Nano)}
	}
	for _, l := range m.gen.listeners {
		st.Listeners = append(st.Listeners, ListenerStatus{l.name, l.set.Spec.Address, l.set.Bound, l.shared, l.set.Note})
	}
	for _, note := range slices.Concat(m.notes, m.gen.notes) {
		st.Degraded = append(st.Degraded, Degraded{Slot: -1, Text: note})
	}
	clock := monotonic()
	for s := range m.slots() {
		if s.gen != m.gen && s.state == slotVacant {
			continue
		}
		st.Workers = append(st.Workers, s.status(now, clock))
		if s.gen == m.gen {
			st.Degraded = append(st.Degraded, s.complaints(now, m.phase)...)
		}
		st.Degraded = append(st.Degraded, s.silence(clock, s.gen.config.Heartbeat.Timeout)...)
	}
	return st
}

// silence says that a serving worker's loop has not turned for too long.
func (s *slot) silence(clock int64, limit time.Duration) []Degraded {
	if s.state != slotServing || s.worker == nil {
		return nil
	}
	beat := s.worker.cell.View().Beat
	silent := time.Duration(clock - beat).Round(100 * time.Millisecond)
	if beat == 0 || silent <= limit {
		return nil
	}
	return []Degraded{{Slot: s.number, Key: "heartbeat", Text: fmt.Sprintf(
		"no heartbeat for %v (heartbeat.timeout is %v): pid %d is looked at, the log says what is done", silent, limit, s.worker.proc.pid())}}
}

func (s *slot) status(now time.Time, clock int64) WorkerStatus {
	st := WorkerStatus{
		Slot: s.number, Generation: s.gen.number, State: s.state.String(), UptimeSeconds: seconds(now.Sub(s.since)),
		BeatMS: -1, Restarts: s.restarts, LastExit: s.lastExit, Accepts: []int{},
	}
	if !s.exitAt.IsZero() {
		st.LastExitAt = s.exitAt.Format(time.RFC3339Nano)
	}
	if s.state == slotWaiting {
		st.RestartInMS = s.deadline.Sub(now).Milliseconds()
	}
	if w := s.worker; w != nil {
		v := w.cell.View()
		st.PID, st.Version, st.Accepts = w.proc.pid(), w.version, append(st.Accepts, w.accepts...)
		st.Connections, st.InFlight, st.Requests = v.Connections(), v.InFlight, v.Requests
		st.LagMS = float64(v.Lag/1e3) / 1e3
		if v.Beat > 0 {
			st.BeatMS = max(0, clock-v.Beat) / 1e6
		}
	}
	return st
}

// complaints says what is wrong with a slot.
func (s *slot) complaints(now time.Time, p phase) []Degraded {
	var list []Degraded
	if p == phaseServing && s.state != slotServing {
		text := fmt.Sprintf("worker is %v", s.state)
		if s.state == slotWaiting {
			text += fmt.Sprintf(", restart in %v", s.deadline.Sub(now).Round(time.Millisecond))
		}
		if s.lastExit != "" {
			text += "; the last one: " + s.lastExit
		}
		list = append(list, Degraded{Slot: s.number, Key: "worker", Text: text})
	}
	if s.worker != nil {
		for _, key := range slices.Sorted(maps.Keys(s.worker.degraded)) {
			list = append(list, Degraded{Slot: s.number, Key: key, Text: s.worker.degraded[key]})
		}
	}
	return list
}

func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1e3 }

// readMemory adds what only /proc knows, and so runs beside the loop. A worker
// that has ended meanwhile has no memory.
func (st *Status) readMemory() {
	page := int64(os.Getpagesize())
	for i := range st.Workers {
		w := &st.Workers[i]
		if w.PID == 0 {
			continue
		}
		raw, err := os.ReadFile("/proc/" + strconv.Itoa(w.PID) + "/statm")
		if fields := bytes.Fields(raw); err == nil && len(fields) > 1 {
			n, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			w.MemoryBytes = n * page
		}
	}
}

// monotonic reads the clock that the workers' beats are stamped with.
func monotonic() int64 {
	const clockMonotonic = 1
	var ts syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}
