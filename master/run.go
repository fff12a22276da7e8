package master

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"srvctl/conf"
	"srvctl/shared/limit"
	"srvctl/shared/logging"
	"srvctl/shared/metrics"
	"srvctl/shared/sock"
)

// Options are what a server is started with.
type Options struct {
	Config *conf.Config
	// Load reads the configuration again, for a reload: from this file, which
	// is the one in use, or for "" from where it would be found now. It may
	// take its time.
	Load func(file string) (*conf.Config, conf.Problems)
	// Version of this program, for status and metrics.
	Version string
	// ParseReasons and RefusedReasons name the counters of a worker's cell, by
	// number. They are the worker's, which this package does not know.
	ParseReasons, RefusedReasons []string
	// Socket, when not empty, is where the operators' socket is, whatever the
	// configuration says.
	Socket string
	// Daemon says that standard output and error lead nowhere: logs that would
	// be written there go to Paths.DaemonLog.
	Daemon bool
	// Ready, when not nil, is called once: with nil when the server serves, or
	// with what Run is about to return when it never did.
	Ready func(err error)
}

// resources are what a running server holds outside of itself. What was taken
// last is given back first.
type resources struct{ release []func() }

func (r *resources) hold(f func()) { r.release = append(r.release, f) }

func (r *resources) close() {
	for i := len(r.release) - 1; i >= 0; i-- {
		r.release[i]()
	}
	r.release = nil
}

// Run runs the server until it is stopped. It returns nil when it had served,
// else why it could not.
func Run(o Options) (err error) {
	if o.Ready != nil {
		defer func() {
			if err != nil {
				o.Ready(err)
			}
		}()
	}
	given := inherit() // first: what it finds must not be ours
	closeOnExec()
	var r resources
	defer r.close()
	m, claim, err := prepare(o, given, &r)
	if err != nil {
		return err
	}
	ops := m.serveOperators(claim)
	r.hold(ops.close)
	m.announce()
	err = m.run()
	m.finish(&r, ops, err)
	return err
}

// finish ends a server whose last worker is gone.
func (m *master) finish(r *resources, ops *operators, err error) {
	text := m.stop.summary(time.Now())
	if err != nil {
		text = err.Error()
	}
	m.log.Info("stopped", "finished", m.stop.finished, "cut", m.stop.cut, "killed", m.stop.killed)
	m.waitBeside(time.Second)
	awaitWritten(m.stop.told, time.Second)
	r.close()
	ops.end(m.stop.asked, text)
}

// waitBeside waits for what runs beside the loop, which is over, but not for
// ever: the watcher of a process that cannot be killed never ends.
func (m *master) waitBeside(limit time.Duration) {
	donec := make(chan struct{})
	go func() { m.wg.Wait(); close(donec) }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-donec:
	case <-timer.C:
	}
}

// prepare takes everything the server needs before its first worker is
// started. What it takes is held by r.
func prepare(o Options, given []inherited, r *resources) (*master, *claim, error) {
	cfg := o.Config
	if n := cfg.Workers; n < 1 || n > maxWorkers {
		return nil, nil, fmt.Errorf("workers: %d: at least 1 and at most %d are possible", n, maxWorkers)
	}
	m := newMaster(o)
	m.service = newService()
	r.hold(m.service.close)
	r.hold(m.startSignals()) // before anybody can find this server and signal it
	m.paths = FindPaths(cfg, o.Socket)
	claim, err := stake(m.paths)
	if err != nil {
		return nil, nil, err
	}
	r.hold(claim.release)
	if o.Daemon {
		m.daemonLog = m.paths.DaemonLog
		lastWords(m.daemonLog)
	}
	if err := m.share(); err != nil {
		return nil, nil, err
	}
	r.hold(func() { closeAll([]int{m.hostFD}) })
	has := setting{daemonLog: m.daemonLog}
	if claim.killed {
		has.patience = orphansLeave
	}
	if err := m.first(cfg, has, given, r); err != nil {
		return nil, nil, err
	}
	if err := m.provide(r); err != nil {
		return nil, nil, err
	}
	m.reap(r)
	return m, claim, nil
}

// lastWords makes what the Go runtime says when this program fails go to a
// daemon's log: its standard error leads nowhere. Where the log cannot be
// opened that is told soon enough.
func lastWords(path string) {
	if f, err := openLog(path); err == nil {
		syscall.Dup3(int(f.Fd()), syscall.Stderr, 0)
		f.Close()
	}
}

// orphansLeave is how long the workers of a master that was killed may take to
// leave its addresses: they do it when they are next scheduled.
const orphansLeave = 3 * time.Second

