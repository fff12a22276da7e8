package master

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"srvctl/proto/control"
)

// beating is a good worker that also beats, until its heart is stopped.
func beating(w *fakeWorker) {
	go obey(w)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.mu.Lock()
			if !w.frozen {
				w.cell.Beat(time.Now().UnixNano(), 0)
			}
			w.mu.Unlock()
		case <-w.gonec:
			return
		}
	}
}

func (w *fakeWorker) freeze(frozen bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = frozen
}

// hangs runs a test with beating workers, of which the system says found.
func hangs(t *testing.T, workers int, found func(*fakeWorker) evidence, f func(s *testServer)) {
	t.Helper()
	inBubble(t, testConfig(workers), func(t *testing.T, s *testServer) {
		s.host.behave, s.host.found = beating, found
		s.run()
		pass(30 * time.Second)
		for slot := range workers {
			if got := s.worker(slot).signalled(); len(got) != 0 {
				t.Fatalf("a worker that beats got %v", got)
			}
		}
		f(s)
		s.stopAndEnd()
	})
}

// inState is what the system says of a process: busy is its processor time in
// each second.
func inState(state string, busy time.Duration) func(*fakeWorker) evidence {
	began := time.Time{}
	return func(*fakeWorker) evidence {
		now := time.Now()
		if began.IsZero() {
			began = now
		}
		return evidence{at: now, state: state, wchan: "do_wait", busy: time.Duration(now.Sub(began).Seconds() * float64(busy))}
	}
}

func TestHungWorkerIsReplaced(t *testing.T) {
	for _, tt := range []struct {
		name  string
		found func(*fakeWorker) evidence
		want  string
	}{
		{"blocked", inState("S", 0), "state S (sleeping) in do_wait"},
		{"spinning", inState("R", time.Second), "state R (running)"},
		{"waiting for a device", inState("D", 0), "state D (waiting for a device)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hangs(t, 2, tt.found, func(s *testServer) {
				w := s.worker(1)
				w.cell.Gauges(3, 2, 0, 2)
				w.freeze(true)
				pass(9 * time.Second)
				if got := w.signalled(); len(got) != 0 {
					t.Errorf("%v before heartbeat.timeout", got)
				}
				pass(4 * time.Second)
				synctest.Wait()
				if got := w.signalled(); !slices.Equal(got, []syscall.Signal{syscall.SIGABRT}) {
					t.Errorf("signals %v, want ABRT", got)
				}
				if w.tail.most != tailAll {
					t.Error("its stacks are not kept")
				}
				pass(time.Second)
				s.wantStates("it was replaced", "serving", "serving")
				st, _ := s.ask(time.Second)
				if exit := st.Workers[1].LastExit; !strings.Contains(exit, "hung: no heartbeat for 1") || !strings.Contains(exit, "2 requests in flight, 5 connections, "+tt.want) {
					t.Errorf("last exit %q, want the evidence", exit)
				}
			})
		})
	}
}

// A worker that does not even abort is killed.
func TestHungWorkerThatDoesNotAbort(t *testing.T) {
	hangs(t, 2, inState("S", 0), func(s *testServer) {
		w := s.worker(0)
		w.freeze(true)
		w.mu.Lock()
		w.tough = true
		w.mu.Unlock()
		pass(12*time.Second + stacksGrace)
		synctest.Wait()
		if got := w.signalled(); !slices.Equal(got, []syscall.Signal{syscall.SIGABRT, syscall.SIGKILL}) {
			t.Errorf("signals %v, want ABRT, then KILL", got)
		}
	})
}

// When all hang at once, they are ended one after the other.
func TestHungWorkersOneAtATime(t *testing.T) {
	hangs(t, 3, inState("S", 0), func(s *testServer) {
		var list []*fakeWorker
		for slot := range 3 {
			w := s.worker(slot)
			w.freeze(true)
			w.mu.Lock()
			w.tough = true
			w.mu.Unlock()
			list = append(list, w)
		}
		for range 40 {
			pass(500 * time.Millisecond)
			synctest.Wait()
			dying := 0
			for _, w := range list {
				select {
				case <-w.gonec:
				default:
					if len(w.signalled()) > 0 {
						dying++
					}
				}
			}
			if dying > 1 {
				t.Fatalf("%d workers are ended at once", dying)
			}
		}
		for _, w := range list {
			if len(w.signalled()) == 0 {
				t.Error("a hung worker was left")
			}
		}
	})
}

