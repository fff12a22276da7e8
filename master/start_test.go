package master

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"srvctl/conf"
	"srvctl/proto/control"
)

// inBubble runs a test of the loop with time that moves when nothing else can.
func inBubble(t *testing.T, c *conf.Config, f func(t *testing.T, s *testServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newTestServer(t, c)) })
}

func TestFirstStart(t *testing.T) {
	inBubble(t, testConfig(3), func(t *testing.T, s *testServer) {
		ready := make(chan error, 1)
		s.opts.Ready = func(err error) { ready <- err }
		goOn := make(chan struct{})
		s.host.behave = func(w *fakeWorker) {
			for msg := range w.orders {
				if _, ok := msg.(control.Prepare); ok {
					break
				}
			}
			<-goOn
			w.says <- control.Ready{Checksum: 1}
			obey(w)
		}
		s.run()
		s.wantStates("the canary goes first", "starting", "vacant", "vacant")
		goOn <- struct{}{}
		s.wantStates("its Ready lets the others start", "ready", "starting", "starting")
		goOn <- struct{}{}
		synctest.Wait()
		if n := len(heard[control.Commit](s.worker(0))); n != 0 || len(s.host.listened) != 0 {
			t.Errorf("before all are ready: %d commits, listening slots %v; want none", n, s.host.listened)
		}
		goOn <- struct{}{}
		s.wantStates("all are ready", "serving", "serving", "serving")
		if err := <-ready; err != nil {
			t.Errorf("Ready(%v), want nil", err)
		}
		for slot := range 3 {
			if !s.host.listened[slot] {
				t.Errorf("slot %d does not listen", slot)
			}
			if got := heard[control.Commit](s.worker(slot)); len(got) != 1 || !slices.Equal(got[0].Accept, []int{slot}) {
				t.Errorf("commit of slot %d = %v, want its own slot once", slot, got)
			}
			if got := heard[control.Accept](s.worker(slot)); len(got) != 0 {
				t.Errorf("slot %d was told %v, want nothing more", slot, got)
			}
		}
		s.stopAndEnd()
	})
}

func TestWorkerGetsEverythingBeforePrepare(t *testing.T) {
	c := testConfig(2)
	c.AccessLog.Output = "stderr"
	inBubble(t, c, func(t *testing.T, s *testServer) {
		s.run()
		var kinds []string
		for _, msg := range s.worker(1).got {
			kinds = append(kinds, msg.Type().String())
		}
		if want := []string{"begin", "listener", "logs", "prepare", "commit"}; !slices.Equal(kinds, want) {
			t.Errorf("orders %v, want %v", kinds, want)
		}
		b := heard[control.Begin](s.worker(1))[0]
		if b.Slot != 1 || b.Generation != 1 || b.Workers != 2 || b.Index != s.worker(1).index || b.Instance == "" {
			t.Errorf("begin = %+v", b)
		}
		if l := heard[control.Listener](s.worker(1))[0]; l.Count != 2 || l.First != 0 || l.Name != "http" {
			t.Errorf("listener = %+v, want the sockets of both slots", l)
		}
		if l := heard[control.Logs](s.worker(1))[0]; !slices.Equal(l.Names, []string{"log", "access"}) {
			t.Errorf("logs = %v", l.Names)
		}
		s.stopAndEnd()
	})
}

func TestFirstStartFails(t *testing.T) {
	mute := func(w *fakeWorker) { <-w.gonec }
	for _, tt := range []struct {
		name   string
		behave func(*fakeWorker) // of slot 1; slot 0 is well
		spawn  func(birth) error
		listen func(int) error
		after  time.Duration
		want   string // part of the error
	}{
		{name: "says why", want: "cannot serve: no such folder: /srv", behave: func(w *fakeWorker) {
			w.says <- control.Failed{Reason: "no such folder: /srv"}
			<-w.gonec
		}},
		{name: "panics", want: "exit code 2\npanic: boom", behave: func(w *fakeWorker) {
			w.tail.add("panic: boom")
			w.die(exitCode(2))
		}},
		{name: "is killed", want: "killed by SIGKILL", behave: func(w *fakeWorker) { w.die(syscall.WaitStatus(9)) }},
		{name: "hangs", want: "was not ready within ready_timeout (10s)", after: 10 * time.Second, behave: mute},
		{name: "is ready and then dies", want: "killed by SIGSEGV", behave: func(w *fakeWorker) {
			w.says <- control.Ready{Checksum: 1}
			w.die(syscall.WaitStatus(11))
		}},
		{name: "does not accept", want: "did not accept within ready_timeout", after: 10 * time.Second, behave: func(w *fakeWorker) {
			w.says <- control.Ready{Checksum: 1}
			<-w.gonec
		}},
		{name: "speaks out of turn", want: "said serving while starting", behave: func(w *fakeWorker) {
			w.says <- control.Serving{}
			<-w.gonec
		}},
		{name: "sends a master's frame", want: "only the master may send", behave: func(w *fakeWorker) {
			w.says <- control.Prepare{}
			<-w.gonec
		}},
		{name: "cannot be started", want: "no more processes", spawn: func(b birth) error {
			if b.slot == 1 {
				return errors.New("no more processes")
			}
			return nil
		}},
		{name: "cannot listen", want: "listener http: taken", listen: func(slot int) error {
			if slot == 1 {
				return errors.New("taken")
			}
			return nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, testConfig(3), func(t *testing.T, s *testServer) {
				began := time.Now()
				s.host.spawnErr, s.host.listen = tt.spawn, tt.listen
				s.host.behave = func(w *fakeWorker) {
					if w.slot == 1 && tt.behave != nil {
						tt.behave(w)
						return
					}
					obey(w)
				}
				s.run()
				err := s.end()
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "worker 1") {
					t.Errorf("run = %v, want an error of worker 1 with %q", err, tt.want)
				}
				if took := time.Since(began); took < tt.after || took > tt.after+dyingGrace {
					t.Errorf("it took %v, want %v", took, tt.after)
				}
			})
		})
	}
}

func TestStopBeforeReady(t *testing.T) {
	inBubble(t, testConfig(2), func(t *testing.T, s *testServer) {
		s.host.behave = func(w *fakeWorker) { <-w.gonec }
		s.run()
		s.post(signalled{syscall.SIGINT})
		if err := s.end(); !errors.Is(err, errStopped) {
			t.Errorf("run = %v, want %v", err, errStopped)
		}
	})
}