// newMaster returns the state of a server that has taken nothing yet.
func newMaster(o Options) *master {
	m := &master{
		opts:     o,
		registry: metrics.NewRegistry(o.Version),
		instance: newInstance(),
		service:  &service{},
		events:   make(chan event, maxEvents),
		donec:    make(chan struct{}),
		counts:   make(chan func(), maxCounts),
		hostFD:   -1,
		path:     programPath(),
	}
	m.env = env{
		draft: m.draft, prepare: (*sock.Set).Prepare, commit: (*sock.Set).Commit, rollback: (*sock.Set).Rollback,
		reachable: (*sock.Set).Reachable, refuse: (*sock.Set).Refuse, settle: sock.Settle,
		listen: (*sock.Set).Listen, leave: (*sock.Set).Leave, close: (*sock.Set).Close, examine: examine, open: openLog,
		leap: (*master).leap,
	}
	return m
}

// newInstance returns a name that no other server has.
func newInstance() string {
	var b [8]byte
	rand.Read(b[:]) // never fails: it would end the program
	return hex.EncodeToString(b[:])
}

// share makes the memory that all workers map or read.
func (m *master) share() error {
	fd, mem, err := sock.Memfd("srvctl-host", limit.Size())
	if err != nil {
		return err
	}
	m.hostFD, m.host = fd, limit.Open(mem)
	return nil
}

// first makes the first generation, from the sockets that this process was
// started with and those it binds.
func (m *master) first(cfg *conf.Config, has setting, given []inherited, r *resources) error {
	specs := make([]sock.Spec, len(cfg.Listeners))
	for i := range cfg.Listeners {
		specs[i] = specOf(&cfg.Listeners[i])
	}
	var left []leftover
	has.given, left = pairGiven(given, sock.Identify, specs)
	d, err := m.draft(1, cfg, has)
	if err != nil {
		for _, l := range left { // which may be what is in the way
			if l.text != "" {
				err = errors.Join(err, errors.New(l.text))
			}
		}
		return err
	}
	m.gen = d.gen
	for i, set := range d.bound {
		m.gen.listeners = append(m.gen.listeners, &listener{number: i, name: cfg.Listeners[i].Name, shared: set.Shared, set: set})
	}
	m.log = logging.New(logging.Options{Level: cfg.Log.Level, Format: cfg.Log.Format, Out: m.gen.logs.takeOwn(), Process: "master"})
	m.adopt(d, nil)
	r.hold(m.release)
	for _, l := range left {
		m.leaveOver(l)
	}
	for _, in := range given {
		if in.stored() { // perhaps under another spelling of its address
			m.service.forget(in.name)
		}
	}
	m.store(m.gen)
	return nil
}

// leaveOver closes a socket that nobody asked for.
func (m *master) leaveOver(l leftover) {
	closeAll([]int{l.fd})
	if l.stored() {
		m.service.forget(l.name)
	}
	if l.text != "" {
		m.degrade(l.text)
	}
}

// release gives back what the generation in force has, at the end.
func (m *master) release() {
	if m.watcher != nil {
		m.watcher.close()
	}
	if m.admin != nil {
		m.admin.close()
	}
	for _, l := range m.gen.listeners {
		l.set.Close()
	}
	m.gen.unseal()
	m.log.Close()
	m.gen.logs.close()
}

// provide makes what starts processes.
func (m *master) provide(r *resources) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	r.hold(func() { null.Close() })
	m.children = newChildren()
	m.env.spawn = (&spawner{children: m.children, null: null}).spawn
	m.env.rehearse = (&rehearser{children: m.children, null: null}).rehearse
	return nil
}

// reap starts the reaper.
func (m *master) reap(r *resources) {
	m.stopReaper = m.children.startReaper()
	r.hold(m.stopReaper)
}

// degrade notes what is not as configured for as long as this server runs.
func (m *master) degrade(note string) {
	m.notes = append(m.notes, note)
	m.log.Warn(note)
}

// announce logs where to look.
func (m *master) announce() {
	var addrs []string
	for _, l := range m.gen.listeners {
		addrs = append(addrs, l.name+" "+l.set.Bound)
	}
	user := "as the master"
	if u := m.gen.user; u != nil {
		user = u.name
	}
	m.log.Info("starting", "version", m.opts.Version, "pid", os.Getpid(), "config", configName(m.gen.config),
		"addr", strings.Join(addrs, ", "), "workers", len(m.gen.slots), "user", user, "admin", or(m.admin.address(), "off"), "socket", m.paths.Socket)
}

// configName names the configuration's file for people.
func configName(c *conf.Config) string { return or(c.File, "embedded default") }
