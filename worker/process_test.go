package worker_test

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"srvctl/conf"
	"srvctl/proto/control"
	"srvctl/shared/limit"
	"srvctl/shared/metrics"
	"srvctl/shared/sock"
	"srvctl/worker"
)

// asWorker makes this test binary a worker, as the hidden verb does the server.
const asWorker = "__worker"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asWorker {
		os.Exit(worker.Main())
	}
	os.Exit(m.Run())
}

// hand is a real worker process whose master is the test.
type hand struct {
	t      testing.TB
	dir    string
	conf   *conf.Config
	link   *sock.Conn
	team   *team
	index  int // in the team's table
	cell   *metrics.Cell
	cmd    *exec.Cmd
	saidc  chan control.Message // what it says, closed with the link
	endedc chan error
}

// team is what the workers of one host count together.
type team struct {
	fd    int
	host  *limit.Host
	hands int
}

func newTeam(t testing.TB) *team {
	t.Helper()
	fd, mem, err := sock.Memfd("host", limit.Size())
	must(t, err)
	t.Cleanup(func() {
		unix.Close(fd)
		sock.Unmap(mem)
	})
	return &team{fd: fd, host: limit.Open(mem)}
}

// hire starts a worker and brings it to Ready. ports are the listeners of the
// configuration, in order.
func hire(t testing.TB, text string, slot int, ports ...*port) *hand {
	t.Helper()
	return newTeam(t).hire(t, text, slot, ports...)
}

func (team *team) hire(t testing.TB, text string, slot int, ports ...*port) *hand {
	t.Helper()
	h := &hand{t: t, team: team, index: team.hands, dir: t.TempDir(), saidc: make(chan control.Message, 100), endedc: make(chan error, 1)}
	file := filepath.Join(h.dir, "srvctl.yaml")
	must(t, os.WriteFile(file, []byte(text), 0o644))
	c, problems := conf.Load(conf.Options{File: file})
	if problems.Failed() {
		t.Fatalf("configuration: %v", problems)
	}
	h.conf = c
	data, err := c.Encode()
	must(t, err)
	sealed, err := sock.Sealed("config", data)
	must(t, err)
	team.hands++
	h.start()
	h.send(control.Begin{Slot: slot, Index: h.index, Generation: 1 + h.index, Workers: c.Workers, Instance: "test"}, sealed)
	unix.Close(sealed)
	for i, p := range ports {
		h.listener(i, p)
	}
	h.logs()
	h.send(control.Prepare{})
	sum := fnv.New64a()
	sum.Write(data)
	h.says(control.Ready{Checksum: sum.Sum64()})
	return h
}

// start executes the process with its descriptors.
func (h *hand) start() {
	t := h.t
	sites, listeners := []string{}, []string{}
	for _, s := range h.conf.Sites {
		sites = append(sites, s.Name)
	}
	for _, l := range h.conf.Listeners {
		listeners = append(listeners, l.Name)
	}
	layout := metrics.LayoutOf(sites, listeners, worker.ParseReasons()...)
	cell, mem, err := sock.Memfd("cell", layout.Size())
	must(t, err)
	h.cell = metrics.NewCell(mem, layout)
	host, err := unix.FcntlInt(uintptr(h.team.fd), unix.F_DUPFD_CLOEXEC, 0)
	must(t, err)
	ours, theirs, err := sock.Pair()
	must(t, err)
	h.link, err = sock.NewConn(ours)
	must(t, err)
	h.cmd = exec.Command("/proc/self/exe", asWorker)
	stderr, err := os.Create(filepath.Join(h.dir, "stderr"))
	must(t, err)
	defer stderr.Close()
	h.cmd.Stderr = stderr
	h.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0") // or each takes a second more
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	for _, fd := range []int{theirs, cell, host} {
		f := os.NewFile(uintptr(fd), "")
		defer f.Close()
		h.cmd.ExtraFiles = append(h.cmd.ExtraFiles, f)
	}
	must(t, h.cmd.Start())
	go func() { h.endedc <- h.cmd.Wait() }()
	go h.listen()
	t.Cleanup(func() {
		_ = h.cmd.Process.Kill() // of one that a failed test left behind
		h.link.Close()
		if t.Failed() {
			t.Logf("worker %d: %s%s", h.pid(), h.file("log"), h.file("stderr"))
		}
	})
}

