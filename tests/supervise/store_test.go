package supervise

import (
	"errors"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"srvctl/tests/harness"
)

const (
	oneListener = `
workers: 2
listeners: {http: {address: "@http@"}}
`
	threeListeners = `
workers: 3
listeners:
  http: {address: "@http@"}
  more: {address: "@more@"}
  local: {address: "unix:@dir@/web.sock"}
`
	renamedListener = `
workers: 3
listeners:
  web: {address: "@http@"}
  local: {address: "unix:@dir@/web.sock"}
`
	rest = `
drain: {timeout: 15s, idle: 200ms}
sites: [{routes: [{match: /hello, respond: {body: "hello\n"}}]}]
`
)

// systemd holds exactly the sockets that the server listens on, after each
// reload.
func TestStore(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	s := startService(t, m, harness.Options{Config: oneListener + rest})
	awaitStore := func(what string, want map[string]int) {
		t.Helper()
		if !harness.Poll(patience, func() bool { return maps.Equal(m.addresses(), want) }) {
			t.Errorf("%s: stored are %v, want %v; said was %v", what, m.addresses(), want, m.messages(0))
		}
	}
	local := "unix:" + s.Dir + "/web.sock"
	awaitStore("start", map[string]int{s.Addr("http"): 2})

	s.Configure(threeListeners + rest)
	reload(t, s)
	awaitStore("more of everything", map[string]int{s.Addr("http"): 3, s.Addr("more"): 3, local: 1})

	s.Configure(renamedListener + rest)
	reload(t, s)
	awaitStore("one gone, one renamed", map[string]int{s.Addr("http"): 3, local: 1})

	s.Configure("nonsense: true\n")
	if r := s.Reload(); r.Code != 1 {
		t.Errorf("reload of nonsense: exit code %d, want 1", r.Code)
	}
	awaitStore("a reload that failed", map[string]int{s.Addr("http"): 3, local: 1})

	// What systemd holds takes connections that nobody answers.
	from := m.told()
	s.Signal(syscall.SIGTERM)
	m.says(from, "STOPPING", "1")
	awaitStore("a stop", map[string]int{})
	if code := s.AwaitExit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func reload(t *testing.T, s *harness.Server) {
	t.Helper()
	if r := s.Reload(); r.Code != 0 {
		t.Fatalf("reload: exit code %d: %s", r.Code, r.Stderr)
	}
}

// visitors are clients of one connection each, one after the other.
type visitors struct {
	wg       sync.WaitGroup
	quit     atomic.Bool
	answers  atomic.Int64
	mu       sync.Mutex
	failures []error
	longest  time.Duration
}

func visit(addr string, n int) *visitors {
	v := &visitors{}
	for range n {
		v.wg.Go(func() {
			for !v.quit.Load() {
				began := time.Now()
				err := hello("tcp", addr)
				v.note(err, time.Since(began))
			}
		})
	}
	return v
}

func (v *visitors) note(err error, took time.Duration) {
	v.answers.Add(1)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.longest = max(v.longest, took)
	if err != nil {
		v.failures = append(v.failures, err)
	}
}

// await waits for that many more answers.
func (v *visitors) await(t *testing.T, n int64) {
	t.Helper()
	n += v.answers.Load()
	if !harness.Poll(patience, func() bool { return v.answers.Load() >= n }) {
		t.Fatalf("only %d answers", v.answers.Load())
	}
}

func (v *visitors) stop() {
	v.quit.Store(true)
	v.wg.Wait()
}

// A master that is killed leaves its sockets with systemd, which starts another
// one with them: whoever comes in between waits, for less than a second, and is
// answered. Its old workers finish what they had.
func TestStoreSurvivesMaster(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	s := startService(t, m, harness.Options{Config: serving})
	if !harness.Poll(patience, func() bool { return m.addresses()[s.Addr("http")] == 2 }) {
		t.Fatalf("stored are %v, want 2 sockets of %s", m.addresses(), s.Addr("http"))
	}
	request := startSlow(t, s.Addr("http"))
	inFlight(s, 1)
	load := visit(s.Addr("http"), 4)
	load.await(t, 200)

	from := m.told()
	old := s.KillMaster()
	allowed := stretch(time.Second)
	s.Launch()
	_, from = m.says(from, "READY", "1")
	load.await(t, 200)
	request.finish()
	old()
	load.await(t, 200)
	load.stop()

	t.Logf("%d answers, the longest took %v", load.answers.Load(), load.longest)
	if load.longest > allowed {
		t.Errorf("somebody waited %v, want %v (on this machine now %v)", load.longest, time.Second, allowed)
	}
	for _, err := range load.failures {
		t.Errorf("a client got %v", err)
	}
	st := s.Status()
	if len(st.In("serving")) != 2 || len(st.Degraded) != 0 {
		t.Errorf("afterwards the status is %+v", st)
	}
	if stored := m.addresses(); len(stored) != 1 || stored[s.Addr("http")] != 2 {
		t.Errorf("afterwards are stored %v, want the same 2 sockets of %s", stored, s.Addr("http"))
	}

	// They are its own again: a stop gives them up.
	s.Signal(syscall.SIGTERM)
	m.says(from, "STOPPING", "1")
	if code := s.AwaitExit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if !harness.Poll(patience, func() bool { return len(m.addresses()) == 0 }) {
		t.Errorf("after the stop are stored %v, want none", m.addresses())
	}
	if err := hello("tcp", s.Addr("http")); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after the stop a client gets %v, want it refused", err)
	}
}

// What a predecessor stored and the configuration no longer has is given back
// without a word.
func TestStoredForNobody(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	s := startService(t, m, harness.Options{Config: threeListeners + rest})
	local := "unix:" + s.Dir + "/web.sock"
	if !harness.Poll(patience, func() bool { return len(m.addresses()) == 3 }) {
		t.Fatalf("stored are %v, want 3 addresses", m.addresses())
	}
	s.Configure(renamedListener + rest)
	from := m.told()
	old := s.KillMaster()
	s.Launch()
	m.says(from, "READY", "1")
	old()
	want := map[string]int{s.Addr("http"): 3, local: 1}
	if !harness.Poll(patience, func() bool { return maps.Equal(m.addresses(), want) }) {
		t.Errorf("stored are %v, want %v", m.addresses(), want)
	}
	if said := s.Status().Complaints(); strings.Contains(said, "systemd") {
		t.Errorf("status complains: %s", said)
	}
	if err := hello("tcp", s.Addr("more")); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a client of the listener that is gone gets %v, want it refused", err)
	}
	for network, addr := range map[string]string{"tcp": s.Addr("http"), "unix": strings.TrimPrefix(local, "unix:")} {
		if err := hello(network, addr); err != nil {
			t.Errorf("%s: %v", network, err)
		}
	}
}
