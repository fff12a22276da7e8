package supervise

import (
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"srvctl/tests/harness"
)

// startService starts a server as a service of m and waits for its READY=1.
func startService(t *testing.T, m *manager, o harness.Options) *harness.Server {
	t.Helper()
	o.Before, o.Env = m.before(), m.env(o.Env...)
	s := harness.Prepare(t, o)
	from := m.told()
	s.Launch()
	m.says(from, "READY", "1")
	return s
}

// now is CLOCK_MONOTONIC in microseconds.
func now(t *testing.T) int64 {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		t.Fatal(err)
	}
	return ts.Nano() / 1000
}

// What systemd is told, from the start to the end, by the master and nobody
// else.
func TestNotify(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	s := startService(t, m, harness.Options{Config: serving})
	if err := hello("tcp", s.Addr("http")); err != nil {
		t.Errorf("after READY=1: %v", err)
	}
	if st := s.Status(); !st.Ready {
		t.Errorf("READY=1, but the status is %+v", st)
	}

	from := reloaded(t, m, s, 2)
	s.Configure(serving + "\nnonsense: true\n")
	from = reloaded(t, m, s, 2, from)
	ready, _ := m.says(from-1, "READY", "1")
	if text := ready.fields["STATUS"]; !strings.Contains(text, "failed") {
		t.Errorf("STATUS=%s after a reload that failed", text)
	}

	request := startSlow(t, s.Addr("http"))
	inFlight(s, 1)
	s.Signal(syscall.SIGTERM)
	m.says(from, "STOPPING", "1")
	// Whatever TimeoutStopSec= is, the drain may take as long as configured.
	patience, _ := m.await(from, "how long it may take", func(msg message) bool { return msg.fields["EXTEND_TIMEOUT_USEC"] != "" })
	if usec, err := strconv.Atoi(patience.fields["EXTEND_TIMEOUT_USEC"]); err != nil || usec < 15_000_000 {
		t.Errorf("%v with a drain.timeout of 15s: %v", patience, err)
	}
	request.finish()
	if code := s.AwaitExit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	for _, msg := range m.messages(0) {
		if msg.pid != s.PID() {
			t.Errorf("process %d said %v, want all from the master %d", msg.pid, msg, s.PID())
		}
		if pid, ok := msg.fields["MAINPID"]; ok && pid != strconv.Itoa(s.PID()) {
			t.Errorf("MAINPID=%s, want none or %d", pid, s.PID())
		}
	}
}

// reloaded sends SIGHUP as systemctl reload does with Type=notify-reload, which
// waits for RELOADING=1 with a time after its own, and then for READY=1.
func reloaded(t *testing.T, m *manager, s *harness.Server, generation int, from ...int) int {
	t.Helper()
	at := m.told()
	if len(from) > 0 {
		at = from[0]
	}
	sent := now(t)
	s.Signal(syscall.SIGHUP)
	msg, at := m.says(at, "RELOADING", "1")
	if usec, err := strconv.ParseInt(msg.fields["MONOTONIC_USEC"], 10, 64); err != nil || usec < sent || usec > now(t) {
		t.Errorf("MONOTONIC_USEC=%s of a reload asked for at %d: %v", msg.fields["MONOTONIC_USEC"], sent, err)
	}
	_, at = m.says(at, "READY", "1")
	if st := s.Status(); st.Generation != generation || st.Reload != nil {
		t.Errorf("after READY=1 generation %d serves, reload %+v; want %d and none", st.Generation, st.Reload, generation)
	}
	if err := hello("tcp", s.Addr("http")); err != nil {
		t.Errorf("after a reload: %v", err)
	}
	return at
}

// A server that cannot start never says that it is ready.
func TestNeverReady(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	s := harness.Prepare(t, harness.Options{Config: serving, Before: m.before(), Env: m.env()})
	l, err := net.Listen("tcp", s.Addr("http"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s.Launch()
	if code := s.AwaitExit(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, msg := range m.messages(0) {
		if msg.fields["READY"] != "" || msg.fields["FDSTORE"] != "" {
			t.Errorf("a server that could not start said %v", msg)
		}
	}
}

// The watchdog is pinged at half of the time that systemd allows, in the middle
// of a reload and of a drain too.
func TestWatchdog(t *testing.T) {
	t.Parallel()
	const limit = 400 * time.Millisecond
	m := newManager(t)
	s := startService(t, m, harness.Options{Config: serving, Env: []string{"WATCHDOG_USEC=" + strconv.FormatInt(limit.Microseconds(), 10)}})
	ping := func(from, n int) int {
		for range n {
			_, from = m.says(from, "WATCHDOG", "1")
		}
		return from
	}
	from := ping(m.told(), 3)
	s.Signal(syscall.SIGHUP)
	_, from = m.says(from, "RELOADING", "1")
	_, from = m.says(from, "READY", "1")
	from = ping(from, 2)
	request := startSlow(t, s.Addr("http"))
	inFlight(s, 1)
	s.Signal(syscall.SIGTERM)
	_, from = m.says(from, "STOPPING", "1")
	ping(from, 3)
	request.finish()
	if code := s.AwaitExit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}

	var last time.Time
	for _, msg := range m.messages(0) {
		if msg.fields["WATCHDOG"] != "1" {
			continue
		}
		gap := msg.at.Sub(last)
		if !last.IsZero() && gap > stretch(limit) {
			t.Errorf("a pause of %v between two pings: systemd kills after %v", gap, limit)
		}
		if !last.IsZero() && gap < limit/8 {
			t.Errorf("a ping %v after the one before: half of %v was asked for", gap, limit)
		}
		last = msg.at
	}
}