func (h *hand) listen() {
	defer close(h.saidc)
	buf := make([]byte, sock.MaxFrame)
	for {
		n, _, err := h.link.Recv(buf)
		if err != nil {
			return
		}
		m, err := control.Decode(buf[:n])
		if err != nil {
			h.t.Errorf("worker sent what cannot be understood: %v", err)
			return
		}
		if _, left := m.(control.Left); left {
			continue // every drain says it, at a moment that most tests do not care about
		}
		h.saidc <- m
	}
}

func (h *hand) pid() int { return h.cmd.Process.Pid }

func (h *hand) send(m control.Message, fds ...int) {
	h.t.Helper()
	frame, err := control.Append(nil, m)
	must(h.t, err)
	must(h.t, h.link.Send(frame, fds))
}

// listener gives it all sockets of a listener.
func (h *hand) listener(number int, p *port) {
	h.t.Helper()
	h.send(control.Listener{Number: number, Name: "l" + strconv.Itoa(number), Address: p.addr, Shared: p.shared, Count: len(p.fds)}, p.fds...)
}

// logs gives it its log files, anew.
func (h *hand) logs() {
	h.t.Helper()
	names := []string{"log", "access"}
	var fds []int
	for _, name := range names {
		f, err := os.OpenFile(filepath.Join(h.dir, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		must(h.t, err)
		defer f.Close()
		fds = append(fds, int(f.Fd()))
	}
	h.send(control.Logs{Names: names}, fds...)
}

// file is what is in a file of its folder.
func (h *hand) file(name string) string {
	b, _ := os.ReadFile(filepath.Join(h.dir, name))
	return string(b)
}

// says waits for its next words, which must be these.
func (h *hand) says(want control.Message) {
	h.t.Helper()
	if got := wait(h.t, h.saidc, fmt.Sprintf("%T", want)); got != want {
		h.t.Fatalf("worker says %T%+v, want %T%+v\n%s", got, got, want, want, h.file("stderr"))
	}
}

// serve lets it accept.
func (h *hand) serve(slots ...int) *hand {
	h.t.Helper()
	h.send(control.Commit{Accept: slots})
	h.says(control.Serving{})
	return h
}

// ends waits for its end, after these words, and wants exit code 0.
func (h *hand) ends(drained control.Drained) {
	h.t.Helper()
	h.says(drained)
	h.exits()
}

// endsWell is ends when it does not matter how many connections were open when
// the order came. None must be cut.
func (h *hand) endsWell() {
	h.t.Helper()
	if d, ok := wait(h.t, h.saidc, "the worker to have drained").(control.Drained); !ok || d.Cut > 0 {
		h.t.Errorf("worker says %+v, want that it has drained and cut nothing", d)
	}
	h.exits()
}

func (h *hand) exits() {
	h.t.Helper()
	if err := wait(h.t, h.endedc, "the worker to exit"); err != nil {
		h.t.Errorf("worker: %v, want exit code 0\n%s%s", err, h.file("log"), h.file("stderr"))
	}
	for m := range h.saidc {
		h.t.Errorf("worker said %T%+v after all", m, m)
	}
}

func (h *hand) signal(s syscall.Signal) {
	h.t.Helper()
	must(h.t, h.cmd.Process.Signal(s))
}

// halt stops the process, so that what follows reaches it at once when it goes
// on.
func (h *hand) halt() {
	h.t.Helper()
	h.signal(syscall.SIGSTOP)
	until(h.t, "the worker has stopped", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", h.pid()))
		must(h.t, err)
		return bytes.HasPrefix(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" T"))
	})
}

func (h *hand) goOn() { h.t.Helper(); h.signal(syscall.SIGCONT) }

// holds is how many of the sockets of a listener it has open.
func (h *hand) holds(p *port) (n int) {
	h.t.Helper()
	inodes := map[string]bool{}
	for _, fd := range p.fds {
		link, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		must(h.t, err)
		inodes[link] = true
	}
	all, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", h.pid()))
	must(h.t, err)
	for _, fd := range all {
		if link, err := os.Readlink(fd); err == nil && inodes[link] {
			n++
		}
	}
	return n
}

// until waits for something that nobody signals.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

// descriptors is how many it has open.
func (h *hand) descriptors() int {
	h.t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", h.pid()))
	must(h.t, err)
	return len(all)
}

// cpu is the time that it has used, in steps of 10 ms.
func (h *hand) cpu() (d time.Duration) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", h.pid()))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	for _, f := range fields[11:13] {
		ticks, _ := strconv.Atoi(string(f))
		d += time.Duration(ticks) * 10 * time.Millisecond
	}
	return d
}
