package master

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"srvctl/proto/control"
)

func TestStop(t *testing.T) {
	c := testConfig(2)
	c.Drain.Delay = 3 * time.Second
	inBubble(t, c, func(t *testing.T, s *testServer) {
		s.run()
		op := newOperation()
		s.post(stopRequest{why: "test", op: op})
		s.wantStates("all drain", "draining", "draining")
		if r := s.public.Load(); r.Ready || r.State != "stopping" {
			t.Errorf("readiness = %+v during the delay, want not ready", r)
		}
		want := control.Drain{Timeout: 30 * time.Second, Idle: 10 * time.Second, Delay: 3*time.Second + 2*settleLimit, Why: "stop", Empty: []int{0}}
		if got := heard[control.Drain](s.worker(1)); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("drain = %+v, want %+v", got, want)
		}
		if left, refused := s.host.doors(); left || refused != 0 {
			t.Error("listeners were given up before drain.delay was over")
		}
		pass(3 * time.Second)
		synctest.Wait()
		want.Delay = 0
		if got := heard[control.Drain](s.worker(1)); len(got) != 2 || !reflect.DeepEqual(got[1], want) {
			t.Errorf("drain = %+v, want %+v", got, want)
		}
		if left, refused := s.host.doors(); !left || refused != 1 {
			t.Error("the master keeps the sockets: clients would connect and hang")
		}
		if err := s.end(); err != nil {
			t.Errorf("run = %v", err)
		}
		if got := s.stop.summary(time.Now()); got != "stopped after 3s: 6 connections finished, 2 cut" {
			t.Errorf("summary = %q", got)
		}
		if line := <-op.lines; !strings.Contains(line.Text, "3 connections finished, 1 cut") {
			t.Errorf("progress = %q", line.Text)
		}
	})
}

// A worker that does not end gets SIGTERM after the timeout and then SIGKILL.
func TestStopOfAStubbornWorker(t *testing.T) {
	inBubble(t, testConfig(2), func(t *testing.T, s *testServer) {
		s.host.behave = stubborn
		s.run()
		began := time.Now()
		s.post(stopRequest{why: "test", timeout: 5 * time.Second})
		if err := s.end(); err != nil {
			t.Errorf("run = %v", err)
		}
		if got := s.worker(1).signalled(); !slices.Equal(got, []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}) {
			t.Errorf("signals %v, want TERM, then KILL", got)
		}
		if got, want := time.Since(began), 5*time.Second+drainGrace+dyingGrace; got != want {
			t.Errorf("it took %v, want %v", got, want)
		}
		if s.stop.killed != 1 || !strings.Contains(s.stop.summary(time.Now()), "1 worker did not end in time") {
			t.Errorf("summary %q", s.stop.summary(time.Now()))
		}
	})
}

// A worker that has drained may take longer to exit than its drain could last.
func TestStopOfASlowExit(t *testing.T) {
	inBubble(t, testConfig(1), func(t *testing.T, s *testServer) {
		const exit = drainGrace + 3*time.Second
		s.host.behave = func(w *fakeWorker) {
			for msg := range w.orders {
				switch msg.(type) {
				case control.Prepare:
					w.says <- control.Ready{Checksum: 1}
				case control.Commit:
					w.says <- control.Serving{}
				case control.Drain:
					w.says <- control.Drained{}
					pass(exit)
					w.die(exitZero)
					return
				}
			}
		}
		s.run()
		began := time.Now()
		s.post(stopRequest{why: "test", timeout: time.Second})
		if err := s.end(); err != nil || len(s.worker(0).signalled()) != 0 || time.Since(began) != exit {
			t.Errorf("run = %v after %v, signals %v; want it waited for", err, time.Since(began), s.worker(0).signalled())
		}
	})
}

// stubborn makes the worker of slot 1 one that serves and ignores Drain and
// SIGTERM.
func stubborn(w *fakeWorker) {
	if w.slot != 1 {
		obey(w)
		return
	}
	w.mu.Lock()
	w.tough = true
	w.mu.Unlock()
	for {
		select {
		case msg := <-w.orders:
			switch msg.(type) {
			case control.Prepare:
				w.says <- control.Ready{Checksum: 1}
			case control.Commit:
				w.says <- control.Serving{}
			}
		case <-w.gonec:
			return
		}
	}
}

func TestSecondSignalStopsAtOnce(t *testing.T) {
	inBubble(t, testConfig(2), func(t *testing.T, s *testServer) {
		s.host.behave = stubborn
		s.run()
		began := time.Now()
		s.post(signalled{syscall.SIGTERM})
		s.wantStates("one has drained", "vacant", "draining")
		s.post(signalled{syscall.SIGQUIT})
		s.wantStates("SIGQUIT changes nothing", "vacant", "draining")
		s.post(signalled{syscall.SIGINT})
		if err := s.end(); err != nil {
			t.Errorf("run = %v", err)
		}
		if took := time.Since(began); took > dyingGrace {
			t.Errorf("it took %v, want at most %v", took, dyingGrace)
		}
	})
}

func TestStopNow(t *testing.T) {
	inBubble(t, testConfig(2), func(t *testing.T, s *testServer) {
		s.run()
		began := time.Now()
		s.post(stopRequest{why: "test", hard: true})
		if err := s.end(); err != nil {
			t.Errorf("run = %v", err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v, want no time", took)
		}
	})
}

// What is between two workers when the server stops does not get a new one.
func TestStopBetweenWorkers(t *testing.T) {
	for name, spawned := range map[string]error{"waiting": nil, "forking": nil, "forking that fails": errors.New("no")} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, testConfig(2), func(t *testing.T, s *testServer) {
				hold := make(chan struct{})
				s.run()
				s.worker(1).die(syscall.WaitStatus(9))
				synctest.Wait()
				if name != "waiting" {
					s.host.change(func() { s.host.spawnErr = func(birth) error { <-hold; return spawned } })
					pass(backoffFirst)
					s.wantStates("it is being started", "serving", "forking")
				}
				s.post(stopRequest{why: "test"})
				synctest.Wait()
				close(hold)
				if err := s.end(); err != nil {
					t.Errorf("run = %v", err)
				}
			})
		})
	}
}

func TestCrashWhileDraining(t *testing.T) {
	inBubble(t, testConfig(2), func(t *testing.T, s *testServer) {
		s.host.behave = stubborn
		s.run()
		s.post(stopRequest{why: "test"})
		synctest.Wait()
		s.worker(1).die(syscall.WaitStatus(11))
		if err := s.end(); err != nil {
			t.Errorf("run = %v", err)
		}
		if len(s.host.started(1)) != 1 || s.stop.crashed != 1 {
			t.Errorf("%d workers in slot 1, %d crashes; want one each", len(s.host.started(1)), s.stop.crashed)
		}
	})
}
