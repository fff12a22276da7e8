package site

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"srvctl/tests/harness"
	"srvctl/tests/harness/proc"
)

// anyAlive says whether one of the processes still runs.
func anyAlive(list []proc.Stat) bool {
	return slices.ContainsFunc(list, func(p proc.Stat) bool {
		now, ok := proc.Read(p.PID)
		return ok && !now.Zombie && now.Started == p.Started
	})
}

// A worker that is killed under load is back within a second. Its connections
// are lost, nobody else notices, and nothing that was counted is forgotten.
func TestWorkerKilled(t *testing.T) {
	const back = time.Second
	s := harness.Start(t, harness.Options{Config: strings.Replace(hello, "workers: 2", "workers: 3", 1)})
	crowd := make([]*client, 60)
	for i := range crowd {
		crowd[i] = connect(t, "tcp", s.Addr("http"))
		must(t, crowd[i].want("/hello", 200, "hello\n"))
	}
	before := awaitStatus(t, s, "60 connections", func(st status) bool { return st.Connections == len(crowd) })
	victim := before.Workers[1]

	load := startLoad(s.Addr("http"), 4)
	watch := startWatch(t, s)
	load.awaitAnswers(t, 1000)
	began := time.Now()
	must(t, syscall.Kill(victim.PID, syscall.SIGKILL))
	allowed := stretch(back)
	var after status
	if !harness.Poll(patience, func() bool {
		after = askStatus(t, s)
		return after.Workers[1].State == "serving" && after.Workers[1].PID != victim.PID
	}) {
		t.Fatalf("not replaced: %+v", after)
	}
	took := time.Since(began)
	load.awaitAnswers(t, load.answers.Load()+1000)
	lost := load.stop()
	watch.stop()

	t.Logf("back after %v; %d answers, %d connections of the load lost", took, load.answers.Load(), lost)
	if took > allowed {
		t.Errorf("the worker is back after %v, want %v (on this machine now %v)", took, back, allowed)
	}
	if w := after.Workers[1]; w.Restarts != 1 || !strings.Contains(w.LastExit, "killed") {
		t.Errorf("status says of the slot: %d restarts, last exit %q; want 1, killed", w.Restarts, w.LastExit)
	}
	for _, slot := range []int{0, 2} {
		if now, was := after.Workers[slot], before.Workers[slot]; now.PID != was.PID || now.Restarts != 0 {
			t.Errorf("slot %d was process %d, is %+v: want it unaffected", slot, was.PID, now)
		}
	}
	if load.err() != nil || lost > 4 {
		t.Errorf("load: %d connections lost, %v; want at most one each", lost, load.err())
	}
	broken := 0
	for _, c := range crowd {
		if c.want("/hello", 200, "hello\n") != nil {
			broken++
		}
	}
	if broken != victim.Connections {
		t.Errorf("%d of the other connections were lost, want the %d of the killed worker", broken, victim.Connections)
	}
	m := readMetrics(t, s)
	if n := m.sum("srvctl_requests_total"); n < float64(load.answers.Load())+float64(len(crowd)) {
		t.Errorf("srvctl_requests_total is %v, but clients got %d answers", n, load.answers.Load()+int64(len(crowd)))
	}
	if n := m[`srvctl_worker_restarts_total{reason="crash"}`]; n != 1 {
		t.Errorf("srvctl_worker_restarts_total = %v, want 1", n)
	}
}

// load is clients that ask as fast as they get answers.
type load struct {
	addr    string
	answers atomic.Int64
	lost    atomic.Int64 // connections that broke
	failed  atomic.Value // the first thing that must not happen
	done    chan struct{}
	wg      sync.WaitGroup
}

func startLoad(addr string, clients int) *load {
	l := &load{addr: addr, done: make(chan struct{})}
	for range clients {
		l.wg.Go(l.run)
	}
	return l
}

func (l *load) run() {
	for !l.stopped() {
		c, err := dial("tcp", l.addr)
		if err != nil {
			l.failed.CompareAndSwap(nil, fmt.Errorf("connect: %w", err))
			return
		}
		l.use(c)
		c.Close()
	}
}

// use asks until the connection breaks.
func (l *load) use(c *client) {
	for !l.stopped() {
		a, err := c.ask("/hello")
		if err != nil {
			l.lost.Add(1)
			return
		}
		if a.code != 200 || a.body != "hello\n" {
			l.failed.CompareAndSwap(nil, fmt.Errorf("answer %d %q", a.code, a.body))
			return
		}
		l.answers.Add(1)
	}
}

func (l *load) stopped() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// stop ends the load and returns how many connections broke.
func (l *load) stop() int64 {
	close(l.done)
	l.wg.Wait()
	return l.lost.Load()
}

func (l *load) err() error {
	err, _ := l.failed.Load().(error)
	return err
}

func (l *load) awaitAnswers(t testing.TB, n int64) {
	t.Helper()
	if !harness.Poll(patience, func() bool { return l.answers.Load() >= n || l.err() != nil }) {
		t.Fatalf("only %d answers within %v", l.answers.Load(), patience)
	}
}

// watch reads the metrics all the time and wants that no counter shrinks.
type watch struct {
	done, ended chan struct{}
}

func startWatch(t *testing.T, s *harness.Server) *watch {
	w := &watch{make(chan struct{}), make(chan struct{})}
	url := s.URL("admin", "/metrics")
	before := readMetrics(t, s)
	go func() {
		defer close(w.ended)
		pages := 0
		for ; ; pages++ {
			select {
			case <-w.done:
				t.Logf("metrics read %d times", pages)
				return
			default:
			}
			now, err := fetchMetrics(url)
			if err != nil {
				t.Error(err)
				return
			}
			if list := now.shrunk(before); list != nil {
				t.Errorf("counters went back: %v", list)
			}
			before = now
		}
	}()
	return w
}

func (w *watch) stop() {
	close(w.done)
	<-w.ended
}
