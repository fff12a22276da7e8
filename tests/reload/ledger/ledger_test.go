package ledger_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"srvctl/tests/reload/ledger"
)

// all is some connections of each form.
var all = map[ledger.Form]int{ledger.Keep: 4, ledger.Fresh: 2, ledger.Dribble: 4, ledger.Pipeline: 2}

// only is enough connections of one form to be done soon.
func only(form ledger.Form) map[ledger.Form]int {
	if form == ledger.Dribble {
		return map[ledger.Form]int{form: 30}
	}
	return map[ledger.Form]int{form: 8}
}

func TestHonestServer(t *testing.T) {
	t.Parallel()
	s := start(t, honest)
	l := ledger.Start(ledger.Options{Addr: s.addr(), Connections: only(ledger.Dribble), Idle: 10 * time.Second, From: 1e9})
	rep := s.account(ledger.Options{Connections: all}, 2000)
	l.Stop() // its lines are in the log too, and not the other's business
	if p := rep.Problems(); len(p) > 0 {
		t.Errorf("problems with an honest server: %q", p)
	}
	sum := 0
	for _, row := range rep.Rows {
		if row.Answered == 0 || row.Answered != row.Sent || row.P99 < row.P50 || row.Stall < row.P99 {
			t.Errorf("%+v: want an answer to each request, and latencies", row)
		}
		sum += row.Answered
	}
	if sum != rep.Total.Answered || len(rep.Rows) != 4 {
		t.Errorf("%d answers in %d forms, %d in total", sum, len(rep.Rows), rep.Total.Answered)
	}
	byWorker, err := ledger.Lines(s.log.Name())
	if err != nil || byWorker[0] < sum {
		t.Errorf("Lines = %v, %v; want %d of worker 0 at least", byWorker, err, sum)
	}
}

// An announced end costs nothing, wherever in a pipeline it comes.
func TestAnnouncedEnds(t *testing.T) {
	t.Parallel()
	s := start(t, each(7, func(s *standin, q question) {
		s.write(q)
		io.WriteString(q.c, q.text(true))
		q.linger()
	}))
	rep := s.account(ledger.Options{Connections: all}, 2000)
	if p := rep.Problems(); len(p) > 0 {
		t.Errorf("problems with announced ends: %q", p)
	}
	if rep.Total.Resent == 0 || rep.Total.Announced < 100 || rep.Total.Answered != rep.Total.Sent {
		t.Errorf("%+v: want ends, and all behind them sent again", rep.Total)
	}
}

