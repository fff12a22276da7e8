package master

// The tests of this package are inside it: they drive the loop with processes
// that are goroutines, and look at what it told them.

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"srvctl/conf"
	"srvctl/proto/control"
	"srvctl/shared/limit"
	"srvctl/shared/logging"
	"srvctl/shared/metrics"
	"srvctl/shared/sock"
)

// fakeWorker is a worker process that is a goroutine. It is its own process
// and link.
type fakeWorker struct {
	birth
	number int
	host   *fakeHost
	cell   *metrics.Cell
	tail   *tail
	orders chan control.Message // from the master
	says   chan control.Message // to the master
	gonec  chan struct{}
	hangup chan struct{} // closed when its end of the link is closed

	mu      sync.Mutex
	got     []control.Message
	signals []syscall.Signal
	deaf    bool // its link is full
	tough   bool // nothing but SIGKILL ends it
	frozen  bool // it does not beat
	exit    syscall.WaitStatus
	gone_   bool
	hung    bool
}

func (w *fakeWorker) pid() int                   { return w.number }
func (w *fakeWorker) gone() <-chan struct{}      { return w.gonec }
func (w *fakeWorker) status() syscall.WaitStatus { return w.exit }

func (w *fakeWorker) signal(sig syscall.Signal) error {
	w.mu.Lock()
	w.signals = append(w.signals, sig)
	tough := w.tough
	w.mu.Unlock()
	if sig == syscall.SIGKILL || !tough && sig != syscall.SIGCONT {
		w.die(syscall.WaitStatus(sig))
	}
	return nil
}

// die ends the process.
func (w *fakeWorker) die(status syscall.WaitStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone_ {
		return
	}
	w.gone_ = true
	w.exit = status
	if !w.hung {
		w.hung = true
		close(w.hangup)
	}
	close(w.tail.donec)
	close(w.gonec)
}

// closeLink ends the link while the process lives.
func (w *fakeWorker) closeLink() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hung = true
	close(w.hangup)
}

const exitZero = syscall.WaitStatus(0)

func exitCode(n int) syscall.WaitStatus { return syscall.WaitStatus(n << 8) }

func (w *fakeWorker) Send(frame []byte, fds []int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hung {
		return io.EOF
	}
	if w.deaf {
		return sock.ErrFull
	}
	msg, err := control.Decode(frame)
	if err != nil {
		return err
	}
	if n := control.Descriptors(msg); n != len(fds) {
		return errors.New("wrong number of descriptors")
	}
	w.got = append(w.got, msg)
	w.orders <- msg
	return nil
}

func (w *fakeWorker) Recv(buf []byte) (int, []int, error) {
	frame := func(msg control.Message) (int, []int, error) {
		out, err := control.Append(buf[:0], msg)
		return len(out), nil, err
	}
	select { // what was said before the end is read before it
	case msg := <-w.says:
		return frame(msg)
	default:
	}
	select {
	case msg := <-w.says:
		return frame(msg)
	case <-w.hangup:
		return 0, nil, io.EOF
	}
}

func (w *fakeWorker) Close() {}

// heard returns the orders it has got of one kind.
func heard[T control.Message](w *fakeWorker) (list []T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, msg := range w.got {
		if m, ok := msg.(T); ok {
			list = append(list, m)
		}
	}
	return list
}

func (w *fakeWorker) signalled() []syscall.Signal {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.signals)
}

// obey does what a good worker does.
func obey(w *fakeWorker) {
	var begin <-chan time.Time // of the drain; a later order may move it forward
	for {
		select {
		case <-begin:
			w.says <- control.Left{}
			w.says <- control.Drained{Finished: 3, Cut: 1}
			w.die(exitZero)
		case msg := <-w.orders:
			switch m := msg.(type) {
			case control.Prepare:
				w.says <- control.Ready{Checksum: 1}
			case control.Commit:
				w.says <- control.Serving{}
			case control.Drain:
				begin = time.After(m.Delay)
			}
		case <-w.gonec:
			return
		}
	}
}

// fakeHost is the operating system of a test.
type fakeHost struct {
	mu       sync.Mutex
	workers  []*fakeWorker     // all that were ever started, in order
	behave   func(*fakeWorker) // what a worker does
	spawnErr func(birth) error // why one cannot be started
	left     bool              // the master has given up its sockets
	unlinked string            // address whose file somebody has removed
	refused  int               // sockets that take no connection any more
	closed   []string          // addresses that it has closed
	listened map[int]bool      // slots whose sockets listen
	listen   func(slot int) error
	found    func(*fakeWorker) evidence // what the system says of a worker
}

