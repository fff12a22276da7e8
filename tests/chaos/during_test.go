package chaos

import (
	"syscall"
	"time"

	"srvctl/tests/harness"
)

// reloadWhile asks for a reload and, while it is under way, does something.
// What then is in force, the exit code tells.
func (r *run) reloadWhile(do func()) (code int) {
	r.Helper()
	from, to := r.setup, r.next()
	r.s.Configure(to.config())
	resultc := make(chan harness.Result, 1)
	go func() { resultc <- r.s.Reload() }()
	awaitTime(time.Duration(r.rng.IntN(25)) * time.Millisecond) // any moment of it
	do()
	res := <-resultc
	if r.setup = from; res.Code == 0 {
		r.setup = to
	}
	r.s.Configure(r.setup.config())
	r.Logf("the reload ends with %d: %s%s", res.Code, res.Stdout, res.Stderr)
	return res.Code
}

// killWhileReloading kills any worker, old or new, while a reload is under way:
// either nothing has changed, or all has.
func (r *run) killWhileReloading() {
	r.Helper()
	const what = "SIGKILL of a worker during a reload"
	before := r.s.Status()
	var victims []held
	code := r.reloadWhile(func() {
		list := r.s.Workers()
		p := list[r.rng.IntN(len(list))]
		if !tryFreeze(p.PID) {
			return // it has just ended by itself
		}
		victims = r.catch(p.PID)
		send(r, p.PID, syscall.SIGKILL)
	})
	r.calm(what)
	if now := r.s.Status().Generation; code != 0 && now != before.Generation || code == 0 && now != before.Generation+1 {
		r.Errorf("%s: it ended with %d, generation %d is %d now", what, code, before.Generation, now)
	}
	r.onlyBy(what, victims...)
}

// tryFreeze is freeze for a process that may be about to end.
func tryFreeze(pid int) bool {
	if syscall.Kill(pid, syscall.SIGSTOP) != nil {
		return false
	}
	stands, gone := false, false
	harness.Poll(patience, func() bool {
		stands = allThreads(pid, "T")
		gone = allThreads(pid, "Z") || syscall.Kill(pid, 0) != nil
		return stands || gone
	})
	return stands
}

// killMasterWhileReloading ends the master while it has two generations of
// workers: all of them finish, and the next master begins with what the file
// says.
func (r *run) killMasterWhileReloading() {
	r.Helper()
	r.metrics.without(func() {
		to := r.next()
		r.s.Configure(to.config())
		resultc := make(chan harness.Result, 1)
		go func() { resultc <- r.s.Reload() }()
		awaitTime(time.Duration(r.rng.IntN(25)) * time.Millisecond)
		r.setup = to
		r.killMaster()
		// It may have been done before, broken off, or never have found a server.
		if res := <-resultc; res.Code == 0 && res.Stdout == "" || res.Code != 0 && res.Stderr == "" {
			r.Errorf("a reload whose master is killed: exit %d without a word", res.Code)
		}
	})
}