// Each misbehaviour is seen by each form that can meet it, and is called by its
// name and by no other.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	every := []ledger.Form{ledger.Keep, ledger.Fresh, ledger.Dribble, ledger.Pipeline}
	for _, tc := range []struct {
		name  string
		forms []ledger.Form
		do    func(s *standin, q question)
		want  string // the classes of the faults; those behind a | may be missing
		text  string // in one of them
	}{
		{"loses", every, func(s *standin, q question) { q.linger() }, "lost", "FIN"},
		{"loses what it did", every, func(s *standin, q question) { s.write(q); q.linger() }, "lost", "FIN"},
		{"loses half an answer", every, func(s *standin, q question) {
			s.write(q)
			io.WriteString(q.c, q.text(false)[:30])
			q.linger()
		}, "lost", "FIN in the middle of the answer"},
		{"resets", every, func(s *standin, q question) { q.reset() }, "lost reset", "RST"},
		{"never answers", []ledger.Form{ledger.Keep, ledger.Pipeline}, func(s *standin, q question) { io.Copy(io.Discard, q.r) }, "lost", "timeout"},
		{"does it twice", every, func(s *standin, q question) { s.write(q); honest(s, q) }, "doubled", "in the log 2 times"},
		{"does not do it", every, func(s *standin, q question) {
			io.WriteString(q.c, q.text(q.closes))
			if q.closes {
				q.linger()
			}
		}, "unlogged", "not in the log"},
		{"answers for another", []ledger.Form{ledger.Keep, ledger.Pipeline}, func(s *standin, q question) {
			q.target, q.body = "/n/1", "1\n"
			honest(s, q)
		}, "doubled wrong | unlogged", "want"},
		{"fails", every, func(s *standin, q question) {
			s.write(q)
			io.WriteString(q.c, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy")
		}, "wrong", "503"},
		{"writes no head", every, func(s *standin, q question) { s.write(q); io.WriteString(q.c, "nonsense\r\n\r\n") }, "wrong", "status line"},
		{"writes no length", every, func(s *standin, q question) { s.write(q); io.WriteString(q.c, "HTTP/1.1 200 OK\r\n\r\n") }, "wrong", "where its body ends"},
		{"does not close", []ledger.Form{ledger.Keep}, func(s *standin, q question) {
			s.write(q)
			io.WriteString(q.c, q.text(true))
		}, "wrong", "stays open"},
		{"closes with a reset", []ledger.Form{ledger.Keep}, func(s *standin, q question) {
			s.write(q)
			io.WriteString(q.c, q.text(true))
			q.reset()
		}, "reset | lost", "announced"},
		{"closes without a word", []ledger.Form{ledger.Keep}, func(s *standin, q question) {
			honest(s, q)
			q.c.Close()
		}, "early", "of silence"},
		{"goes on behind the end", []ledger.Form{ledger.Pipeline}, func(s *standin, q question) {
			s.write(q)
			io.WriteString(q.c, q.text(true))
			for {
				behind, err := read(q.r)
				if err != nil {
					return
				}
				s.write(behind)
			}
		}, "doubled wrong", "in the log 2 times"},
		{"makes up requests", []ledger.Form{ledger.Keep}, func(s *standin, q question) {
			honest(s, q)
			q.target = "/n/999999"
			s.write(q)
		}, "unknown", "never sent"},
	} {
		for _, form := range tc.forms {
			t.Run(fmt.Sprint(tc.name, " ", form), func(t *testing.T) {
				t.Parallel()
				rep := start(t, each(5, tc.do)).account(ledger.Options{
					Connections: only(form), Patience: 300 * time.Millisecond,
				}, 25)
				wantFaults(t, rep, tc.want, tc.text)
			})
		}
	}
}

// wantFaults wants faults of these classes and no others, and in one of them the
// text.
func wantFaults(t *testing.T, rep ledger.Report, classes, text string) {
	t.Helper()
	found := false
	met := map[string]bool{}
	for _, f := range rep.Faults {
		met[f.Class.String()] = true
		if !strings.Contains(" "+classes+" ", " "+f.Class.String()+" ") {
			t.Errorf("fault %v; want only %s", f, classes)
		}
		found = found || strings.Contains(f.Text, text)
	}
	must, _, _ := strings.Cut(classes, "|")
	for _, class := range strings.Fields(must) {
		if !met[class] {
			t.Errorf("no fault is called %s: %v", class, rep.Faults)
		}
	}
	if !found {
		t.Errorf("no fault says %q: %v", text, rep.Faults)
	}
	if len(rep.Problems()) == 0 {
		t.Error("no problems are reported")
	}
}

// A connection that was silent for long may end unannounced, and a request that
// meets that end is no loss of the server's.
func TestSilence(t *testing.T) {
	t.Parallel()
	var closed atomic.Int64
	idle := func(s *standin, q question) {
		honest(s, q)
		q.c.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
		if _, err := q.r.Peek(1); err != nil {
			closed.Add(1)
			q.c.Close()
			return
		}
		q.c.SetReadDeadline(time.Time{})
	}
	rep := start(t, idle).account(ledger.Options{Connections: only(ledger.Keep), Idle: 30 * time.Millisecond}, 200)
	if n := rep.Total.Unannounced + rep.Total.Raced; n == 0 || int64(n) > closed.Load() {
		t.Errorf("%d ends of silent connections, %d made", n, closed.Load())
	}
	if rep.Total.Unannounced > 0 && rep.Total.Silence < 30*time.Millisecond {
		t.Errorf("the shortest silence is %v, but the server waits for 30ms", rep.Total.Silence)
	}
	if p := rep.Problems(); len(p) > 0 {
		t.Errorf("problems with ends after long silence: %q", p)
	}
}

