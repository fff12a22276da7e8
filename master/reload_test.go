package master

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"srvctl/conf"
	"srvctl/proto/control"
)

// reloading is an operator who waits for a reload.
type reloading struct {
	*operation
	t *testing.T
}

func (s *testServer) askReload(wait bool) *reloading {
	s.t.Helper()
	op := newOperation()
	s.post(reloadRequest{why: "test", asker: &asker{op, wait}})
	return &reloading{op, s.t}
}

// answer returns what the operator was told, once all is said.
func (r *reloading) answer() (lines []string, report ReloadReport, end Answer) {
	r.t.Helper()
	end = <-r.endc
	for len(r.lines) > 0 {
		switch a := <-r.lines; a.Event {
		case EventResult:
			if err := json.Unmarshal(a.Data, &report); err != nil {
				r.t.Fatal(err)
			}
		default:
			lines = append(lines, a.Text)
		}
	}
	return lines, report, end
}

func (r *reloading) wantFailure(want string) {
	r.t.Helper()
	_, report, end := r.answer()
	if end.Code() != 1 || !strings.Contains(end.Error, want) || report.Result == reloadOK {
		r.t.Errorf("answer %d %q, report %+v; want exit 1 with %q", end.Code(), end.Error, report, want)
	}
}

func (r *reloading) unanswered() {
	r.t.Helper()
	synctest.Wait()
	if len(r.endc) > 0 {
		r.t.Errorf("answered already: %+v", <-r.endc)
	}
}

// changeTo makes the next reload find this configuration.
func (s *testServer) changeTo(c *conf.Config) {
	s.load = func() (*conf.Config, conf.Problems) { return c, nil }
}

// inGeneration lets the workers of one generation behave in a way of their own.
func (s *testServer) inGeneration(number int, behave func(*fakeWorker)) {
	s.host.change(func() {
		before := s.host.behave
		s.host.behave = func(w *fakeWorker) {
			if w.generation == number {
				behave(w)
				return
			}
			before(w)
		}
	})
}

// untouched is called after a reload that failed: the workers of the first
// generation were told nothing.
func (s *testServer) untouched() {
	s.t.Helper()
	synctest.Wait()
	for slot := range s.gen.slots {
		w := s.host.started(slot)[0]
		if len(heard[control.Drain](w)) != 0 || len(heard[control.Accept](w)) != 0 || len(w.signalled()) != 0 {
			s.t.Errorf("slot %d heard %v and got %v; want nothing", slot, w.got, w.signalled())
		}
	}
	st, _ := s.ask(time.Second)
	if st.Generation != 1 || !st.Ready || st.Reload != nil || s.host.alive() != len(s.gen.slots) {
		s.t.Errorf("generation %d, ready %v, reload %+v, %d processes; want the first one as it was", st.Generation, st.Ready, st.Reload, s.host.alive())
	}
	if len(s.host.closed) != 0 {
		s.t.Errorf("closed %v", s.host.closed)
	}
}

// stepwise is a worker that answers one order at a time, when the test says so.
func stepwise(goOn <-chan struct{}) func(*fakeWorker) {
	return func(w *fakeWorker) {
		for {
			var answer control.Message
			select {
			case msg := <-w.orders:
				switch msg.(type) {
				case control.Prepare:
					answer = control.Ready{Checksum: 1}
				case control.Commit:
					answer = control.Serving{}
				case control.Drain:
					w.says <- control.Left{}
					w.says <- control.Drained{Finished: 1}
					w.die(exitZero)
					return
				default:
					continue
				}
			case <-w.gonec:
				return
			}
			select {
			case <-goOn:
				w.says <- answer
			case <-w.gonec:
				return
			}
		}
	}
}

