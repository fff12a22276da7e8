package master

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"srvctl/shared/logging"
	"srvctl/shared/sock"
)

// Resuming reports whether this program was executed to take the place of
// another in its own process: then Resume is called instead of Run.
func Resuming() bool { return os.Getenv(stateVariable) != "" }

// resumed is what the loop has to do first in a program that has taken over.
type resumed struct {
	state   *saved
	failure string // why the new program could not, "" when this is the new one
	askers  []*operation
}

// Resume goes on with a server that another program, or this one, ran in this
// process. Options.Config is not used: the configuration in force stays until
// the reload that follows. Until the commit point, which is where takeOver
// ends, nothing is changed, and whatever fails leads back to the program before.
func Resume(o Options) error {
	failure, numbers := os.Getenv(failureVariable), os.Getenv(stateVariable)
	stateFD, own, late, err := readNumbers(numbers)
	for _, name := range []string{stateVariable, failureVariable} {
		os.Unsetenv(name)
	}
	if err != nil {
		return err
	}
	environ := os.Environ()
	back := func(s *saved, err error) error {
		err = fmt.Errorf("version %s could not take over: %w", o.Version, err)
		if failure != "" { // this is the way back already
			return fmt.Errorf("upgrade: %w: the server ends, start it again", err)
		}
		if s != nil {
			s.keepOpen(stateFD, own)
		}
		return goBack(own, numbers, environ, err)
	}
	s, err := readState(stateFD)
	if err != nil {
		return back(nil, err)
	}
	closeOnExec()
	var r resources
	m, err := takeOver(o, s, &r)
	if err != nil {
		return back(s, err)
	}
	// The commit point: from here on this is the server.
	closeAll([]int{stateFD, own})
	s.Signals = append(s.Signals, late...)
	defer r.close()
	ops := m.commitUpgrade(s, failure, &r)
	err = m.run()
	m.finish(&r, ops, err)
	return err
}

// earlySignals has the signals that come before the loop runs.
var earlySignals = make(chan os.Signal, 16)

func init() {
	if Resuming() {
		for _, sig := range heededSignals {
			signal.Notify(earlySignals, sig)
		}
	}
}

// readNumbers reads "STATE,PROGRAM", the descriptors, and the signals that came
// too late for the state.
func readNumbers(text string) (state, program int, late []int, err error) {
	var list []int
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return -1, -1, nil, fmt.Errorf("%s: %w: it is set by `srvctl upgrade` only", stateVariable, err)
		}
		list = append(list, n)
	}
	if len(list) < 2 {
		return -1, -1, nil, fmt.Errorf("%s: %q: it is set by `srvctl upgrade` only", stateVariable, text)
	}
	return list[0], list[1], list[2:], nil
}

func readState(fd int) (*saved, error) {
	data, err := sock.ReadSealed(fd)
	if err != nil {
		return nil, err
	}
	s, err := decodeState(data)
	if err != nil {
		return nil, err
	}
	return s, s.present()
}

// takeOver builds the server from its state. It takes nothing from the system
// that the program before would miss: it reads from no worker and accepts from
// no socket. The resources are those that a server which runs gives back.
func takeOver(o Options, s *saved, r *resources) (m *master, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if err := s.readable(); err != nil {
		return nil, err
	}
	m = newMaster(o)
	m.service = newService()
	m.instance, m.path, m.began = s.Instance, s.Path, s.Began
	m.paths, m.daemonLog, m.notes, m.last, m.reopens = s.Paths, s.DaemonLog, s.Notes, s.Last, s.Reopens
	m.scaled = scaling{s.Scaled[0], s.Scaled[1]}
	if err := m.registry.Import(s.Totals); err != nil {
		return nil, err
	}
	if err := m.mapHost(s.HostFD); err != nil {
		return nil, err
	}
	if err := m.provide(r); err != nil {
		return nil, err
	}
	if err := m.restore(s); err != nil {
		return nil, err
	}
	if m.claim, err = restoreClaim(s); err != nil {
		return nil, err
	}
	if s.Admin != nil {
		if m.admin, err = m.restoreAdmin(s.Admin); err != nil {
			return nil, err
		}
	} else {
		m.admin = &admin{}
	}
	m.setPhase(phaseServing)
	return m, faultAdoption(s)
}

// faultAdoption never faults the way back.
func faultAdoption(s *saved) error {
	if os.Getenv(failureVariable) != "" {
		return nil
	}
	return faultMaster("adopt")
}