// A worker that somebody has stopped is continued, and replaced when that
// happens again and again.
func TestStoppedWorkerIsContinued(t *testing.T) {
	hangs(t, 2, inState("T", 0), func(s *testServer) {
		w := s.worker(1)
		for i := range maxContinued {
			w.freeze(true)
			pass(12 * time.Second)
			synctest.Wait()
			if got := w.signalled(); len(got) != i+1 || got[i] != syscall.SIGCONT {
				t.Fatalf("signals %v, want CONT %d times", got, i+1)
			}
			w.freeze(false)
			pass(2 * time.Second)
		}
		w.freeze(true)
		pass(13 * time.Second)
		s.wantStates("it was replaced", "serving", "serving")
		if got := w.signalled(); got[len(got)-1] != syscall.SIGKILL {
			t.Errorf("signals %v, want KILL in the end", got)
		}
	})
}

// Those that cannot help it are left alone, and that is told once.
func TestSilentWorkerIsLeftAlone(t *testing.T) {
	for _, tt := range []struct {
		name  string
		found func(*fakeWorker) evidence
		want  string
	}{
		{"traced", inState("t", 0), "a debugger has stopped it"},
		{"starved", inState("R", 10*time.Millisecond), "the host is overloaded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hangs(t, 2, tt.found, func(s *testServer) {
				w := s.worker(0)
				w.freeze(true)
				pass(2 * time.Minute)
				synctest.Wait()
				if got := w.signalled(); len(got) != 0 {
					t.Errorf("signals %v, want none", got)
				}
				if n := strings.Count(s.log.String(), tt.want); n != 1 {
					t.Errorf("told %d times, want once", n)
				}
				w.freeze(false)
			})
		})
	}
}

// Time in which this process itself could not look does not count.
func TestPulseAfterAPauseOfTheMaster(t *testing.T) {
	p := pulse{looked: time.Unix(0, 0)}
	p.look(time.Unix(1, 0), 7, time.Second)
	p.look(time.Unix(3600, 0), 7, time.Second)
	if p.silent > 2*time.Second {
		t.Errorf("silent for %v after an hour in which nobody looked", p.silent)
	}
	p.look(time.Unix(3601, 0), 8, time.Second)
	if p.silent != 0 {
		t.Errorf("silent for %v after a beat", p.silent)
	}
}

// A worker that hangs while it drains is ended too, and has no successor.
func TestHangWhileDraining(t *testing.T) {
	inBubble(t, testConfig(1), func(t *testing.T, s *testServer) {
		s.host.found = inState("S", 0)
		s.host.behave = func(w *fakeWorker) {
			if w.generation > 1 {
				obey(w)
				return
			}
			for msg := range w.orders {
				switch msg.(type) {
				case control.Prepare:
					w.says <- control.Ready{Checksum: 1}
				case control.Commit:
					w.cell.Beat(time.Now().UnixNano(), 0)
					w.says <- control.Serving{}
				case control.Drain:
					return
				}
			}
		}
		s.run()
		if _, _, end := s.askReload(false).answer(); end.Code() != 0 {
			t.Fatal(end)
		}
		pass(15 * time.Second)
		synctest.Wait()
		if old := s.host.started(0)[0]; !slices.Equal(old.signalled(), []syscall.Signal{syscall.SIGABRT}) {
			t.Errorf("signals %v, want ABRT", old.signalled())
		}
		if len(s.host.started(0)) != 2 {
			t.Errorf("%d workers, want no successor of the old one", len(s.host.started(0)))
		}
		s.stopAndEnd()
	})
}

func TestExamine(t *testing.T) {
	e := examine(syscall.Getpid())
	if !strings.Contains(tellings, e.state) || e.state == "" {
		t.Errorf("this process is in state %q", e.state)
	}
	state, busy := parseStat([]byte("12 (a ) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0"))
	if state != "S" || busy != 2*time.Second {
		t.Errorf("parseStat = %q, %v", state, busy)
	}
	for _, bad := range []string{"", "12", "12 (a) S 1", "12 (a"} {
		if state, busy := parseStat([]byte(bad)); state != "" || busy != 0 {
			t.Errorf("parseStat(%q) = %q, %v", bad, state, busy)
		}
	}
}
