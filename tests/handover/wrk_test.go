package handover

import (
	"bytes"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"srvctl/tests/harness"
)

// step is something that an operator does.
type step func(t *testing.T, s *harness.Server)

// steps spreads scalings and upgrades evenly over a number of reloads. The
// number of workers is 2 and 4 in turn.
func steps(reloads, scalings, upgrades int) (list []step) {
	for i := range reloads {
		list = append(list, reload)
		for n := i * scalings / reloads; n < (i+1)*scalings/reloads; n++ {
			list = append(list, func(t *testing.T, s *harness.Server) { t.Helper(); scale(t, s, 2+2*(n%2)) })
		}
		if (i+1)*upgrades/reloads > i*upgrades/reloads {
			list = append(list, upgrade)
		}
	}
	return list
}

// load is wrk, which runs until it is told to stop.
type load struct {
	t   *testing.T
	cmd *exec.Cmd
	out bytes.Buffer
}

// startWrk starts wrk over so many connections that stay. Before it begins, wrk
// opens one more and closes it, to see whether anybody is there.
func startWrk(t *testing.T, s *harness.Server, connections string) *load {
	t.Helper()
	l := &load{t: t}
	l.cmd = exec.Command(harness.Tool(t, "wrk"), "-t1", "-c"+connections, "-d10m", "--timeout", "5s", s.URL("http", "/version"))
	l.cmd.Stdout, l.cmd.Stderr = &l.out, &l.out
	must(t, l.cmd.Start())
	t.Cleanup(func() {
		if l.cmd.ProcessState == nil {
			l.cmd.Process.Kill()
			l.cmd.Wait()
		}
	})
	return l
}

// finish lets wrk end as if its time was up, and wants that it has seen no error.
func (l *load) finish() {
	l.t.Helper()
	must(l.t, l.cmd.Process.Signal(syscall.SIGINT))
	if err := l.cmd.Wait(); err != nil {
		l.t.Errorf("wrk: %v", err)
	}
	out := l.out.String()
	if strings.Contains(out, "Socket errors") || strings.Contains(out, "Non-2xx") || !regexp.MustCompile(`[1-9]\d+ requests in`).MatchString(out) {
		l.t.Errorf("wrk printed\n%s", out)
	}
	l.t.Logf("\n%s", out)
}

// A program that others wrote, which tells of every connection that breaks and
// opens another for every one that closes, notices nothing: it sees no error,
// and the connections it began with are the only ones it ever opens.
func TestNothingIsClosed(t *testing.T) {
	const connections, probe = 256, 1
	harness.Tool(t, "wrk")
	s := setup{workers: 4}.start(t)
	list, took := steps(8, 2, 1), 8*time.Second
	if harness.Soak() {
		list, took = steps(50, 6, 3), time.Minute
	}
	before := counters(t, s)
	l := startWrk(t, s, "256")
	s.AwaitStatus("all are connected", func(st harness.Status) bool { return st.Connections == connections })
	tick := time.NewTicker(took / time.Duration(len(list)))
	defer tick.Stop()
	now := before
	for _, do := range list {
		do(t, s)
		last := now
		now = counters(t, s)
		wantGrowth(t, last, now)
		if n := now[accepted] - before[accepted]; n != connections+probe {
			t.Errorf("%v connections were accepted, want the %d of wrk and its probe", n, connections)
		}
		<-tick.C
	}
	if st := s.Status(); st.Connections != connections || st.Generation != len(list)+1 {
		t.Errorf("%d connections in generation %d; want %d in %d", st.Connections, st.Generation, connections, len(list)+1)
	}
	l.finish()
	awaitQuiet(t, s, 0)
	last := now
	now = counters(t, s)
	wantGrowth(t, last, now)
	if n := now[accepted] - before[accepted]; n != connections+probe {
		t.Errorf("%v connections were accepted, want the %d of wrk and its probe", n, connections)
	}
	if n := now[moved]; n < float64(connections*len(list)/2) {
		t.Errorf("%v connections moved in %d steps, want each of %d to have moved often", n, len(list), connections)
	}
	t.Logf("%d steps, %v connections moved", len(list), now[moved])
	wantCalmLog(t, s)
}