func restoreClaim(s *saved) (*claim, error) {
	c := &claim{paths: s.Paths, lock: os.NewFile(uintptr(s.LockFD), s.Paths.Lock)}
	// A copy: the number in the state must stay for the way back.
	copies, err := duplicate([]int{s.SocketFD})
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(copies[0]), s.Paths.Socket)
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("operators' socket: %w", err)
	}
	unix, ok := l.(*net.UnixListener)
	if !ok {
		return nil, errors.New("operators' socket: it is of another kind")
	}
	unix.SetUnlinkOnClose(true)
	c.socket = unix
	return c, nil
}

func (m *master) restoreAdmin(s *savedAdmin) (*admin, error) {
	set, err := sock.Adopt(sock.Spec{Address: s.Address}, []int{s.FD}, 1)
	if err != nil {
		return nil, fmt.Errorf("admin.address: %w", err)
	}
	set.Given = false
	return &admin{addr: set.Bound, set: set}, nil
}

// commitUpgrade starts everything that takes something from the system.
func (m *master) commitUpgrade(s *saved, failure string, r *resources) *operators {
	r.hold(m.service.close)
	r.hold(m.claim.release)
	closeAll([]int{s.SocketFD})
	r.hold(func() { closeAll([]int{m.hostFD}) })
	r.hold(m.release)
	r.hold(m.startSignals())
	signal.Stop(earlySignals)
	for len(earlySignals) > 0 {
		s.Signals = append(s.Signals, int((<-earlySignals).(syscall.Signal)))
	}
	m.reap(r)
	if m.admin.set != nil {
		if err := m.openAdmin(m.admin); err != nil {
			m.degrade("admin.address: " + err.Error())
		}
	}
	for slot := range m.slots() {
		if w := slot.worker; w != nil {
			m.registry.Attach(w.index, w.slot, w.generation, w.proc.pid(), slot.gen.layout, w.cell)
			w.startReading()
			m.beside(func() { m.read(w) })
			m.beside(func() { m.watch(w) })
		}
	}
	m.resumed = &resumed{state: s, failure: failure}
	ops := m.serveOperators(m.claim)
	r.hold(ops.close)
	m.resumed.askers = ops.restore(s.Operators)
	return ops
}

// resume is the first thing that the loop does in a program that has taken
// over: it tells, and starts the reload that brings the workers to this
// version.
func (m *master) resume(now time.Time) {
	r := m.resumed
	m.resumed = nil
	m.publish()
	m.pulseAt = now
	if every := m.service.watchdog(); every > 0 {
		m.pingAt = now.Add(every)
	}
	if r.failure != "" {
		m.tellFailedUpgrade(r)
	} else {
		m.tellUpgrade(r)
	}
	m.watchFiles()
	// Somebody may have renamed the files meanwhile, and the workers have those
	// that the program before had opened.
	reopenLogs{}.apply(m, now)
	m.wakeAt(now) // for what waits to be sent to workers
	for _, sig := range r.state.Signals {
		m.beside(func() { m.post(signalled{syscall.Signal(sig)}) })
	}
	if r.failure != "" {
		if r.state.Reload {
			reloadRequest{why: "asked for during an upgrade"}.apply(m, now)
		}
		return
	}
	m.again.add(reloadRequest{why: "upgrade"})
	for _, op := range r.askers {
		m.again.add(reloadRequest{why: "upgrade", asker: &asker{op: op}})
	}
	m.beginReload(now)
}

func (m *master) tellUpgrade(r *resumed) {
	change := versionChange(r.state.Version, m.opts.Version)
	m.log.Info(change, "why", r.state.Why, "pid", os.Getpid(), "path", m.path, "workers", len(m.gen.slots))
	m.service.ready(fmt.Sprintf("%s, generation %d, %s", change, m.gen.number, plural(len(m.gen.slots), "worker")))
	for _, op := range r.askers {
		op.progress(fmt.Sprintf("%s: pid %d, %s; the workers follow", change, os.Getpid(), plural(len(m.gen.slots), "worker")))
	}
}

func (m *master) tellFailedUpgrade(r *resumed) {
	m.log.Error("upgrade failed, version "+m.opts.Version+" goes on", "err", r.failure)
	m.service.ready(fmt.Sprintf("upgrade failed, version %s goes on: %s", m.opts.Version, r.failure))
	for _, op := range r.askers {
		op.finish(endAnswer(1, "upgrade: "+r.failure, fmt.Sprintf("version %s goes on, nothing was changed", m.opts.Version)))
	}
}

// restoreLogs opens the logs of the generation in force, and the master's own.
func (m *master) restoreLogs(g *generation) (err error) {
	if g.logs, err = openLogs(m.env.open, logOutputs(g.config, m.daemonLog), nil); err != nil {
		return err
	}
	m.log = logging.New(logging.Options{Level: g.config.Log.Level, Format: g.config.Log.Format, Out: g.logs.takeOwn(), Process: "master"})
	return nil
}
