package chaos

import (
	"syscall"
	"testing"
	"time"

	"srvctl/tests/harness"
)

// events are what may happen, each with its outcome.
var events = []struct {
	name string
	do   func(*run)
}{
	{"kill a worker", func(r *run) { r.kill(syscall.SIGKILL) }},
	{"crash a worker", func(r *run) { r.kill(syscall.SIGSEGV) }},
	{"kill all workers", (*run).killAll},
	{"kill the master", (*run).killMaster},
	{"a worker that never comes up", func(r *run) { r.failEveryStart(r.someStart()) }},
	{"reload", (*run).reload},
	{"reload once more", (*run).reload},
	{"reload, broken", (*run).reloadBroken},
	{"reload, faulty", (*run).reloadFaulty},
	{"reload, crashing", (*run).reloadCrashing},
	{"reload, address taken", (*run).reloadTaken},
	{"reload, an old worker hangs", (*run).hangWhileDraining},
	{"kill a worker during a reload", (*run).killWhileReloading},
	{"kill the master during a reload", (*run).killMasterWhileReloading},
	{"stop a worker", (*run).stop},
	{"stop a worker again and again", (*run).stopAgain},
	{"hang", func(r *run) { r.hang("hang", "S") }},
	{"spin", func(r *run) { r.hang("spin", "[RS]") }},
	{"stop the master", (*run).stopMaster},
}

// soak is how long the long form goes on.
const soak = 10 * time.Minute

// Everything that can break, in an order that nobody has thought of.
func TestChaos(t *testing.T) {
	t.Parallel()
	n := seed(t)
	r := start(t, n)
	for began, round := time.Now(), 0; round == 0 || harness.Soak() && time.Since(began) < soak; round++ {
		for _, i := range r.rng.Perm(len(events)) {
			t.Logf("--- %s", events[i].name)
			events[i].do(r)
			if t.Failed() {
				t.Fatalf("CHAOS_SEED=%d: broken by: %s", n, events[i].name)
			}
		}
	}
	r.finish()
}

func (r *run) counted() float64 {
	r.Helper()
	p, err := readPage(r.s.URL("admin", "/metrics"))
	must(r, err)
	return p.sum("srvctl_requests_total")
}

// finish wants that nothing is left of all that: the master has no more open
// and in memory than one that has just started, and has counted every answer.
func (r *run) finish() {
	r.Helper()
	counted, got := r.counted(), r.load.answers.Load()
	for range 3 {
		r.reload()
	}
	r.setup = setup{workers: 4, version: r.setup.version + 1} // as many as ever
	r.s.Configure(r.setup.config())
	if done, code := r.s.ReloadJSON(); code != 0 {
		r.Fatalf("the last reload: exit %d, %+v", code, done)
	}
	r.calm("the end")
	r.load.stop(r)
	if now, want := r.counted()-counted, r.load.answers.Load()-got; now < float64(want) {
		r.Errorf("during the last reloads srvctl_requests_total grew by %v, but clients got %d answers", now, want)
	}
	r.metrics.stop()

	old := r.quiet()
	rest := r.s.KillMaster()
	r.s.Launch()
	r.s.AwaitReady()
	rest()
	fresh := r.quiet()
	r.Logf("the master had %v, a new one has %v", old, fresh)
	if old.descriptors > fresh.descriptors {
		r.Errorf("the master had %d descriptors, a new one has %d", old.descriptors, fresh.descriptors)
	}
	more := int64(32 << 20)
	if harness.Race() {
		more *= 4
	}
	if old.memory > fresh.memory+more {
		r.Errorf("the master had %d bytes in memory, a new one has %d", old.memory, fresh.memory)
	}
}
