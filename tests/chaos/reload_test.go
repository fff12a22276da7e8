package chaos

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"

	"srvctl/tests/harness"
)

// next is another good configuration: other workers, another version.
func (r *run) next() setup {
	return setup{workers: 1 + r.rng.IntN(4), version: r.setup.version + 1}
}

// short is how many clients of the load have short connections.
const short = 4

// reload puts another good configuration into force, and no client notices.
func (r *run) reload() {
	r.Helper()
	before, to := r.s.Status(), r.next()
	what := fmt.Sprintf("reload from %d to %d workers", r.setup.workers, to.workers)
	var args []string
	if r.rng.IntN(2) == 0 {
		args = []string{"--wait"}
		what += " --wait"
	}
	r.s.Configure(to.config())
	done, code := r.s.ReloadJSON(args...)
	r.setup = to
	if code != 0 || done.Result != "ok" || done.Generation != before.Generation+1 {
		r.Fatalf("%s: exit %d, %+v; want generation %d", what, code, done, before.Generation+1)
	}
	r.wantVersion(what)
	st := r.s.Status()
	if st.Generation != done.Generation || st.LastReload == nil || st.LastReload.Result != "ok" {
		r.Errorf("%s: the status says %+v", what, st)
	}
	if left := st.In("draining"); args != nil && len(left) > 0 {
		r.Errorf("%s: has ended, but there still are %+v", what, left)
	}
	for _, w := range done.Workers {
		if w.Cut > 0 {
			r.Errorf("%s: %d connections of slot %d were cut, all of them were busy", what, w.Cut, w.Slot)
		}
		// Short ones may have ended between the count and the order to drain.
		if args != nil && w.Moved+w.Finished+short < w.OldConnections {
			r.Errorf("%s: %d connections of slot %d moved and %d finished, it began to drain with %d", what, w.Moved, w.Slot, w.Finished, w.OldConnections)
		}
	}
	r.calm(what)
	r.noFailures(what)
}

// located is how every problem of a configuration begins.
var located = regexp.MustCompile(`(?m)srvctl\.yaml:\d+:\d+: `)

// reloadBroken asks for what cannot be read, and nothing changes.
func (r *run) reloadBroken() {
	r.Helper()
	good := r.setup.config()
	broken := []string{
		strings.Replace(good, "workers:", "wrokers:", 1),
		strings.Replace(good, "timeout: 5s", "timeout: soon", 1),
		strings.Replace(good, "root: public", "root: nowhere", 1),
		strings.Replace(good, "sites:", "sites: [", 1),
		"",
	}
	text := broken[r.rng.IntN(len(broken)-1)]
	before := r.s.Status()
	r.s.Configure(text)
	res := r.s.Reload()
	r.s.Configure(good)
	const what = "reload of a broken configuration"
	if res.Code != 1 || !located.MatchString(res.Stderr) {
		r.Errorf("%s: exit %d, stderr %q; want 1 and where it is wrong", what, res.Code, res.Stderr)
	}
	r.refused(what, before)
}

// refused wants that a reload has failed and left everything as it was.
func (r *run) refused(what string, before harness.Status) {
	r.Helper()
	r.unchanged(what, before)
	if last := r.s.Status().LastReload; last == nil || last.Result != "failed" || last.Error == "" {
		r.Errorf("%s: the status says of the last reload %+v, want it failed and why", what, last)
	}
	r.calm(what)
	r.unchanged(what+", afterwards", before)
	r.noFailures(what)
}

// faults before the barrier, and what the operator is told of them.
var startFaults = []struct{ fault, said string }{
	{"at=start do=exit", "fault: exit"},
	{"at=start do=segv", "SIGSEGV"},
	{"at=prepare do=fail", "fault: fail"},
	{"at=prepare do=panic", "fault: panic"},
	{"at=prepare do=hang", "ready_timeout"},
	{"at=ready do=exit", "fault: exit"},
	{"at=ready do=spin", "ready_timeout"},
}

// reloadFaulty reloads with a new worker that does not come up.
func (r *run) reloadFaulty() {
	r.Helper()
	before, to := r.s.Status(), r.next()
	f := startFaults[r.rng.IntN(len(startFaults))]
	slot := r.rng.IntN(to.workers)
	what := fmt.Sprintf("reload to %d workers with a new worker of slot %d that fails (%s)", to.workers, slot, f.fault)
	r.s.Fault(fmt.Sprintf("generation=%d slot=%d %s\n", before.Generation+1, slot, f.fault))
	r.s.Configure(to.config())
	res := r.s.Reload()
	r.s.Fault("")
	r.s.Configure(r.setup.config())
	if res.Code != 1 || !strings.Contains(res.Stderr, f.said) {
		r.Errorf("%s: exit %d, stderr %q; want 1 and %q", what, res.Code, res.Stderr, f.said)
	}
	r.refused(what, before)
}

// reloadCrashing reloads with a new worker that fails when it is told to accept:
// then there is no way back, it is restarted as after any crash.
func (r *run) reloadCrashing() {
	r.Helper()
	before, to := r.s.Status(), r.next()
	to.workers = max(to.workers, 2)
	slot := r.rng.IntN(to.workers)
	do := []string{"exit", "panic", "segv"}[r.rng.IntN(3)]
	what := fmt.Sprintf("reload to %d workers with a new worker of slot %d that fails when it is to accept (%s)", to.workers, slot, do)
	log := r.s.Logged()
	r.s.Fault(fmt.Sprintf("generation=%d slot=%d at=commit do=%s\n", before.Generation+1, slot, do))
	r.s.Configure(to.config())
	done, code := r.s.ReloadJSON()
	r.setup = to
	if code != 0 || done.Generation != before.Generation+1 {
		r.Errorf("%s: exit %d, %+v; want generation %d", what, code, done, before.Generation+1)
	}
	r.s.AwaitLog(log, fmt.Sprintf(`"msg":"worker is restarted".*"slot":%d`, slot))
	r.s.Fault("")
	r.backAfterPause(what, slot)
	r.calm(what)
	r.noFailures(what)
}

// reloadTaken reloads with a listener at an address that this test has.
func (r *run) reloadTaken() {
	r.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(r, err)
	defer l.Close()
	before, to := r.s.Status(), r.next()
	r.s.Configure(strings.Replace(to.config(), "listeners: {", fmt.Sprintf("listeners: {taken: {address: %q}, ", l.Addr()), 1))
	res := r.s.Reload()
	r.s.Configure(r.setup.config())
	const what = "reload with an address that is taken"
	if who := fmt.Sprint(os.Getpid()); res.Code != 1 || !strings.Contains(res.Stderr, l.Addr().String()) || !strings.Contains(res.Stderr, who) {
		r.Errorf("%s: exit %d, stderr %q; want 1, the address and process %s", what, res.Code, res.Stderr, who)
	}
	r.refused(what, before)
}
