package chaos

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"srvctl/tests/harness"
)

// A worker that dies at every start costs the host one worker and nothing else:
// the pauses between the starts double, status and log say what is wrong, and
// once the reason is gone it is back.
func (r *run) failEveryStart(fault, said string) {
	r.Helper()
	w := r.pick()
	what := fmt.Sprintf("slot %d fails at every start (%s)", w.Slot, fault)
	log := r.s.Logged()
	r.s.Fault(fmt.Sprintf("generation=* slot=%d %s\n", w.Slot, fault))
	mine := r.catch(w.PID)
	send(r, w.PID, syscall.SIGKILL)

	const starts = 3
	if !harness.Poll(patience+starts*longestPause, func() bool {
		st, now := r.s.Status(), r.slot(w.Slot)
		return now.Restarts >= w.Restarts+starts && now.State == "waiting" && now.RestartInMS > 0 &&
			strings.Contains(now.LastExit, said) && strings.Contains(st.Complaints(), said)
	}) {
		r.Fatalf("%s: want it restarted %d times and told of; the status is %+v", what, starts, r.s.Status())
	}
	if others := r.s.Status().In("serving"); len(others) != r.setup.workers-1 {
		r.Errorf("%s: %d other workers serve, want %d", what, len(others), r.setup.workers-1)
	}
	if r.setup.workers > 1 {
		r.neighboursAccept(what)
	}
	r.s.Fault("")
	r.backAfterPause(what, w.Slot)
	r.pausesDouble(what, r.s.Stderr()[log:], w.Slot)
	r.calm(what)
	r.onlyBy(what, mine...)
}

// neighboursAccept wants that new connections are answered at once while a slot
// has no worker. Of so many, some come to its socket.
func (r *run) neighboursAccept(what string) {
	r.Helper()
	const connections = 40
	allowed := stretch(500 * time.Millisecond)
	began := time.Now()
	for range connections {
		r.wantVersion(what)
	}
	if took := time.Since(began); took > allowed {
		r.Errorf("%s: %d new connections took %v, want %v (on this machine now %v)", what, connections, took, 500*time.Millisecond, allowed)
	}
}

// backAfterPause waits for a slot for as long as its pause still is.
func (r *run) backAfterPause(what string, slot int) {
	r.Helper()
	pause := time.Duration(r.slot(slot).RestartInMS) * time.Millisecond
	if !harness.Poll(pause+patience, func() bool { return r.slot(slot).State == "serving" }) {
		r.Fatalf("%s: not back although nothing fails any more: %+v", what, r.slot(slot))
	}
}

// longestPause is what the master waits at most before it starts a worker again.
const longestPause = 10 * time.Second

var restarted = regexp.MustCompile(`"msg":"worker is restarted".*"slot":(\d+),"in":"([^"]+)"`)

// pauses returns those before the starts of a slot that the log tells of.
func (r *run) pauses(log string, slot int) (list []time.Duration) {
	r.Helper()
	for _, m := range restarted.FindAllStringSubmatch(log, -1) {
		pause, err := time.ParseDuration(m[2])
		must(r, err)
		if m[1] == strconv.Itoa(slot) {
			list = append(list, pause)
		}
	}
	return list
}

// pausesDouble wants each pause to be twice the one before.
func (r *run) pausesDouble(what, log string, slot int) {
	r.Helper()
	list := r.pauses(log, slot)
	for i := 1; i < len(list); i++ {
		if want := min(2*list[i-1], longestPause); list[i] != want {
			r.Errorf("%s: the pauses were %v, want each to be twice the one before", what, list)
		}
	}
}

// someStart is a failure that a worker may meet before it serves.
func (r *run) someStart() (fault, said string) {
	kinds := []struct{ fault, said string }{
		{"at=start do=exit", "fault: exit"},
		{"at=start do=panic", "panic: fault: panic"},
		{"at=prepare do=fail", "fault: fail"},
		{"at=ready do=segv", "fault"},
	}
	kind := kinds[r.rng.IntN(len(kinds))]
	return kind.fault, kind.said
}
