package master

import (
	"fmt"
	"strings"
	"time"

	"srvctl/conf"
	"srvctl/shared/metrics"
)

// Results of a reload, the labels of srvctl_reloads_total.
const (
	reloadOK     = metrics.ReloadSucceeded
	reloadFailed = metrics.ReloadFailed
)

// ReloadReport is what `srvctl reload --json` prints.
type ReloadReport struct {
	Generation int              `json:"generation"` // that serves now
	Result     string           `json:"result"`     // ok, failed
	Error      string           `json:"error"`
	Problems   []string         `json:"problems"` // of the configuration
	Changes    []string         `json:"changes"`
	Workers    []ReloadedWorker `json:"workers"`
	TookMS     int64            `json:"took_ms"`
}

// ReloadedWorker is what a reload did to a slot. PID is 0 for a slot that is
// scaled away, OldPID for a new one.
type ReloadedWorker struct {
	Slot           int    `json:"slot"`
	PID            int    `json:"pid"`
	ReadyMS        int64  `json:"ready_ms"`
	OldPID         int    `json:"old_pid"`
	OldConnections int64  `json:"old_connections"` // when it began to drain
	Moved          int    `json:"moved"`           // of those, that a new worker serves
	Finished       int    `json:"finished"`        // the same, with --wait
	Cut            int    `json:"cut"`
	Error          string `json:"error,omitempty"` // why the new worker does not serve yet
}

// LastReload is the part of a status that outlives a reload.
type LastReload struct {
	Result     string `json:"result"`
	At         string `json:"at"` // RFC 3339
	Generation int    `json:"generation"`
	Error      string `json:"error,omitempty"`
	TookMS     int64  `json:"took_ms"`
}

// reportAnswer carries a report.
func reportAnswer(r ReloadReport) Answer {
	for _, list := range []*[]string{&r.Problems, &r.Changes} {
		if *list == nil {
			*list = []string{}
		}
	}
	if r.Workers == nil {
		r.Workers = []ReloadedWorker{}
	}
	a, err := result(r)
	if err != nil {
		return Answer{Event: EventProgress, Text: err.Error()}
	}
	return a
}

// maxChanges bounds the changes that are told; config diff tells all.
const maxChanges = 50

// describe notes what the new configuration changes, and what it cannot.
func (r *reload) describe(changes []conf.Change) {
	for i, c := range changes {
		if i == maxChanges {
			r.report.Changes = append(r.report.Changes, fmt.Sprintf("and %d more", len(changes)-maxChanges))
			return
		}
		r.report.Changes = append(r.report.Changes, c.String())
	}
}

// changed tells that a slot has changed over: came is the slot of the
// generation in force, left the one whose worker drains now. Either may be nil.
func (r *reload) changed(came, left *slot) {
	var line ReloadedWorker
	var parts []string
	if came != nil {
		line.Slot = came.number
		if w := came.worker; w != nil && came.state == slotServing {
			line.PID, line.ReadyMS = w.proc.pid(), w.readyIn.Milliseconds()
			parts = append(parts, fmt.Sprintf("pid %d serves, generation %d (ready in %v)", line.PID, came.gen.number, w.readyIn.Round(time.Millisecond)))
		} else {
			line.Error = or(came.lastExit, "it does not serve yet")
			parts = append(parts, "the new worker is restarted: "+line.Error)
		}
	}
	if left != nil && left.worker != nil {
		line.Slot = left.number
		line.OldPID, line.OldConnections = left.worker.proc.pid(), left.worker.cell.View().Connections()
		parts = append(parts, fmt.Sprintf("pid %d drains %s", line.OldPID, plural(int(line.OldConnections), "connection")))
	}
	if len(parts) == 0 {
		return
	}
	r.report.Workers = append(r.report.Workers, line)
	r.tell(fmt.Sprintf("slot %d: %s", line.Slot, strings.Join(parts, "; ")))
}

// moved returns how many connections have changed the worker.
func (r *ReloadReport) moved() (n int) {
	for i := range r.Workers {
		n += r.Workers[i].Moved
	}
	return n
}

// summary is the last line for people.
func (r *reload) summary(m *master) string {
	text := fmt.Sprintf("generation %d serves: %s, %dms", m.gen.number, plural(len(m.gen.slots), "worker"), r.report.TookMS)
	if n := r.report.moved(); n > 0 {
		text += fmt.Sprintf(", %s moved", plural(n, "connection"))
	}
	if len(r.report.Changes) > 0 {
		text += "; changed: " + strings.Join(r.report.Changes, ", ")
	}
	return text
}

// drained notes what became of the connections of an old worker.
func (r *ReloadReport) drained(w *worker) {
	for i := range r.Workers {
		if line := &r.Workers[i]; line.OldPID == w.proc.pid() {
			line.Finished, line.Moved, line.Cut = w.finished, w.moved, w.cut
		}
	}
}
