package handover

import (
	"testing"
	"time"

	"srvctl/tests/harness"
	"srvctl/tests/reload/ledger"
)

// staying are clients whose connections end only when they want it.
var staying = map[ledger.Form]int{ledger.Keep: 24, ledger.Dribble: 16, ledger.Pipeline: 3}

// startLedger starts them.
func startLedger(addr string) *ledger.Ledger {
	return ledger.Start(ledger.Options{Addr: addr, Connections: staying, Idle: patience, Stay: true})
}

// account ends a ledger and its server and wants that nothing happened to any
// connection or request.
func account(t *testing.T, s *harness.Server, l *ledger.Ledger) ledger.Report {
	t.Helper()
	l.Stop()
	if code := s.Stop(); code != 0 {
		t.Errorf("the server exits with %d", code)
	}
	rep, err := l.Account(s.Dir + "/access.log")
	must(t, err)
	t.Logf("\n%v", rep)
	for _, p := range rep.Problems() {
		t.Error(p)
	}
	for _, row := range rep.Rows {
		if row.Resent+row.Raced+row.Unannounced+row.Refusals > 0 {
			t.Errorf("%s: %d requests were sent again, %d met an end, %d silent connections ended, %d connects were refused: want none",
				row.Form, row.Resent, row.Raced, row.Unannounced, row.Refusals)
		}
		if row.Form != ledger.Dribble.String() && row.Announced > 0 { // that one asks for it now and then
			t.Errorf("%s: %d connections were ended", row.Form, row.Announced)
		}
	}
	return rep
}

// Whatever clients are doing when a reload comes, with another number of
// workers each time: their connections go on, and every request is answered
// once.
func TestLedgerKeepsConnections(t *testing.T) {
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			c := setup{workers: 1, http: form.http}
			s := c.start(t)
			l := startLedger(addrOf(s, form.http))
			reloads := reloadAllTheTime(t, s, c, l)
			l.Stop()
			awaitQuiet(t, s, 0)
			now := counters(t, s)
			rep := account(t, s, l)
			if n := now[accepted]; int(n) != rep.Total.Connections {
				t.Errorf("%v connections were accepted, the clients opened %d", n, rep.Total.Connections)
			}
			if n := now[moved]; int(n) < reloads {
				t.Errorf("%v connections moved in %d reloads", n, reloads)
			}
			wantCalmLog(t, s)
			t.Logf("%d reloads, %v connections moved", reloads, now[moved])
		})
	}
}

// reloadAllTheTime reloads every 200 ms until there has been enough of it.
func reloadAllTheTime(t *testing.T, s *harness.Server, c setup, l *ledger.Ledger) (reloads int) {
	t.Helper()
	workers := []int{1, 4, 2, 3}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	enough := func() bool {
		if harness.Soak() {
			return l.Answered() >= 350_000 // of each form of listener
		}
		return reloads >= 12
	}
	for ; !enough(); reloads++ {
		if l.Troubles() > 0 {
			t.Errorf("after %d reloads there are faults", reloads)
			return reloads
		}
		c.workers = workers[(reloads+1)%len(workers)]
		s.Configure(c.text())
		reload(t, s)
		<-tick.C
	}
	from := l.Answered()
	if !harness.Poll(patience, func() bool { return l.Answered() >= from+200 || l.Troubles() > 0 }) {
		t.Errorf("only %d answers within %v after the last reload", l.Answered()-from, patience)
	}
	return reloads
}
