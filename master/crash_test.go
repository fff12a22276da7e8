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

func TestCrash(t *testing.T) {
	inBubble(t, testConfig(3), func(t *testing.T, s *testServer) {
		s.run()
		first := s.worker(1)
		s.master.host.Add(first.index, 7)
		if got := s.master.host.Connections(); got != 7 {
			t.Fatalf("connections = %d, want 7", got)
		}
		began := time.Now()
		first.tail.add("panic: boom")
		first.die(exitCode(2))
		s.wantStates("it waits for its restart", "serving", "waiting", "serving")
		for _, slot := range []int{0, 2} {
			if got := heard[control.Accept](s.worker(slot)); len(got) != 1 || !slices.Equal(got[0].Slots, sorted(1, slot)) {
				t.Errorf("slot %d was told %v, want its own slot and the crashed one", slot, got)
			}
		}
		if got := s.master.host.Connections(); got != 0 {
			t.Errorf("connections = %d, want those of the dead worker forgotten", got)
		}
		st, _ := s.ask(time.Second)
		if !st.Ready || len(st.Degraded) != 1 || !strings.Contains(st.Degraded[0].Text, "panic: boom") || !strings.Contains(st.Degraded[0].Text, "restart in 100ms") {
			t.Errorf("ready %v, degraded %+v; want ready and told why", st.Ready, st.Degraded)
		}

		pass(backoffFirst)
		s.wantStates("it is back", "serving", "serving", "serving")
		if took := time.Since(began); took > backoffFirst {
			t.Errorf("it took %v, want %v", took, backoffFirst)
		}
		for _, slot := range []int{0, 2} {
			if got := heard[control.Accept](s.worker(slot)); len(got) != 2 || !slices.Equal(got[1].Slots, []int{slot}) {
				t.Errorf("slot %d was told %v, want the slot given back", slot, got)
			}
		}
		if got := heard[control.Commit](s.worker(1)); len(got) != 1 || !slices.Equal(got[0].Accept, []int{1}) {
			t.Errorf("commit of the new worker = %v", got)
		}
		st, _ = s.ask(time.Second)
		if w := st.Workers[1]; w.Restarts != 1 || !strings.Contains(w.LastExit, "exit code 2: panic: boom") || len(st.Degraded) != 0 {
			t.Errorf("status of the slot %+v, degraded %v", w, st.Degraded)
		}
		s.stopAndEnd()
	})
}

func sorted(list ...int) []int {
	slices.Sort(list)
	return list
}

// Two slots down at once: the third serves all, and each comes back for itself.
func TestCrashOfTwo(t *testing.T) {
	inBubble(t, testConfig(3), func(t *testing.T, s *testServer) {
		s.run()
		s.worker(0).die(syscall.WaitStatus(9))
		s.worker(1).die(syscall.WaitStatus(9))
		synctest.Wait()
		accepts := heard[control.Accept](s.worker(2))
		if last := accepts[len(accepts)-1].Slots; !slices.Equal(last, []int{0, 1, 2}) {
			t.Errorf("the survivor accepts from %v, want all slots", last)
		}
		pass(backoffFirst)
		s.wantStates("both are back", "serving", "serving", "serving")
		for slot := range 3 {
			list := heard[control.Accept](s.worker(slot))
			commit := heard[control.Commit](s.worker(slot))
			last := commit[len(commit)-1].Accept
			if len(list) > 0 {
				last = list[len(list)-1].Slots
			}
			if !slices.Equal(last, []int{slot}) {
				t.Errorf("slot %d accepts from %v in the end, want its own", slot, last)
			}
		}
		s.stopAndEnd()
	})
}

func TestLastWorkerCrashes(t *testing.T) {
	inBubble(t, testConfig(1), func(t *testing.T, s *testServer) {
		s.run()
		s.worker(0).die(syscall.WaitStatus(9))
		synctest.Wait()
		if r := s.public.Load(); r.Ready || r.Why != "no worker serves" {
			t.Errorf("readiness = %+v, want not ready", r)
		}
		pass(backoffFirst)
		synctest.Wait()
		if r := s.public.Load(); !r.Ready {
			t.Errorf("readiness = %+v, want ready again", r)
		}
		s.stopAndEnd()
	})
}

