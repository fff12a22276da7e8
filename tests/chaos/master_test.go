package chaos

import (
	"errors"
	"syscall"
	"time"
)

// killMaster ends the master and starts another at once: it serves within a
// second, while the workers of the dead one finish what they have accepted.
func (r *run) killMaster() {
	r.Helper()
	const what = "SIGKILL of the master"
	r.metrics.without(func() {
		began := time.Now()
		rest := r.s.KillMaster()
		allowed := stretch(time.Second)
		r.s.Launch()
		r.s.AwaitReady()
		took := time.Since(began)
		r.Logf("%s: another one serves after %v", what, took.Round(time.Millisecond))
		if took > allowed {
			r.Errorf("%s: another one serves after %v, want %v (on this machine now %v)", what, took, time.Second, allowed)
		}
		r.onlyRefused(what, began)
		rest()
	})
	r.calm(what)
	r.noFailures(what)
}

// onlyRefused wants that no connection was lost, but such as found nobody there
// between two masters.
//
// The kernel has no way to close a queue only if it is empty. A client whose
// connection comes between the last look of the last worker and its close is
// reset, before anybody has accepted it. That takes microseconds, so it may meet
// one.
func (r *run) onlyRefused(what string, began time.Time) {
	r.Helper()
	const unlucky = 1
	refused, reset := 0, []failure{}
	for _, f := range r.load.take(r) {
		switch early := f.born.After(began) && f.answered == 0; {
		case f.port == 0: // it may have been begun a moment before
			refused++
		case early && errors.Is(f.err, syscall.ECONNRESET):
			reset = append(reset, f)
		default:
			r.Errorf("%s: %v: want it answered or refused", what, f)
		}
	}
	if len(reset) > unlucky {
		r.Errorf("%s: %d connections were reset, want %d at most: %v", what, len(reset), unlucky, reset)
	}
	r.Logf("%s: %d connections refused, %d reset", what, refused, len(reset))
}
