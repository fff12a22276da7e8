package worker

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"srvctl/proto/http1"
	"srvctl/shared/limit"
	"srvctl/shared/metrics"
	"srvctl/shared/sock"
	"srvctl/worker/conn"
	"srvctl/worker/loop"
	"srvctl/worker/serve"
)

// The descriptors that a worker is born with, beside 0 to 2.
const (
	fdControl = 3
	fdCell    = 4
	fdHost    = 5
)

// Main runs a worker process and returns its exit code. The environment is
// the one the master makes: the descriptors above and nothing else.
func Main() int {
	fault(atStart)
	// The master's orders come through the control channel; a terminal's
	// signals are for the master.
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPIPE)
	w, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		return 1
	}
	if err := w.run(); err != nil {
		w.log.Error("loop failed", "err", err)
		fmt.Fprintln(os.Stderr, "worker:", err)
		return 1
	}
	return 0
}

// ParseReasons are the labels of the reasons for which a head is refused, by
// their number.
func ParseReasons() []string {
	names := make([]string, http1.NumReasons)
	for i := range names {
		names[i] = http1.Reason(i).String()
	}
	return names
}

// start takes everything from the master and answers Ready, or says why it
// cannot.
func start() (*worker, error) {
	control, err := sock.NewConn(fdControl)
	if err != nil {
		return nil, fmt.Errorf("control channel: %w (a worker is started by `srvctl start` only)", err)
	}
	w := &worker{control: control}
	if err := w.prepare(); err != nil {
		w.tellFailed(err)
		return nil, err
	}
	w.heedTerm()
	return w, w.tellReady()
}

// heedTerm makes SIGTERM an orderly end from here on. Until now there is
// nothing to put in order, and the process just dies of it.
func (w *worker) heedTerm() {
	termc := make(chan os.Signal, 1)
	signal.Notify(termc, syscall.SIGTERM)
	go func() {
		<-termc
		w.loop.Post(w.terminate)
	}()
}

// prepare receives orders up to Prepare and builds everything.
func (w *worker) prepare() error {
	if err := w.receiveOrders(); err != nil {
		return err
	}
	if err := w.limitFiles(); err != nil {
		return err
	}
	if err := w.mapShared(); err != nil {
		return err
	}
	w.pool = serve.NewPool(poolWorkers(), poolDepth)
	var err error
	if w.loop, err = loop.New(); err != nil {
		return err
	}
	w.srv = conn.NewServer(connLimits(w.conf))
	w.srv.Observer = w
	w.srv.Post = w.loop.Post
	w.srv.Pool = w.pool.Submit
	w.logs.client = make([]byte, 0, 64)
	if w.srv.Site, err = w.buildSite(); err != nil {
		return err
	}
	w.beat = int64(w.conf.Heartbeat.Interval)
	w.woken(w.loop.Now())
	w.loop.Woken, w.loop.Turn = w.woken, w.turn
	w.loop.Timer(w.beat, w.tick)
	return nil
}

// tick makes a turn come at least once a beat.
func (w *worker) tick() (again int64) {
	fault(atServing)
	w.sweep()
	w.countLost()
	return w.beat
}

// limitFiles makes limits.open_files what it says, also when it is less than
// what the process was born with. The master has raised the hard limit, which
// this process may no longer be able to.
func (w *worker) limitFiles() error {
	want := uint64(w.conf.Limits.OpenFiles)
	if want == 0 {
		return nil
	}
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	l.Cur = min(want, l.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("limits.open_files: %d: %w", want, err)
	}
	return nil
}

func (w *worker) mapShared() error {
	cell, err := sock.Map(fdCell)
	if err != nil {
		return fmt.Errorf("counters: %w", err)
	}
	host, err := sock.Map(fdHost)
	if err != nil {
		return fmt.Errorf("host table: %w", err)
	}
	if w.cell, err = metrics.OpenCell(cell, w.layout()); err != nil {
		return fmt.Errorf("counters: %w", err)
	}
	w.host = limit.Open(host)
	w.host.Add(w.begin.Index, 0) // from now on every sum has what is counted here
	return nil
}

// layout must be the one that the master made the cell for.
func (w *worker) layout() metrics.Layout {
	sites := make([]string, len(w.conf.Sites))
	for i := range w.conf.Sites {
		sites[i] = w.conf.Sites[i].Name
	}
	listeners := make([]string, len(w.conf.Listeners))
	for i := range w.conf.Listeners {
		listeners[i] = w.conf.Listeners[i].Name
	}
	return metrics.LayoutOf(sites, listeners, ParseReasons()...)
}

// stall is how much later than a beat a turn may be before this process has
// stood still: more than a loaded machine makes of it, less than the shortest
// deadline that clients are held to.
const stall = int64(time.Second)

func (w *worker) run() error {
	go w.readControl()
	err := w.loop.Run()
	w.end()
	return err
}

// end gives back what the process has, when the loop has ended: nothing waits
// for an answer any more.
func (w *worker) end() {
	donec := make(chan struct{})
	go func() {
		w.pool.Close()
		close(donec)
	}()
	select {
	case <-donec:
	case <-time.After(poolGrace):
		w.log.Warn("work that blocks is left behind", "hint", "a disk or a network file system that does not answer")
	}
	w.logs.close()
	w.countLost()
	w.loop.Close()
	w.log.Close()
}

// poolGrace is how long the end of a process waits for work on the pool, whose
// result nobody needs. A disk that does not answer may hold it for ever.
const poolGrace = time.Second

// woken is the first thing in every turn of the loop.
func (w *worker) woken(now int64) {
	if now-w.srv.Now > w.beat+stall {
		w.srv.Stalled = now
	}
	w.srv.Now = now
	if now >= w.nextDate {
		t := time.Now()
		w.srv.SetDate(t)
		w.wall = t.UnixNano() - now
		// The next look is when the second changes.
		w.nextDate = now + 1e9 - int64(t.Nanosecond())
	}
}

// turn is the last thing in every turn: what was counted becomes visible.
func (w *worker) turn() {
	if w.giver != nil {
		w.giver.pump()
	}
	s := w.srv
	if s.Received > 0 {
		w.cell.Received(int(s.Received))
		s.Received = 0
	}
	if s.Sent > 0 {
		w.cell.Sent(int(s.Sent))
		s.Sent = 0
	}
	w.cell.Gauges(s.Idle, s.Inflight, s.Writing, s.Inflight)
	w.cell.Beat(s.Now, w.loop.Lag())
}
