package chaos

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"srvctl/tests/harness"
)

// backWithin is the promise for a worker that dies: replaced within a second,
// and after a crash of the one before, within that and the pause.
const backWithin = time.Second

// kill ends a worker that stands still, so that what it held is known exactly.
func (r *run) kill(sig syscall.Signal) {
	r.Helper()
	w := r.pick()
	log := r.s.Logged()
	mine := r.catch(w.PID)
	began := time.Now()
	send(r, w.PID, sig)
	if sig != syscall.SIGKILL {
		send(r, w.PID, syscall.SIGCONT)
	}
	what := fmt.Sprintf("%v of slot %d", sig, w.Slot)
	r.replaced(what, w, log, began)
	name := map[syscall.Signal]string{syscall.SIGKILL: "SIGKILL", syscall.SIGSEGV: "SIGSEGV"}[sig]
	r.s.AwaitLog(log, fmt.Sprintf(`"msg":"worker ended unexpectedly".*"pid":%d,"exit":"[^"]*%s`, w.PID, name))
	if now := r.slot(w.Slot); !strings.Contains(now.LastExit, name) {
		r.Errorf("%s: the status says the last exit was %q, want the signal's name", what, now.LastExit)
	}
	r.calm(what)
	r.onlyBy(what, mine...)
}

// killAll ends all workers at once: nobody is refused meanwhile, whoever connects
// waits until the first is back.
func (r *run) killAll() {
	r.Helper()
	const what = "SIGKILL of all workers"
	log := r.s.Logged()
	st := r.s.Status()
	workers, all := st.In("serving"), r.catch(st.PIDs("serving")...)
	began := time.Now()
	for _, w := range workers {
		send(r, w.PID, syscall.SIGKILL)
	}
	for _, w := range workers {
		r.replaced(what, w, log, began)
	}
	r.calm(what)
	r.onlyBy(what, all...)
}

// catch stops workers, for whoever kills them then, and returns what they hold.
// The master would continue them after heartbeat.timeout: on a machine that
// makes this take too long, it is done again.
func (r *run) catch(pids ...int) (list []held) {
	r.Helper()
	for range 10 {
		began := time.Now()
		list = nil
		for _, pid := range pids {
			freeze(r, pid)
		}
		for _, pid := range pids {
			list = append(list, whatHolds(r, pid, r.s.Addr("http")))
		}
		if time.Since(began) < hungAfter()/2 {
			return list
		}
	}
	r.Fatalf("processes %v cannot be stopped and looked at within half of heartbeat.timeout", pids)
	return nil
}

// slot returns what serves in a slot, or waits there.
func (r *run) slot(n int) harness.WorkerStatus {
	r.Helper()
	for _, w := range r.s.Status().Workers {
		if w.Slot == n && w.State != "draining" {
			return w
		}
	}
	r.Fatalf("the status has no slot %d", n)
	return harness.WorkerStatus{}
}

// replaced wants that another process serves in the slot in time.
func (r *run) replaced(what string, was harness.WorkerStatus, log int, began time.Time) {
	r.Helper()
	r.s.AwaitLog(log, fmt.Sprintf(`"msg":"worker is restarted".*"slot":%d`, was.Slot))
	pause := r.pauses(r.s.Stderr()[log:], was.Slot)[0]
	if pause > longestPause {
		r.Errorf("%s: the pause before the restart: %v, want at most %v", what, pause, longestPause)
	}
	allowed := stretch(backWithin) + pause
	var now harness.WorkerStatus
	if !harness.Poll(patience+pause, func() bool {
		now = r.slot(was.Slot)
		return now.State == "serving" && now.PID != was.PID
	}) {
		r.Fatalf("%s: not replaced: %+v", what, now)
	}
	took := time.Since(began)
	if took > allowed {
		r.Errorf("%s: replaced after %v, want %v and the pause of %v (on this machine now %v)", what, took, backWithin, pause, allowed)
	}
	r.Logf("%s: replaced after %v, with a pause of %v", what, took.Round(time.Millisecond), pause)
}
