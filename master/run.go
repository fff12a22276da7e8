package master

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
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
	// Load reads the configuration again, for a reload. It may take its time.
	Load func() (*conf.Config, conf.Problems)
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
	closeOnExec()
	var r resources
	defer r.close()
	m, claim, err := prepare(o, &r)
	if err != nil {
		return err
	}
	ops := m.serveOperators(claim)
	r.hold(ops.close)
	admin, err := m.serveAdmin(o.Config.Admin.Address)
	if err != nil {
		return err
	}
	r.hold(admin.close)
	m.where.admin = admin.addr
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
func prepare(o Options, r *resources) (*master, *claim, error) {
	cfg := o.Config
	m := newMaster(o)
	if len(m.gen.slots) == 0 || len(m.gen.slots) > limit.MaxProcesses/2 {
		return nil, nil, fmt.Errorf("workers: %d: at least 1 and at most %d are possible", len(m.gen.slots), limit.MaxProcesses/2)
	}
	paths := FindPaths(cfg, o.Socket)
	claim, err := stake(paths)
	if err != nil {
		return nil, nil, err
	}
	r.hold(claim.release)
	m.where.paths = paths
	daemonLog := ""
	if o.Daemon {
		daemonLog = paths.DaemonLog
	}
	if m.logs, err = openLogs(m.env.open, logOutputs(cfg, daemonLog), nil); err != nil {
		return nil, nil, err
	}
	m.log = logging.New(logging.Options{Level: cfg.Log.Level, Format: cfg.Log.Format, Out: m.logs.own, Process: "master"})
	r.hold(func() { m.logs.close() })
	r.hold(m.log.Close)
	r.hold(m.startSignals())

	files := raiseFiles(cfg)
	if note := filesNote(cfg, files); note != "" {
		m.degrade(note)
	}
	var note string
	if m.user, note, err = workerUser(cfg.User); err != nil {
		return nil, nil, err
	}
	if note != "" {
		m.degrade(note)
	}
	if err := m.share(cfg); err != nil {
		return nil, nil, err
	}
	r.hold(func() { closeAll([]int{m.hostFD, m.gen.sealed}) })
	if err := m.bind(cfg, r); err != nil {
		return nil, nil, err
	}
	return m, claim, m.provide(r)
}

// newMaster returns the state of a server that has taken nothing yet.
func newMaster(o Options) *master {
	cfg := o.Config
	m := &master{
		opts:     o,
		registry: metrics.NewRegistry(o.Version),
		instance: newInstance(),
		notify:   notifier(),
		events:   make(chan event, maxEvents),
		donec:    make(chan struct{}),
		counts:   make(chan func(), maxCounts),
		env:      env{listen: (*sock.Set).Listen, leave: (*sock.Set).Leave, open: openLog},
		gen:      &generation{number: 1, config: cfg, sealed: -1, layout: layoutOf(o)},
		hostFD:   -1,
	}
	for i := range cfg.Workers {
		m.gen.slots = append(m.gen.slots, &slot{number: i})
	}
	m.registry.SetGeneration(m.gen.number)
	return m
}

func layoutOf(o Options) metrics.Layout {
	l := metrics.LayoutOf(siteNames(o.Config), listenerNames(o.Config), o.ParseReasons...)
	if o.RefusedReasons != nil {
		l.RefusedReasons = o.RefusedReasons
	}
	return l
}

// siteNames and listenerNames are in the order of the configuration: with them
// the master and the workers agree on what each counter means.
func siteNames(c *conf.Config) []string {
	names := make([]string, len(c.Sites))
	for i, s := range c.Sites {
		names[i] = s.Name
	}
	return names
}

func listenerNames(c *conf.Config) []string {
	names := make([]string, len(c.Listeners))
	for i, l := range c.Listeners {
		names[i] = l.Name
	}
	return names
}

// newInstance returns a name that no other server has.
func newInstance() string {
	var b [8]byte
	rand.Read(b[:]) // never fails: it would end the program
	return hex.EncodeToString(b[:])
}

// share makes the memory that all workers map or read.
func (m *master) share(cfg *conf.Config) error {
	fd, mem, err := sock.Memfd("srvctl-host", limit.Size())
	if err != nil {
		return err
	}
	m.hostFD, m.host = fd, limit.Open(mem)
	text, err := cfg.Encode()
	if err != nil {
		return fmt.Errorf("encode the configuration: %w", err)
	}
	m.gen.sealed, err = sock.Sealed("srvctl-config", text)
	return err
}

// bind binds all listeners, or says what is wrong with each of them.
func (m *master) bind(cfg *conf.Config, r *resources) error {
	r.hold(func() {
		for _, l := range m.listeners {
			l.set.Close()
		}
	})
	var errs []error
	for i, l := range cfg.Listeners {
		set, err := sock.Bind(sock.Spec{Address: l.Address, Backlog: l.Backlog, ReusePort: l.ReusePort, Mode: l.Mode, Owner: l.Owner}, cfg.Workers)
		if err != nil {
			errs = append(errs, fmt.Errorf("listener %s: %w", l.Name, err))
			continue
		}
		m.listeners = append(m.listeners, &listener{number: i, name: l.Name, set: set})
		if set.Note != "" {
			m.degrade(fmt.Sprintf("listener %s: %s", l.Name, set.Note))
		}
	}
	return errors.Join(errs...)
}

// provide makes what starts the workers, and the reaper.
func (m *master) provide(r *resources) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	r.hold(func() { null.Close() })
	sp := &spawner{children: newChildren(), null: null}
	m.env.spawn = sp.spawn
	r.hold(sp.children.startReaper())
	return nil
}

// degrade notes what is not as configured for as long as this server runs.
func (m *master) degrade(note string) {
	m.notes = append(m.notes, note)
	m.log.Warn(note)
}

// announce logs where to look.
func (m *master) announce() {
	var addrs []string
	for _, l := range m.listeners {
		addrs = append(addrs, l.name+" "+l.set.Bound)
	}
	user := "as the master"
	if m.user != nil {
		user = m.user.name
	}
	m.log.Info("starting", "version", m.opts.Version, "pid", os.Getpid(), "config", configName(m.gen.config),
		"addr", strings.Join(addrs, ", "), "workers", len(m.gen.slots), "user", user, "admin", or(m.where.admin, "off"), "socket", m.where.paths.Socket)
}

// configName names the configuration's file for people.
func configName(c *conf.Config) string { return or(c.File, "embedded default") }
