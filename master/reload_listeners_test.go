package master

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"srvctl/conf"
	"srvctl/proto/control"
	"srvctl/shared/sock"
)

// Sockets of slots that are scaled away are accepted from by all that remain.
func TestReloadWithFewerWorkers(t *testing.T) {
	inBubble(t, testConfig(4), func(t *testing.T, s *testServer) {
		s.run()
		for _, n := range []int{2, 3} {
			s.changeTo(testConfig(n))
			if _, _, end := s.askReload(true).answer(); end.Code() != 0 {
				t.Fatal(end)
			}
			synctest.Wait()
			for slot := range n {
				w := s.worker(slot)
				set := heard[control.Commit](w)[0].Accept
				if a := heard[control.Accept](w); len(a) > 0 {
					set = a[len(a)-1].Slots
				}
				want := []int{slot}
				for surplus := n; surplus < 4; surplus++ {
					want = append(want, surplus)
				}
				if !slices.Equal(set, want) {
					t.Errorf("%d workers: slot %d accepts from %v, want %v", n, slot, set, want)
				}
				if l := heard[control.Listener](w); l[0].Count != 4 {
					t.Errorf("%d workers: slot %d got %d sockets, want all 4", n, slot, l[0].Count)
				}
			}
		}
		s.stopAndEnd()
	})
}

// The queue of a listener that goes is emptied by the workers that leave it;
// the master has closed it by then.
func TestReloadRemovesAListener(t *testing.T) {
	two := testConfig(2)
	two.Listeners = append(two.Listeners, conf.Listener{Name: "alt", Address: "127.0.0.1:1"})
	inBubble(t, two, func(t *testing.T, s *testServer) {
		s.run()
		s.changeTo(testConfig(2))
		_, report, end := s.askReload(false).answer()
		if end.Code() != 0 || !slices.Equal(s.host.closed, []string{"127.0.0.1:1"}) {
			t.Errorf("%+v, closed %v", end, s.host.closed)
		}
		if !strings.Contains(strings.Join(report.Changes, "\n"), "alt") {
			t.Errorf("changes %q", report.Changes)
		}
		if d := heard[control.Drain](s.host.started(1)[0]); len(d) != 1 || !slices.Equal(d[0].Empty, []int{1}) {
			t.Errorf("drain %+v, want the queue of the second listener emptied", d)
		}
		if l := heard[control.Listener](s.worker(0)); len(l) != 1 {
			t.Errorf("the new worker got %d listeners", len(l))
		}
		s.stopAndEnd()
	})
}

// A crash of an old worker while the new ones come up is an ordinary crash.
func TestCrashBeforeTheBarrier(t *testing.T) {
	inBubble(t, testConfig(2), func(t *testing.T, s *testServer) {
		s.run()
		goOn := make(chan struct{}, 8)
		s.inGeneration(2, stepwise(goOn))
		r := s.askReload(false)
		synctest.Wait()
		s.host.started(1)[0].die(syscall.WaitStatus(9))
		pass(backoffFirst)
		s.wantStates("the old one is back", "serving", "serving", "starting")
		for range 4 {
			goOn <- struct{}{}
		}
		if _, _, end := r.answer(); end.Code() != 0 {
			t.Error(end)
		}
		s.wantStates("the new generation serves", "serving", "serving")
		s.stopAndEnd()
	})
}

// Listeners of port 0 share an address and are not the same.
func TestReloadWithTwoOfOneAddress(t *testing.T) {
	c := testConfig(2)
	c.Listeners = append(c.Listeners, conf.Listener{Name: "alt", Address: c.Listeners[0].Address})
	inBubble(t, c, func(t *testing.T, s *testServer) {
		s.run()
		before := []*sock.Set{s.gen.listeners[0].set, s.gen.listeners[1].set}
		if _, _, end := s.askReload(true).answer(); end.Code() != 0 {
			t.Fatal(end)
		}
		s.changeTo(testConfig(2))
		_, _, end := s.askReload(true).answer()
		s.stopAndEnd()
		if end.Code() != 0 || len(s.gen.listeners) != 1 || s.gen.listeners[0].set != before[0] || !slices.Equal(s.host.closed, []string{c.Listeners[0].Address}) {
			t.Errorf("%+v, %d listeners, closed %v; want the first kept and the second closed", end, len(s.gen.listeners), s.host.closed)
		}
	})
}

// A listener that nobody can reach any more is bound anew.
func TestReloadBindsTheUnreachable(t *testing.T) {
	c := testConfig(2)
	c.Listeners[0].Address = "unix:/run/site.sock"
	inBubble(t, c, func(t *testing.T, s *testServer) {
		s.run()
		before := s.gen.listeners[0].set
		s.host.change(func() { s.host.unlinked = c.Listeners[0].Address })
		_, _, end := s.askReload(true).answer()
		if d := heard[control.Drain](s.host.started(0)[0]); len(d) != 1 || !slices.Equal(d[0].Empty, []int{0}) {
			t.Errorf("drain %+v, want the old queue emptied", d)
		}
		s.stopAndEnd()
		if end.Code() != 0 || s.gen.listeners[0].set == before || len(s.host.closed) != 1 {
			t.Errorf("%+v, closed %v; want another socket in the place of the old one", end, s.host.closed)
		}
	})
}
