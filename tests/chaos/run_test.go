package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"srvctl/tests/harness"
	"srvctl/tests/harness/proc"
)

func TestMain(m *testing.M) { harness.Main(m) }

// stretch is a limit for a machine that does nothing else, made longer by how
// many processes want each CPU of this one.
func stretch(limit time.Duration) time.Duration {
	if harness.Race() {
		limit *= 10
	}
	var busy float64
	if raw, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Sscan(string(raw), &busy)
	}
	return time.Duration(float64(limit) * max(1, 1.5*busy/float64(runtime.NumCPU())))
}

// setup is what the configuration says, apart from what never changes.
type setup struct {
	workers int
	version int // what /version answers
	more    string
}

// config has a short heartbeat and drain, so that what ends by them ends soon.
func (c setup) config() string {
	return fmt.Sprintf(`workers: %d
ready_timeout: 2s
heartbeat: {interval: 100ms, timeout: %s}
drain: {timeout: 5s, idle: 1s}
listeners: {http: {address: "@http@"}}
sites:
  - routes:
      - {match: "/n/{id}", respond: {body: "n {id}\n"}}
      - {match: "/version", respond: {body: "v%d\n"}}
      - {match: "/echo", echo: {what: body}}
      - {match: "/*", files: {root: public}}
%s`, c.workers, hungAfter(), c.version, c.more)
}

// hungAfter is heartbeat.timeout: short, but the test looks at what hangs before
// the master ends it, and with the race detector, or where others want the CPUs
// too, both that and a healthy worker may be late.
var hungAfter = sync.OnceValue(func() time.Duration {
	if harness.Race() || harness.Soak() || stretch(time.Second) > 2*time.Second {
		return 5 * time.Second
	}
	return 2 * time.Second
})

// run is one server that is broken again and again, under load.
type run struct {
	*testing.T
	s       *harness.Server
	load    *load
	rng     *rand.Rand
	setup   setup
	metrics *watch
}

// start starts a server and its load; both end with the test.
func start(t *testing.T, seed uint64) *run {
	t.Helper()
	r := &run{T: t, rng: rand.New(rand.NewPCG(seed, 0)), setup: setup{workers: 3}}
	r.s = harness.Start(t, harness.Options{
		Config: r.setup.config(), Files: map[string]string{"public/file": file}, Faults: true,
	})
	r.metrics = startWatch(t, r.s)
	r.load = startLoad(t, r.s.Addr("http"))
	r.load.awaitAnswers(t, 100)
	r.noFailures("before anything was broken")
	return r
}

// pick chooses a worker that serves.
func (r *run) pick() harness.WorkerStatus {
	r.Helper()
	list := r.s.Status().In("serving")
	if len(list) == 0 {
		r.Fatal("no worker serves")
	}
	return list[r.rng.IntN(len(list))]
}

// onlyBy wants that every failure so far is one of a connection that these
// processes had.
func (r *run) onlyBy(what string, culprits ...held) {
	r.Helper()
	excused := 0
	for _, f := range r.load.take(r) {
		if slices.ContainsFunc(culprits, func(h held) bool { return h.has(f) }) {
			excused++
			continue
		}
		r.Errorf("%s: %v: not a connection of %v", what, f, culprits)
	}
	if len(culprits) > 0 {
		r.Logf("%s: %d requests failed with %v", what, excused, culprits)
	}
}

func (r *run) noFailures(what string) { r.Helper(); r.onlyBy(what) }

// calm wants that all is well again: as many workers as configured serve, no
// other process is left, nothing is complained of, and clients are answered.
func (r *run) calm(what string) {
	r.Helper()
	var st harness.Status
	var processes []proc.Stat
	if !harness.Poll(patience, func() bool {
		st, processes = r.s.Status(), r.s.Workers()
		return r.well(st, processes)
	}) {
		r.Fatalf("%s: not well again after %v: want %d workers that serve, the status is %+v, the processes are %v",
			what, patience, r.setup.workers, st, processes)
	}
	r.load.awaitAnswers(r, 50)
	r.wantVersion(what)
}

// well says whether the status has nothing but workers that serve, and the
// kernel the same ones: the master may not know yet of one that has died.
func (r *run) well(st harness.Status, processes []proc.Stat) bool {
	serving := st.PIDs("serving")
	for _, p := range processes {
		if !slices.Contains(serving, p.PID) {
			return false
		}
	}
	return len(serving) == r.setup.workers && len(processes) == len(serving) && len(st.Workers) == len(serving) &&
		len(st.Degraded) == 0 && st.Reload == nil
}

// wantVersion wants that a new connection meets the configuration in force.
func (r *run) wantVersion(what string) {
	r.Helper()
	want := fmt.Sprintf("v%d\n", r.setup.version)
	if code, body := harness.Get(r, r.s.URL("http", "/version")); code != 200 || body != want {
		r.Errorf("%s: /version = %d %q, want %q", what, code, body, want)
	}
}

// unchanged wants the same processes and the same generation as before.
func (r *run) unchanged(what string, before harness.Status) {
	r.Helper()
	now := r.s.Status()
	if was, is := before.PIDs("serving"), now.PIDs("serving"); !slices.Equal(was, is) || now.Generation != before.Generation {
		r.Errorf("%s: generation %d with workers %v, before %d with %v: want nothing changed",
			what, now.Generation, is, before.Generation, was)
	}
}

// quiet is what the master has when nobody asks anything.
type quiet struct {
	descriptors int
	memory      int64
}

// quiet waits until the master closes no more: what it has then is its own.
func (r *run) quiet() (q quiet) {
	r.Helper()
	const steady = 20 // looks
	for same := 0; same < steady; same++ {
		n := descriptors(r, r.s.PID())
		if n < q.descriptors {
			same = 0
		}
		q.descriptors = n
		awaitTime(10 * time.Millisecond)
	}
	m, err := proc.ReadMemory(r.s.PID())
	must(r, err)
	q.memory = m.Resident()
	return q
}

// seed is the run's: CHAOS_SEED, or a fixed one, or a new one with SOAK=1.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := uint64(1)
	if harness.Soak() {
		n = rand.Uint64()
	}
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("CHAOS_SEED: %v", err)
		}
	}
	t.Logf("CHAOS_SEED=%d repeats this run", n)
	return n
}