func (h *fakeHost) examine(pid int) evidence {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.found(h.workers[pid-1<<30])
}

func (h *fakeHost) spawn(b birth) (*worker, error) {
	h.mu.Lock()
	spawnErr := h.spawnErr
	h.mu.Unlock()
	if spawnErr != nil {
		if err := spawnErr(b); err != nil {
			return nil, err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	w := &fakeWorker{
		birth: b, number: 1<<30 + len(h.workers), host: h, tail: newTail(),
		orders: make(chan control.Message, 4096), says: make(chan control.Message, 64),
		gonec: make(chan struct{}), hangup: make(chan struct{}),
		cell: metrics.NewCell(aligned(b.layout.Size()), b.layout),
	}
	h.workers = append(h.workers, w)
	go h.behave(w)
	return &worker{
		id: b.id, home: b.home, proc: w, link: w, tail: w.tail, cell: w.cell, unmap: func() {},
		readc: make(chan struct{}), degraded: make(map[string]string),
	}, nil
}

// change changes the host while the server runs.
func (h *fakeHost) change(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// doors says what the master did with its sockets.
func (h *fakeHost) doors() (left bool, refused int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.left, h.refused
}

// started returns the workers of a slot, in the order of their starts.
func (h *fakeHost) started(slot int) (list []*fakeWorker) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.workers {
		if w.slot == slot {
			list = append(list, w)
		}
	}
	return list
}

// alive returns the workers that have not ended.
func (h *fakeHost) alive() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.workers {
		select {
		case <-w.gonec:
		default:
			n++
		}
	}
	return n
}

func aligned(size int) []byte {
	mem := make([]byte, size+64)
	off := 64 - int(uintptr(unsafe.Pointer(unsafe.SliceData(mem)))%64)
	return mem[off : off+size]
}

// testServer is a master with fake workers.
type testServer struct {
	*master
	t    *testing.T
	host *fakeHost
	log  *lockedBuffer
	errc chan error

	load       func() (*conf.Config, conf.Problems) // what a reload finds
	draftErr   error                                // why nothing can be taken for it
	rehearse   func() (version string, err error)   // what the next program says
	leapt      chan struct{}                        // closed when the server would become it
	prepareErr error                                // why its listeners cannot be prepared
}

func testConfig(workers int) *conf.Config {
	c := &conf.Config{Workers: workers, ReadyTimeout: 10 * time.Second}
	c.Heartbeat = conf.Heartbeat{Interval: time.Second, Timeout: 10 * time.Second}
	c.Drain.Timeout = 30 * time.Second
	c.Drain.Idle = 10 * time.Second
	c.Log.Level, c.Log.Format, c.Log.Output = "debug", "json", "stderr"
	c.Limits.Connections = 100
	c.Listeners = []conf.Listener{{Name: "http", Address: "127.0.0.1:0"}}
	c.Sites = []conf.Site{{Name: "default", Listeners: []string{"http"}}}
	return c
}

// newTestServer makes a server that does not run yet.
func newTestServer(t *testing.T, c *conf.Config) *testServer {
	t.Helper()
	s := &testServer{t: t, log: new(lockedBuffer), errc: make(chan error, 1)}
	s.load = func() (*conf.Config, conf.Problems) { return c, nil }
	m := newMaster(Options{Config: c, Version: "test", Load: func(string) (*conf.Config, conf.Problems) { return s.load() }})
	s.master = m
	s.host = &fakeHost{behave: obey, listened: make(map[int]bool)}
	m.log = logging.New(logging.Options{Level: "debug", Out: s.log, Process: "master"})
	m.host = limit.Open(aligned(limit.Size()))
	m.gen = s.generation(1, c)
	m.env = env{
		spawn: s.host.spawn,
		draft: s.draft,
		prepare: func(set *sock.Set, _ sock.Spec, slots int) error {
			for len(set.Files) < slots {
				set.Files = append(set.Files, 0)
			}
			return s.prepareErr
		},
		commit:    func(*sock.Set) string { return "" },
		refuse:    func(*sock.Set) error { s.host.change(func() { s.host.refused++ }); return nil },
		settle:    func(time.Duration, ...*sock.Set) (int, error) { return 0, nil },
		reachable: func(set *sock.Set) bool { return set.Spec.Address != s.host.unlinked },
		rollback:  func(*sock.Set) {},
		close:     func(set *sock.Set) { s.host.change(func() { s.host.closed = append(s.host.closed, set.Spec.Address) }) },
		listen: func(_ *sock.Set, slot int) error {
			s.host.mu.Lock()
			defer s.host.mu.Unlock()
			if s.host.listen != nil {
				if err := s.host.listen(slot); err != nil {
					return err
				}
			}
			s.host.listened[slot] = true
			return nil
		},
		leave:   func(*sock.Set) { s.host.change(func() { s.host.left = true }) },
		open:    openLog,
		examine: func(pid int) evidence { return s.host.examine(pid) },
	}
	s.leapt = make(chan struct{})
	s.rehearse = func() (string, error) { return "", errors.New("no other program") }
	m.env.rehearse = func(_ string, _ *credential, _ *saved, stopc <-chan struct{}) (int, string, error) {
		version, err := s.rehearse()
		return -1, version, err
	}
	m.env.leap = func(*master) { close(s.leapt) }
	for i := range c.Listeners {
		m.gen.listeners = append(m.gen.listeners, &listener{number: i, name: c.Listeners[i].Name, set: fakeSet(&c.Listeners[i], c.Workers)})
	}
	return s
}

func fakeSet(l *conf.Listener, slots int) *sock.Set {
	return &sock.Set{Spec: specOf(l), Bound: l.Address, Files: make([]int, slots)}
}

// generation makes one that has taken nothing but its logs from the system.
func (s *testServer) generation(number int, c *conf.Config) *generation {
	g := newGeneration(number, c)
	g.checksum = 1
	g.layout = layoutOf(s.opts, c)
	var err error
	if g.logs, err = openLogs(openLog, logOutputs(c, ""), nil); err != nil {
		s.t.Fatal(err)
	}
	g.sealed, _ = syscall.Dup(int(os.Stdin.Fd()))
	return g
}

// draft is env.draft.
func (s *testServer) draft(number int, c *conf.Config, has setting) (*draft, error) {
	if err := s.draftErr; err != nil {
		return nil, err
	}
	d := &draft{gen: s.generation(number, c), bound: make([]*sock.Set, len(c.Listeners)), kept: make([]*sock.Set, len(c.Listeners))}
	for i := range c.Listeners {
		if sets := has.kept[c.Listeners[i].Address]; len(sets) > 0 {
			d.kept[i], has.kept[c.Listeners[i].Address] = sets[0], sets[1:]
		} else {
			d.bound[i] = fakeSet(&c.Listeners[i], c.Workers)
		}
	}
	return d, nil
}

// run starts the loop. It ends with the test.
func (s *testServer) run() {
	go func() { s.errc <- s.master.run() }()
	synctest.Wait()
}

// end waits for the end of the loop.
func (s *testServer) end() error {
	s.t.Helper()
	err := <-s.errc
	s.wg.Wait()
	if n := s.host.alive(); n != 0 {
		s.t.Errorf("%d workers are alive after the end", n)
	}
	s.master.log.Close()
	return err
}

// stopAndEnd stops the server in the usual way.
func (s *testServer) stopAndEnd() {
	s.t.Helper()
	s.post(stopRequest{why: "test"})
	if err := s.end(); err != nil {
		s.t.Errorf("run = %v, want nil", err)
	}
}

// states returns the states of all slots.
func (s *testServer) states() (list []string) {
	s.t.Helper()
	st, ok := s.ask(time.Second)
	if !ok {
		s.t.Fatal("the loop does not answer")
	}
	for _, w := range st.Workers {
		list = append(list, w.State)
	}
	return list
}

func (s *testServer) wantStates(why string, want ...string) {
	s.t.Helper()
	synctest.Wait()
	if got := s.states(); !slices.Equal(got, want) {
		s.t.Errorf("%s: slots are %v, want %v", why, got, want)
	}
}

// worker returns the newest worker of a slot.
func (s *testServer) worker(slot int) *fakeWorker {
	s.t.Helper()
	list := s.host.started(slot)
	if len(list) == 0 {
		s.t.Fatalf("slot %d never had a worker", slot)
	}
	return list[len(list)-1]
}

// pass lets time go by, which in a bubble takes none.
func pass(d time.Duration) { <-time.After(d) }

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