func TestReload(t *testing.T) {
	inBubble(t, testConfig(3), func(t *testing.T, s *testServer) {
		s.run()
		goOn := make(chan struct{})
		s.inGeneration(2, stepwise(goOn))
		r := s.askReload(false)
		s.wantStates("the canary goes first", "serving", "serving", "serving", "starting")
		goOn <- struct{}{}
		s.wantStates("its Ready lets the others start", "serving", "serving", "serving", "ready", "starting", "starting")
		goOn <- struct{}{}
		synctest.Wait()
		for slot := range 3 {
			if n := len(heard[control.Drain](s.host.started(slot)[0])); n != 0 {
				t.Errorf("slot %d drains before the barrier", slot)
			}
		}
		goOn <- struct{}{}
		s.wantStates("all are ready: the first is told to accept", "serving", "serving", "serving", "opening", "ready", "ready")
		r.unanswered()
		goOn <- struct{}{}
		s.wantStates("it serves: the old one has drained", "serving", "serving", "serving", "opening", "ready")
		for range 2 {
			goOn <- struct{}{}
		}
		lines, report, end := r.answer()
		if end.Code() != 0 || report.Generation != 2 || report.Result != reloadOK || len(report.Workers) != 3 {
			t.Errorf("answer %+v, report %+v", end, report)
		}
		if len(lines) != 4 || !strings.HasPrefix(lines[0], "slot 0: pid ") || !strings.Contains(lines[0], "serves, generation 2") || !strings.HasPrefix(lines[3], "generation 2 serves: 3 workers") {
			t.Errorf("lines %q", lines)
		}
		for slot := range 3 {
			list := s.host.started(slot)
			if len(list) != 2 {
				t.Fatalf("slot %d had %d workers", slot, len(list))
			}
			if d := heard[control.Drain](list[0]); len(d) != 1 || d[0].Why != control.WhyReload || len(d[0].Empty) != 0 || d[0].Timeout != 30*time.Second {
				t.Errorf("slot %d: drain %+v, want one that leaves the queues to the successor", slot, d)
			}
			if c := heard[control.Commit](list[1]); len(c) != 1 || !slices.Equal(c[0].Accept, []int{slot}) {
				t.Errorf("slot %d: commit %v, want its own socket", slot, c)
			}
		}
		synctest.Wait()
		st, _ := s.ask(time.Second)
		if st.Generation != 2 || !st.Ready || st.LastReload == nil || st.LastReload.Result != reloadOK || len(st.Workers) != 3 {
			t.Errorf("status %+v", st)
		}
		s.stopAndEnd()
	})
}

// What keeps a reload from its barrier leaves the workers before alone, and
// the next reload works.
func TestReloadFails(t *testing.T) {
	last := func(w *fakeWorker) bool { return w.slot == 1 }
	mute := func(w *fakeWorker) { <-w.gonec }
	for _, tt := range []struct {
		name   string
		behave func(*fakeWorker) // of the last worker of generation 2
		set    func(*testServer)
		after  time.Duration
		want   string
	}{
		{name: "broken file", want: "1 problem", set: func(s *testServer) {
			s.load = func() (*conf.Config, conf.Problems) { return nil, conf.Problems{{Key: "workers", Message: "is wrong"}} }
		}},
		{name: "taken port", want: "in use", set: func(s *testServer) { s.draftErr = errors.New("listener http: in use") }},
		{name: "listener cannot change", want: "no more", set: func(s *testServer) { s.prepareErr = errors.New("no more") }},
		{name: "says why", want: "cannot serve: no such folder", behave: func(w *fakeWorker) {
			w.says <- control.Failed{Reason: "no such folder"}
			<-w.gonec
		}},
		{name: "crashes at start", want: "exit code 2\npanic: boom", behave: func(w *fakeWorker) {
			w.tail.add("panic: boom")
			w.die(exitCode(2))
		}},
		{name: "hangs at start", want: "was not ready within ready_timeout (10s)", after: 10 * time.Second, behave: mute},
		{name: "built something else", want: "another configuration", behave: func(w *fakeWorker) {
			w.says <- control.Ready{Checksum: 2}
			<-w.gonec
		}},
		{name: "cannot be started", want: "no more processes", set: func(s *testServer) {
			s.host.spawnErr = func(b birth) error {
				if b.generation == 2 && b.slot == 1 {
					return errors.New("no more processes")
				}
				return nil
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, testConfig(2), func(t *testing.T, s *testServer) {
				s.run()
				good := s.load
				if tt.set != nil {
					s.host.change(func() { tt.set(s) })
				}
				if tt.behave != nil {
					s.inGeneration(2, func(w *fakeWorker) {
						if last(w) {
							tt.behave(w)
							return
						}
						obey(w)
					})
				}
				began := time.Now()
				s.askReload(false).wantFailure(tt.want)
				if took := time.Since(began); took != tt.after {
					t.Errorf("it took %v, want %v", took, tt.after)
				}
				s.untouched()
				if st, _ := s.ask(time.Second); st.LastReload.Result != reloadFailed || !strings.Contains(st.LastReload.Error, tt.want) {
					t.Errorf("last reload %+v", st.LastReload)
				}

				s.host.change(func() { s.load, s.draftErr, s.prepareErr, s.host.spawnErr, s.host.behave = good, nil, nil, nil, obey })
				if _, report, end := s.askReload(false).answer(); end.Code() != 0 || report.Generation != 2 {
					t.Errorf("the next reload: %+v, %+v", end, report)
				}
				s.stopAndEnd()
			})
		})
	}
}