// A worker that crashes again and again is started less and less often, and as
// at first once it was well for a minute.
func TestBackoff(t *testing.T) {
	inBubble(t, testConfig(1), func(t *testing.T, s *testServer) {
		s.run()
		for _, want := range []time.Duration{100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000} {
			crashed := time.Now()
			n := len(s.host.started(0))
			s.worker(0).die(syscall.WaitStatus(11))
			for len(s.host.started(0)) == n {
				pass(10 * time.Millisecond)
				synctest.Wait()
			}
			if got := time.Since(crashed).Round(50 * time.Millisecond); got != want*time.Millisecond {
				t.Errorf("restart after %v, want %v", got, want*time.Millisecond)
			}
		}
		pass(healthyAfter)
		n := len(s.host.started(0))
		s.worker(0).die(syscall.WaitStatus(11))
		pass(backoffFirst)
		synctest.Wait()
		if len(s.host.started(0)) != n+1 {
			t.Error("after a healthy minute the first restart was not quick")
		}
		s.stopAndEnd()
	})
}

// A restarted worker that cannot serve is tried again; the server goes on.
func TestRestartFails(t *testing.T) {
	inBubble(t, testConfig(2), func(t *testing.T, s *testServer) {
		s.run()
		s.host.change(func() {
			s.host.behave = func(w *fakeWorker) {
				w.says <- control.Failed{Reason: "folder is gone"}
				<-w.gonec
			}
		})
		s.worker(1).die(syscall.WaitStatus(9))
		pass(time.Second)
		synctest.Wait()
		st, _ := s.ask(time.Second)
		if w := st.Workers[1]; w.State != "waiting" || !strings.Contains(w.LastExit, "folder is gone") || w.Restarts < 3 {
			t.Errorf("slot = %+v, want it waiting, with the reason", w)
		}
		s.host.change(func() { s.host.behave = obey })
		pass(backoffMax)
		s.wantStates("it works in the end", "serving", "serving")
		s.stopAndEnd()
	})
}

func TestWorkerClosesItsLink(t *testing.T) {
	inBubble(t, testConfig(2), func(t *testing.T, s *testServer) {
		s.run()
		w := s.worker(1)
		w.closeLink()
		pass(dyingGrace)
		synctest.Wait()
		if got := w.signalled(); !slices.Equal(got, []syscall.Signal{syscall.SIGKILL}) {
			t.Errorf("signals %v, want SIGKILL", got)
		}
		pass(backoffFirst)
		s.wantStates("it was replaced", "serving", "serving")
		st, _ := s.ask(time.Second)
		if got := st.Workers[1].LastExit; got != "closed its control channel" {
			t.Errorf("last exit %q", got)
		}
		s.stopAndEnd()
	})
}

func TestFullLink(t *testing.T) {
	inBubble(t, testConfig(2), func(t *testing.T, s *testServer) {
		s.run()
		w := s.worker(0)
		deaf := func(on bool) { w.mu.Lock(); w.deaf = on; w.mu.Unlock() }
		deaf(true)
		s.worker(1).die(syscall.WaitStatus(9)) // it should be told to stand in
		synctest.Wait()
		if got := heard[control.Accept](w); len(got) != 0 {
			t.Fatalf("heard %v through a full link", got)
		}
		deaf(false)
		pass(outboxRetry)
		synctest.Wait()
		if got := heard[control.Accept](w); len(got) != 1 {
			t.Errorf("heard %v, want what had waited", got)
		}
		deaf(true)
		for range maxOutbox + 1 {
			s.post(reopenLogs{})
			synctest.Wait()
		}
		pass(time.Second)
		s.wantStates("a worker that never reads is replaced", "serving", "serving")
		if st, _ := s.ask(time.Second); !strings.Contains(st.Workers[0].LastExit, "does not read its control channel") {
			t.Errorf("last exit %q", st.Workers[0].LastExit)
		}
		s.stopAndEnd()
	})
}

func TestDegradedWorker(t *testing.T) {
	inBubble(t, testConfig(1), func(t *testing.T, s *testServer) {
		s.run()
		s.worker(0).says <- control.Degraded{Key: "accept", Text: "out of descriptors"}
		synctest.Wait()
		if st, _ := s.ask(time.Second); len(st.Degraded) != 1 || st.Degraded[0] != (Degraded{0, "accept", "out of descriptors"}) {
			t.Errorf("degraded = %+v", st.Degraded)
		}
		s.worker(0).says <- control.Degraded{Key: "accept"}
		synctest.Wait()
		if st, _ := s.ask(time.Second); len(st.Degraded) != 0 {
			t.Errorf("degraded = %+v, want none", st.Degraded)
		}
		s.stopAndEnd()
	})
}
