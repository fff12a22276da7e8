package chaos

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"srvctl/tests/harness"
)

// stop stops a worker as somebody might by mistake: it is continued after
// heartbeat.timeout, and nothing is lost.
func (r *run) stop() {
	r.Helper()
	before, w := r.s.Status(), r.pick()
	what := fmt.Sprintf("SIGSTOP of slot %d", w.Slot)
	log := r.s.Logged()
	began := time.Now()
	freeze(r, w.PID)
	r.s.AwaitLog(log, fmt.Sprintf(`"msg":"worker was stopped and is continued".*"pid":%d`, w.PID))
	r.Logf("%s: continued after %v", what, time.Since(began).Round(time.Millisecond))
	r.calm(what)
	r.unchanged(what, before)
	r.noFailures(what)
}

// stopAgain stops a worker each time it is continued, which ends with another
// one in its place.
func (r *run) stopAgain() {
	r.Helper()
	w := r.pick()
	what := fmt.Sprintf("SIGSTOP of slot %d again and again", w.Slot)
	start := r.s.Logged()
	continued := fmt.Sprintf(`"msg":"worker was stopped and is continued".*"pid":%d`, w.PID)
	ended := fmt.Sprintf(`"msg":"worker is ended".*"pid":%d,.*was stopped again`, w.PID)
	times := 0
	log := start
	for ; ; times++ {
		mine := r.catch(w.PID)
		r.s.AwaitLog(log, continued+"|"+ended)
		if strings.Contains(r.s.Stderr()[log:], "was stopped again") {
			r.replaced(what, w, log, time.Now())
			r.calm(what)
			r.onlyBy(what, mine...)
			break
		}
		r.awaitBeat(what, w.PID) // the line came first, then it was continued
		log = r.s.Logged()
	}
	r.Logf("%s: replaced after it was continued %d times", what, times)
	if times == 0 || times > 10 {
		r.Errorf("%s: it was continued %d times, want a few", what, times)
	}
}

// hang makes a worker that serves hang or spin: it is found by its silence,
// the log says what it was doing, and it is replaced.
func (r *run) hang(do, state string) {
	r.Helper()
	w := r.pick()
	what := fmt.Sprintf("slot %d: %s", w.Slot, do)
	log := r.s.Logged()
	r.s.Fault(fmt.Sprintf("generation=* slot=%d at=serving do=%s\n", w.Slot, do))
	r.awaitSilence(what, w.PID)
	r.s.Fault("")
	mine := whatHolds(r, w.PID, r.s.Addr("http"))
	r.load.awaitAnswers(r, 100) // by the others, if there are any
	r.s.AwaitLog(log, fmt.Sprintf(`"msg":"worker is ended".*"pid":%d,.*hung: no heartbeat for .*request.* in flight, .*state %s`, w.PID, state))
	r.replaced(what, w, log, time.Now())
	r.s.AwaitLog(log, fmt.Sprintf(`"msg":"worker ended unexpectedly".*"pid":%d,.*"output":".*goroutine`, w.PID))
	if now := r.slot(w.Slot); !strings.Contains(now.LastExit, "hung") {
		r.Errorf("%s: the status says the last exit was %q, want that it hung", what, now.LastExit)
	}
	r.calm(what)
	r.onlyBy(what, mine)
}

// silence is several intervals of the heartbeat, in milliseconds.
const silence = 300

// awaitSilence waits until the loop of a worker has stood still for a while.
func (r *run) awaitSilence(what string, pid int) {
	r.Helper()
	if !r.pollBeat(pid, func(ms int64) bool { return ms > silence }) {
		r.Fatalf("%s: its loop goes on", what)
	}
}

// awaitBeat waits until the loop of a worker turns.
func (r *run) awaitBeat(what string, pid int) {
	r.Helper()
	if !r.pollBeat(pid, func(ms int64) bool { return ms < silence }) {
		r.Fatalf("%s: its loop stands still", what)
	}
}

func (r *run) pollBeat(pid int, yes func(ms int64) bool) bool {
	r.Helper()
	return harness.Poll(patience, func() bool {
		for _, w := range r.s.Status().Workers {
			if w.PID == pid && yes(w.BeatMS) {
				return true
			}
		}
		return false
	})
}

// hangWhileDraining makes an old worker hang when it is told to drain: the
// reload is done without it, and it is ended.
func (r *run) hangWhileDraining() {
	r.Helper()
	w := r.pick()
	to := r.next()
	do := []string{"hang", "spin"}[r.rng.IntN(2)]
	what := fmt.Sprintf("old worker of slot %d is told to drain: %s", w.Slot, do)
	log := r.s.Logged()
	r.s.Fault(fmt.Sprintf("generation=%d slot=%d at=drain do=%s\n", w.Generation, w.Slot, do))
	r.s.Configure(to.config())
	resultc := make(chan harness.Result, 1)
	go func() { resultc <- r.s.Reload() }()
	r.awaitSilence(what, w.PID)
	r.s.Fault("")
	mine := whatHolds(r, w.PID, r.s.Addr("http"))
	r.load.awaitAnswers(r, 100)
	r.s.AwaitLog(log, fmt.Sprintf(`"msg":"worker (is ended|did not end in time)".*"pid":%d,`, w.PID))
	if res := <-resultc; res.Code != 0 {
		r.Fatalf("%s: reload: exit %d, %s", what, res.Code, res.Stderr)
	}
	r.setup = to
	r.calm(what)
	r.onlyBy(what, mine)
}

// stopMaster stops the master for a while: workers serve on without it, and
// nobody is taken for hung when it comes back.
func (r *run) stopMaster() {
	r.Helper()
	const what = "SIGSTOP of the master"
	before := r.s.Status()
	r.metrics.without(func() {
		freeze(r, r.s.PID())
		r.load.awaitAnswers(r, 500)
		awaitTime(hungAfter() + time.Second)
		send(r, r.s.PID(), syscall.SIGCONT)
	})
	r.calm(what)
	r.unchanged(what, before)
	r.noFailures(what)
}

// awaitTime is for what must be seen not to happen.
func awaitTime(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}
