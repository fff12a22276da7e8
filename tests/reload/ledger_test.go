package reload

import (
	"strings"
	"testing"
	"time"

	"srvctl/tests/harness"
	"srvctl/tests/reload/ledger"
)

// Reload after reload, with another number of workers each time and a second
// listener that comes and goes: no request is lost, doubled or reset, and the
// connections of the first one live on.
func TestLedger(t *testing.T) {
	for _, tc := range []struct {
		name, listener string
		addr           func(s *harness.Server) string
	}{
		{"sliced", `address: "@http@"`, func(s *harness.Server) string { return s.Addr("http") }},
		{"shared", `address: "@http@", reuseport: false`, func(s *harness.Server) string { return s.Addr("http") }},
		{"unix", `address: "unix:@dir@/web.sock", mode: 0666`, func(s *harness.Server) string { return "unix:" + s.Dir + "/web.sock" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := setup{workers: 1, http: tc.listener}
			s := c.start(t)
			l := ledger.Start(ledger.Options{Addr: tc.addr(s), Idle: idle,
				Connections: map[ledger.Form]int{ledger.Keep: kept, ledger.Fresh: 3, ledger.Dribble: 16, ledger.Pipeline: 3}})
			alt := startAlt(t, s, c)
			reloads := reloadAllTheTime(t, s, c, l, alt)
			l.Stop()
			alt.Stop()
			if n := metric(t, s, `srvctl_reloads_total{result="ok"}`); int(n) != reloads {
				t.Errorf("srvctl_reloads_total{result=\"ok\"} = %v after %d reloads", n, reloads)
			}
			if st := s.Status(); st.Generation != reloads+1 {
				t.Errorf("generation %d after %d reloads", st.Generation, reloads)
			}
			wantRequests(t, s, l.Answered()+alt.Answered())
			if n := metric(t, s, "srvctl_access_log_dropped_total"); n != 0 {
				t.Errorf("%v lines of the access log were dropped", n)
			}
			wantConnectionsMoved(t, account(t, s, []*ledger.Ledger{l, alt})[0], reloads)
			wantCalmLog(t, s)
			t.Logf("%d reloads", reloads)
		})
	}
}

// kept is how many connections TestLedger keeps, besides those of other forms.
const kept = 24

// wantConnectionsMoved wants nearly every connection to move each time. One may
// meet a successor that has to drain itself: it is told that it ends.
func wantConnectionsMoved(t *testing.T, rep ledger.Report, reloads int) {
	t.Helper()
	for _, row := range rep.Rows {
		if row.Form != ledger.Keep.String() {
			continue
		}
		if ends, most := row.Announced+row.Unannounced, kept*reloads/20; ends > most {
			t.Errorf("of %d connections that should have moved %d times %d were ended, want at most %d", kept, reloads, ends, most)
		}
	}
}

// altListener is the listener that comes and goes.
const altListener = `alt: {address: "@alt@"}, `

// startAlt starts the light load of the second listener, which is there once so
// that its address is known.
func startAlt(t *testing.T, s *harness.Server, c setup) *ledger.Ledger {
	t.Helper()
	c.listeners = altListener
	s.Configure(c.text())
	return ledger.Start(ledger.Options{Addr: s.Addr("alt"), Idle: idle, From: 2_000_000_000, AllowRefusal: true,
		Connections: map[ledger.Form]int{ledger.Keep: 2, ledger.Fresh: 1, ledger.Dribble: 1, ledger.Pipeline: 1}, Pause: 20 * time.Millisecond})
}

// reloadAllTheTime reloads every 200 ms until there has been enough of it.
func reloadAllTheTime(t *testing.T, s *harness.Server, c setup, l, alt *ledger.Ledger) (reloads int) {
	t.Helper()
	workers := []int{1, 4, 2, 3}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	enough := func() bool {
		if harness.Soak() {
			return l.Answered() >= 350_000
		}
		return reloads >= 12
	}
	for began := time.Now(); !enough(); reloads++ {
		if l.Troubles()+alt.Troubles() > 0 {
			t.Errorf("after %d reloads and %v there are faults", reloads, time.Since(began))
			break
		}
		c.workers = workers[(reloads+1)%len(workers)]
		if c.listeners = ""; reloads%2 == 0 {
			c.listeners = altListener
		}
		reconfigured(t, s, c)
		<-tick.C
	}
	awaitAnswers(t, l, 100)
	return reloads
}

// wantRequests wants the server to have counted as many requests as there were
// answers, over all workers that ever were.
func wantRequests(t *testing.T, s *harness.Server, answers int64) {
	t.Helper()
	var n float64
	if !harness.Poll(patience, func() bool {
		n = metricSum(t, s, func(series string) bool { return strings.HasPrefix(series, "srvctl_requests_total{") })
		return int64(n) == answers
	}) {
		t.Errorf("srvctl_requests_total is %v after %d answers", n, answers)
	}
}