// Everything that is asked for during a reload is one further reload.
func TestReloadsAreCoalesced(t *testing.T) {
	inBubble(t, testConfig(2), func(t *testing.T, s *testServer) {
		s.run()
		goOn := make(chan struct{})
		s.inGeneration(2, stepwise(goOn))
		first := s.askReload(false)
		synctest.Wait()
		for range 20 {
			s.post(signalled{syscall.SIGHUP})
		}
		var later []*reloading
		for range 3 {
			later = append(later, s.askReload(false))
		}
		later[0].unanswered()
		close(goOn)
		if _, report, end := first.answer(); end.Code() != 0 || report.Generation != 2 {
			t.Errorf("first: %+v %+v", end, report)
		}
		for _, r := range later {
			if _, report, end := r.answer(); end.Code() != 0 || report.Generation != 3 {
				t.Errorf("later: %+v %+v, want generation 3 for all", end, report)
			}
		}
		synctest.Wait()
		if st, _ := s.ask(time.Second); st.Generation != 3 || st.Reload != nil {
			t.Errorf("generation %d in the end, reload %v", st.Generation, st.Reload)
		}
		s.stopAndEnd()
	})
}

func TestReloadDuringStart(t *testing.T) {
	inBubble(t, testConfig(2), func(t *testing.T, s *testServer) {
		goOn := make(chan struct{})
		s.inGeneration(1, stepwise(goOn))
		s.run()
		r := s.askReload(false)
		r.unanswered()
		close(goOn)
		if _, report, end := r.answer(); end.Code() != 0 || report.Generation != 2 {
			t.Errorf("%+v %+v, want a reload once the server serves", end, report)
		}
		s.stopAndEnd()
	})
}

// A stop ends a reload wherever it is, and the server ends as always.
func TestStopDuringReload(t *testing.T) {
	for stage := range 5 {
		t.Run(fmt.Sprint("after ", stage, " steps"), func(t *testing.T) {
			inBubble(t, testConfig(2), func(t *testing.T, s *testServer) {
				s.run()
				goOn := make(chan struct{}, 16)
				s.inGeneration(2, stepwise(goOn))
				if stage == 0 {
					load := s.load
					s.load = func() (*conf.Config, conf.Problems) { pass(time.Second); return load() }
				}
				r := s.askReload(false)
				again := s.askReload(true)
				for range stage - 1 {
					goOn <- struct{}{}
				}
				synctest.Wait()
				s.post(stopRequest{why: "test"})
				if err := s.end(); err != nil {
					t.Errorf("run = %v", err)
				}
				r.wantFailure("the server stops")
				again.wantFailure("the server stops")
			})
		})
	}
}

func TestReloadWaitsForTheOld(t *testing.T) {
	inBubble(t, testConfig(2), func(t *testing.T, s *testServer) {
		s.inGeneration(1, slowDrain(5*time.Second))
		s.run()
		began := time.Now()
		lines, report, end := s.askReload(true).answer()
		if took := time.Since(began); took != 5*time.Second || end.Code() != 0 {
			t.Errorf("answer %+v after %v, want 0 when the old have drained", end, took)
		}
		if text := strings.Join(lines, "\n"); !strings.Contains(text, "slot 1: drained, 7 connections finished, 2 cut") || !strings.Contains(text, "generation 1 has drained: 14 connections finished, 4 cut") {
			t.Errorf("lines %q", lines)
		}
		if report.Workers[0].Finished != 7 || report.Workers[1].Cut != 2 {
			t.Errorf("report %+v", report)
		}
		s.stopAndEnd()
	})
}

