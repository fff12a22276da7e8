package reload

import (
	"context"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"srvctl/tests/harness"
	"srvctl/tests/reload/ledger"
)

// wrk runs wrk with a connection for each request and returns what it printed.
func wrk(t *testing.T, s *harness.Server, seconds int) string {
	t.Helper()
	path := harness.Tool(t, "wrk")
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(seconds)*time.Second+patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "-t1", "-c128", "-d"+strconv.Itoa(seconds)+"s", "--timeout", "5s",
		"-H", "Connection: close", s.URL("http", "/version")).CombinedOutput()
	if err != nil {
		t.Errorf("wrk: %v", err)
	}
	return string(out)
}

// socketErrors adds up what wrk counts.
func socketErrors(out string) (n int) {
	line := regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`).FindStringSubmatch(out)
	for _, field := range line[min(1, len(line)):] {
		v, _ := strconv.Atoi(field)
		n += v
	}
	return n
}

// A program that others wrote, with a connection for each request, sees no error
// while the server is reloaded.
func TestWrkDuringReloads(t *testing.T) {
	harness.Tool(t, "wrk")
	seconds, reloads := times(6, 60), times(3, 30)
	s := setup{workers: 4}.start(t)
	var out string
	var wg sync.WaitGroup
	wg.Go(func() { out = wrk(t, s, seconds) })
	tick := time.NewTicker(time.Duration(seconds) * time.Second / time.Duration(reloads+1))
	defer tick.Stop()
	for range reloads {
		<-tick.C
		reloaded(t, s)
	}
	wg.Wait()
	if strings.Contains(out, "Socket errors") || strings.Contains(out, "Non-2xx") || !strings.Contains(out, "Requests/sec") {
		t.Errorf("wrk during %d reloads printed\n%s", reloads, out)
	}
	if st := s.Status(); st.Generation != reloads+1 {
		t.Errorf("generation %d after %d reloads", st.Generation, reloads)
	}
	t.Logf("%d reloads:\n%s", reloads, out)
}

// A worker that is killed takes only the requests with it that it had accepted:
// its neighbours answer those that wait in its queue, at once.
func TestKillUnderWrk(t *testing.T) {
	harness.Tool(t, "wrk")
	const served = 100 * time.Millisecond
	s := setup{workers: 4}.start(t)
	quiet := map[int]int{} // sockets of a worker without connections
	for _, w := range s.Workers() {
		quiet[w.PID] = count(openFiles(w.PID), "socket")
	}
	var out string
	var wg sync.WaitGroup
	wg.Go(func() { out = wrk(t, s, times(3, 20)) })
	probe := ledger.Start(ledger.Options{Addr: s.Addr("http"), Idle: idle, Connections: map[ledger.Form]int{ledger.Fresh: 4}})
	awaitAnswers(t, probe, 500)
	accepted := 0 // by those that were killed, and not answered
	for range times(1, 5) {
		victim := s.Status().In("serving")[1].PID
		// It stands still while its sockets are counted.
		halt(t, victim)
		accepted += count(openFiles(victim), "socket") - quiet[victim]
		must(t, syscall.Kill(victim, syscall.SIGKILL))
		st := s.AwaitStatus("four workers", func(st harness.Status) bool {
			return len(st.In("serving")) == 4 && !slices.Contains(st.PIDs("serving"), victim)
		})
		quiet[st.In("serving")[1].PID] = quiet[victim]
		from := probe.Answered()
		harness.Poll(patience, func() bool { return probe.Answered() >= from+200 })
	}
	probe.Stop()
	wg.Wait()
	if code := s.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	rep, err := probe.Account(s.Dir + "/access.log")
	must(t, err)
	t.Logf("\n%v\n%s%d connections were accepted by the killed", rep, out, accepted)
	if n := rep.Total.Faults[ledger.Lost] + socketErrors(out); n > accepted {
		t.Errorf("%d requests failed, of %d that the killed had accepted", n, accepted)
	}
	for _, p := range rep.Problems(ledger.Lost, ledger.Reset, ledger.Unlogged) {
		t.Error(p)
	}
	if limit := stretch(served); rep.Total.Stall > limit {
		t.Errorf("a client waited for %v, want at most %v (on this machine now %v)", rep.Total.Stall, served, limit)
	}
}
