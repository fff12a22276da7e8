package handover

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"srvctl/tests/harness"
	"srvctl/tests/loadtest"
)

// crowded is a server for many connections.
var crowded = setup{workers: 4, more: "limits: {connections: 12000}"}

// openCrowd opens connections and lets each be answered once.
func openCrowd(t *testing.T, s *harness.Server, n int) *loadtest.Crowd {
	t.Helper()
	harness.RaiseOpenFiles(t, uint64(n)+256)
	crowd, err := loadtest.Open(context.Background(), s.Addr("http"), n)
	must(t, err)
	t.Cleanup(crowd.Close)
	askCrowd(t, crowd)
	return crowd
}

// askCrowd asks once on each of them.
func askCrowd(t *testing.T, crowd *loadtest.Crowd) {
	t.Helper()
	err := crowd.Ask(context.Background(), func(i int) string { return fmt.Sprint("/n/", i) }, func(i int) string { return fmt.Sprintln(i) })
	if err != nil {
		t.Error(err)
	}
}

// A reload moves thousands of connections that do nothing in the time that
// nobody would notice, and all are alive afterwards. The answer says how many
// it were, in words and for each worker.
func TestIdleCrowd(t *testing.T) {
	const limit = time.Second
	n := times(2000, 10_000)
	s := crowded.start(t)
	crowd := openCrowd(t, s, n)
	awaitQuiet(t, s, n)
	logged := s.Logged()
	r := works(t, s, "reload", "--wait")
	took := drainTook(t, s.Stderr()[logged:], n)
	if limit := stretch(limit); took > limit {
		t.Errorf("%d connections moved in %v, want at most %v", n, took, limit)
	}
	t.Logf("%d connections moved in %v", n, took)
	if want := fmt.Sprintf("generation 1 has drained: 0 connections finished, %d moved, 0 cut\n", n); !strings.Contains(r.Stdout, want) {
		t.Errorf("the reload prints\n%swant %q", r.Stdout, want)
	}
	askCrowd(t, crowd)

	held := map[int]int{}
	for _, w := range awaitQuiet(t, s, n).Workers {
		held[w.PID] = w.Connections
	}
	done, code := s.ReloadJSON("--wait")
	sum := 0
	for _, w := range done.Workers {
		// How many it had is read when the first may have left it.
		if w.Moved != held[w.OldPID] || w.OldConnections > w.Moved || w.Finished+w.Cut > 0 {
			t.Errorf("slot %d: %+v; want the %d connections of process %d moved", w.Slot, w, held[w.OldPID], w.OldPID)
		}
		sum += w.Moved
	}
	if code != 0 || sum != n {
		t.Errorf("reload --json exits with %d, %d connections moved; want %d", code, sum, n)
	}
	askCrowd(t, crowd)
	awaitQuiet(t, s, n)
	if now := counters(t, s); now[moved] != float64(2*n) || now[accepted] != float64(n) {
		t.Errorf("%v connections accepted, %v moved; want %d, each moved twice", now[accepted], now[moved], n)
	}
	wantCalmLog(t, s)
}

// drainTook reads from the log how long the old workers took, from the first
// order to drain, which each gets when its successor serves, to their end.
func drainTook(t *testing.T, log string, connections int) time.Duration {
	t.Helper()
	at := func(line string) (when time.Time) {
		var l struct{ Time time.Time }
		must(t, json.Unmarshal([]byte(line), &l))
		return l.Time
	}
	begin := regexp.MustCompile(`(?m)^.*"msg":"worker serves".*$`).FindString(log)
	end := regexp.MustCompile(`(?m)^.*"msg":"old generation has drained".*$`).FindString(log)
	if begin == "" || !strings.Contains(end, fmt.Sprintf(`"moved":%d}`, connections)) {
		t.Fatalf("the log does not say that %d connections moved: %q, %q", connections, begin, end)
	}
	return at(end).Sub(at(begin))
}