// Nobody listens any more, which is a fault or not as the test says, and what
// was known to be unprocessed may then never be sent.
func TestRefusal(t *testing.T) {
	t.Parallel()
	for _, allow := range []bool{true, false} {
		t.Run(fmt.Sprint("allowed ", allow), func(t *testing.T) {
			t.Parallel()
			gone := make(chan struct{})
			s := start(t, func(s *standin, q question) {
				if q.n < 100 {
					honest(s, q)
					return
				}
				if q.n == 100 {
					s.l.Close()
					close(gone)
				}
				s.write(q)
				io.WriteString(q.c, q.text(true))
				q.linger()
			})
			l := ledger.Start(ledger.Options{Addr: s.addr(), Connections: only(ledger.Pipeline), Idle: time.Second, AllowRefusal: allow})
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for <-gone; !allow && l.Troubles() == 0; {
				<-tick.C
			}
			l.Stop()
			rep, err := l.Account(s.log.Name())
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("\n%v", rep)
			if refused := rep.Total.Faults[ledger.Refused]; (refused == 0) != allow {
				t.Errorf("%d refused connects are faults, allowed %v", refused, allow)
			}
			if p := rep.Problems(ledger.Refused); len(p) > 0 {
				t.Errorf("problems: %q", p)
			}
		})
	}
}

// An address that goes resets what it has not accepted; that is a loss if it
// was processed.
func TestUnaccepted(t *testing.T) {
	t.Parallel()
	for _, processed := range []bool{false, true} {
		t.Run(fmt.Sprint("processed ", processed), func(t *testing.T) {
			t.Parallel()
			s := start(t, each(5, func(s *standin, q question) {
				if processed {
					s.write(q)
				}
				q.reset()
			}))
			rep := s.account(ledger.Options{Connections: only(ledger.Fresh), AllowRefusal: true}, 100)
			if rep.Total.Unaccepted == 0 {
				t.Error("no request is called unaccepted")
			}
			if lost := rep.Total.Faults[ledger.Lost]; (lost > 0) != processed {
				t.Errorf("%d lost, processed %v", lost, processed)
			}
		})
	}
}

// A log that cannot be believed is an error.
func TestBrokenLog(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no end":    "{\"path\":\"/n/0\",\"worker\":0}\n{\"path\"",
		"torn line": "{\"path\":\"/n/0\",\"worker\":0}\nath\":\"/n/1\",\"worker\":0}\n",
	} {
		path := t.TempDir() + "/access.log"
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ledger.Lines(path); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%s: %v, want the line", name, err)
		}
	}
}

// Who wants connections to stay is told of every end that no client asked for.
func TestStay(t *testing.T) {
	t.Parallel()
	if p := start(t, honest).account(ledger.Options{Connections: all, Stay: true}, 2000).Problems(); len(p) > 0 {
		t.Errorf("problems with an honest server: %q", p)
	}
	silence := func(s *standin, q question) {
		honest(s, q)
		q.c.Close()
	}
	announced := func(s *standin, q question) {
		s.write(q)
		io.WriteString(q.c, q.text(true))
		q.linger()
	}
	for _, form := range []ledger.Form{ledger.Keep, ledger.Dribble, ledger.Pipeline} {
		o := ledger.Options{Connections: only(form), Stay: true}
		wantFaults(t, start(t, each(5, announced)).account(o, 100), "ended", "answered, connection")
		if form == ledger.Keep {
			o.Idle = time.Microsecond // for others such an end would be allowed
			wantFaults(t, start(t, each(5, silence)).account(o, 100), "early | lost reset", "of silence")
		}
	}
}
