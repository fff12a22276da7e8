package harness

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// Status is what the server says of itself, as far as tests look at it.
type Status struct {
	State       string
	Ready       bool
	Why         string
	PID         int
	Generation  int
	Connections int
	Listeners   []ListenerStatus
	Workers     []WorkerStatus
	Degraded    []Degraded
	Reload      *struct{ Stage string }
	LastReload  *struct {
		Result, Error string
		Generation    int
	} `json:"last_reload"`
}

// ListenerStatus is one listener.
type ListenerStatus struct {
	Name, Address, Bound, Note string
	Shared                     bool
}

// WorkerStatus is one process, or a slot that waits for one (PID 0).
type WorkerStatus struct {
	Slot, Generation, PID           int
	State                           string
	Connections, Requests, Restarts int
	InFlight                        int   `json:"requests_in_flight"`
	MemoryBytes                     int64 `json:"memory_bytes"`
	Accepts                         []int
	BeatMS                          int64  `json:"last_beat_ms"`
	LastExit                        string `json:"last_exit"`
	RestartInMS                     int64  `json:"restart_in_ms"`
}

// Degraded is something that is not as configured; Slot is -1 for the server.
type Degraded struct {
	Slot      int
	Key, Text string
}

// In returns the workers in a state, in the server's order.
func (st Status) In(state string) (list []WorkerStatus) {
	for _, w := range st.Workers {
		if w.State == state {
			list = append(list, w)
		}
	}
	return list
}

// PIDs returns the processes of all workers in a state.
func (st Status) PIDs(state string) (list []int) {
	for _, w := range st.In(state) {
		list = append(list, w.PID)
	}
	return list
}

// Complaints is what is degraded, as one text.
func (st Status) Complaints() string {
	var b strings.Builder
	for _, d := range st.Degraded {
		fmt.Fprintf(&b, "slot %d: %s: %s\n", d.Slot, d.Key, d.Text)
	}
	return b.String()
}

// statusWithin bounds one answer of the operators' socket.
const statusWithin = 10 * time.Second

// AskStatus asks the operators' socket, from any goroutine.
func (s *Server) AskStatus() (st Status, err error) {
	c, err := net.DialTimeout("unix", s.Socket, statusWithin)
	if err != nil {
		return st, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(statusWithin)); err != nil {
		return st, err
	}
	if _, err := io.WriteString(c, "{\"verb\":\"status\"}\n"); err != nil {
		return st, err
	}
	for dec := json.NewDecoder(c); ; {
		var line struct {
			Event, Error string
			Data         json.RawMessage
		}
		if err := dec.Decode(&line); err != nil {
			return st, fmt.Errorf("status: %w", err)
		}
		switch line.Event {
		case "result":
			return st, json.Unmarshal(line.Data, &st)
		case "end":
			return st, fmt.Errorf("status: %s", line.Error)
		}
	}
}

// Status is what the server says of itself now.
func (s *Server) Status() Status {
	s.t.Helper()
	st, err := s.AskStatus()
	if err != nil {
		s.t.Fatal(err)
	}
	return st
}

// AwaitStatus asks until the answer is as wanted.
func (s *Server) AwaitStatus(what string, yes func(Status) bool) Status {
	s.t.Helper()
	var st Status
	if !Poll(readyWithin, func() bool { st = s.Status(); return yes(st) }) {
		s.t.Fatalf("%s: not within %v; the status is %+v", what, readyWithin, st)
	}
	return st
}

// Reloaded is what "srvctl reload --json" prints.
type Reloaded struct {
	Generation    int
	Result, Error string
	Problems      []any
	Changes       []string
	TookMS        float64 `json:"took_ms"`
	Workers       []struct {
		Slot, PID      int
		ReadyMS        float64 `json:"ready_ms"`
		OldPID         int     `json:"old_pid"`
		OldConnections int     `json:"old_connections"`
		Moved          int
		Finished, Cut  int
	}
}

// Reload runs "srvctl reload ARGS...".
func (s *Server) Reload(args ...string) Result {
	s.t.Helper()
	return s.Srvctl("reload", args...)
}

// ReloadJSON runs "srvctl reload --json ARGS..." and returns what it printed
// and its exit code.
func (s *Server) ReloadJSON(args ...string) (Reloaded, int) {
	s.t.Helper()
	r := s.Reload(append([]string{"--json"}, args...)...)
	var done Reloaded
	if err := json.Unmarshal([]byte(r.Stdout), &done); err != nil {
		s.t.Fatalf("srvctl reload --json: exit %d, %v in %q; stderr %q", r.Code, err, r.Stdout, r.Stderr)
	}
	return done, r.Code
}