// slowDrain is a worker whose clients take their time.
func slowDrain(d time.Duration) func(*fakeWorker) {
	return func(w *fakeWorker) {
		var end <-chan time.Time
		for {
			select {
			case msg := <-w.orders:
				switch m := msg.(type) {
				case control.Prepare:
					w.says <- control.Ready{Checksum: 1}
				case control.Commit:
					w.says <- control.Serving{}
				case control.Drain:
					w.says <- control.Left{}
					if wait := min(d, m.Timeout); end == nil || m.Idle == 0 {
						end = time.After(wait)
					}
				}
			case <-end:
				w.says <- control.Drained{Finished: 7, Cut: 2}
				w.die(exitZero)
				return
			case <-w.gonec:
				return
			}
		}
	}
}

// No more than drain.generations old generations exist: the oldest is ended.
func TestReloadEvictsTheOldest(t *testing.T) {
	c := testConfig(2)
	c.Drain.Generations = 2
	inBubble(t, c, func(t *testing.T, s *testServer) {
		s.host.behave = slowDrain(20 * time.Second)
		s.run()
		for range 2 {
			if _, _, end := s.askReload(false).answer(); end.Code() != 0 {
				t.Fatal(end)
			}
		}
		began := time.Now()
		lines, report, end := s.askReload(false).answer()
		if end.Code() != 0 || report.Generation != 4 || !strings.Contains(lines[0], "generation 1 is ended: at most 2 old generations may drain") {
			t.Errorf("%+v %+v %q", end, report, lines)
		}
		if took := time.Since(began); took != evictGrace {
			t.Errorf("it took %v, want %v for what was in flight", took, evictGrace)
		}
		first := heard[control.Drain](s.host.started(0)[0])
		if len(first) != 2 || first[1].Idle != 0 || first[1].Timeout != evictGrace {
			t.Errorf("the oldest was told %+v", first)
		}
		if n := s.host.alive(); n != 6 {
			t.Errorf("%d processes, want those of three generations", n)
		}
		s.stopAndEnd()
	})
}

// After the barrier there is no way back: a worker that crashes is restarted,
// and its neighbours accept from its socket meanwhile.
func TestCrashWhileRolling(t *testing.T) {
	inBubble(t, testConfig(3), func(t *testing.T, s *testServer) {
		s.run()
		died := false
		s.inGeneration(2, func(w *fakeWorker) {
			if w.slot != 1 || died {
				obey(w)
				return
			}
			died = true
			for msg := range w.orders {
				switch msg.(type) {
				case control.Prepare:
					w.says <- control.Ready{Checksum: 1}
				case control.Commit:
					w.die(syscall.WaitStatus(11))
					return
				}
			}
		})
		lines, report, end := s.askReload(false).answer()
		if end.Code() != 0 || report.Generation != 2 || !strings.Contains(strings.Join(lines, "\n"), "slot 1: the new worker is restarted: killed by SIGSEGV") {
			t.Errorf("%+v %+v %q", end, report, lines)
		}
		synctest.Wait()
		var accepted []int
		for _, w := range []*fakeWorker{s.worker(0), s.worker(2)} {
			if a := heard[control.Accept](w); len(a) > 0 {
				accepted = append(accepted, a[len(a)-1].Slots...)
			}
			accepted = append(accepted, heard[control.Commit](w)[0].Accept...)
		}
		if !slices.Contains(accepted, 1) {
			t.Errorf("nobody accepts for slot 1: %v", accepted)
		}
		pass(backoffFirst)
		s.wantStates("it is back", "serving", "serving", "serving")
		s.stopAndEnd()
	})
}

// When none of the new workers can serve, those before go on until one can.
func TestNobodyServesAfterTheBarrier(t *testing.T) {
	inBubble(t, testConfig(1), func(t *testing.T, s *testServer) {
		s.run()
		well := false
		s.inGeneration(2, func(w *fakeWorker) {
			if well {
				obey(w)
				return
			}
			for msg := range w.orders {
				switch msg.(type) {
				case control.Prepare:
					w.says <- control.Ready{Checksum: 1}
				case control.Commit:
					w.die(syscall.WaitStatus(11))
					return
				}
			}
		})
		s.askReload(false).wantFailure("none of its workers can serve: killed by SIGSEGV")
		old := s.host.started(0)[0]
		if len(heard[control.Drain](old)) != 0 {
			t.Error("the only worker that serves was told to drain")
		}
		if r := s.public.Load(); !r.Ready {
			t.Errorf("not ready: %+v", r)
		}
		s.host.change(func() { well = true })
		pass(backoffMax)
		synctest.Wait()
		if len(heard[control.Drain](old)) != 1 {
			t.Error("the old worker was not told to drain when the new one served")
		}
		s.stopAndEnd()
	})
}
