package master

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// upgradeStage is how far an upgrade has come. Only upgrade.set changes it.
type upgradeStage uint8

const (
	// upgradeWaiting: a reload is under way and comes first. Exits:
	// upgradeChecking; the end when the server stops.
	upgradeWaiting upgradeStage = iota

	// upgradeChecking: the new program rehearses in a child process. Exits:
	// upgradeLeaving when it can take over; the end when it cannot or the
	// server stops.
	upgradeChecking

	// upgradeLeaving: as soon as no process is being forked, this process
	// becomes the new program. Exits: none in this program but the end when
	// the server stops.
	upgradeLeaving

	numUpgradeStages
)

var upgradeStageNames = [numUpgradeStages]string{
	upgradeWaiting:  "waiting",
	upgradeChecking: "checking",
	upgradeLeaving:  "leaving",
}

func (s upgradeStage) String() string { return upgradeStageNames[s] }

var upgradeExits = [numUpgradeStages][]upgradeStage{
	upgradeWaiting:  {upgradeChecking},
	upgradeChecking: {upgradeLeaving},
	upgradeLeaving:  {},
}

// An upgrade replaces the program of this process, while the sockets, the
// workers and the counters stay. It belongs to the loop.
type upgrade struct {
	stage   upgradeStage
	why     string
	askers  []*operation
	image   int           // descriptor of the new program, -1 before it was opened
	version string        // of it
	stopc   chan struct{} // closed when the server stops
	stopped bool
}

func (u *upgrade) set(to upgradeStage) {
	if !slices.Contains(upgradeExits[u.stage], to) {
		panic(fmt.Sprintf("master: an upgrade cannot go from %v to %v", u.stage, to))
	}
	u.stage = to
}

func (u *upgrade) tell(text string) {
	for _, op := range u.askers {
		op.progress(text)
	}
}

// upgradeRequest asks for an upgrade.
type upgradeRequest struct {
	why string
	op  *operation // nil for a signal
}

// apply starts an upgrade, lets it wait for a reload, or joins the one that is
// under way.
func (e upgradeRequest) apply(m *master, now time.Time) {
	refused := ""
	switch {
	case m.phase == phaseStarting:
		refused = "the server is starting"
	case m.phase >= phaseStopping:
		refused = "the server stops"
	}
	if refused != "" {
		m.log.Error("upgrade refused: "+refused+": nothing was changed", "why", e.why)
		if e.op != nil {
			e.op.finish(endAnswer(1, "upgrade: "+refused+": nothing was changed", ""))
		}
		return
	}
	if m.upgrade == nil {
		m.upgrade = &upgrade{why: e.why, image: -1, stopc: make(chan struct{})}
	}
	if e.op != nil {
		m.upgrade.askers = append(m.upgrade.askers, e.op) // bounded by the operators' connections
		if m.reload != nil {
			e.op.progress("a reload is under way, the upgrade comes after it")
		}
	}
	m.beginUpgrade(now)
}

// beginUpgrade goes on with an upgrade that waits, unless a reload is under
// way.
func (m *master) beginUpgrade(time.Time) {
	u := m.upgrade
	if u == nil || u.stage != upgradeWaiting || m.reload != nil {
		return
	}
	u.set(upgradeChecking)
	m.log.Info("upgrade begins", "why", u.why, "path", m.path, "version", m.opts.Version)
	m.service.reloading("upgrade: checking the new program")
	s, err := m.save()
	if err != nil {
		m.beside(func() { m.post(rehearsed{upgrade: u, image: -1, err: err}) })
		return
	}
	user := m.gen.user
	m.beside(func() {
		e := rehearsed{upgrade: u}
		e.image, e.version, e.err = m.env.rehearse(m.path, user, s, u.stopc)
		if !m.post(e) && e.image >= 0 {
			closeAll([]int{e.image})
		}
	})
}

// rehearsed is posted when the new program has said whether it could take
// over.
type rehearsed struct {
	upgrade *upgrade
	image   int // descriptor, -1 with an error
	version string
	err     error
}

func (e rehearsed) apply(m *master, now time.Time) {
	u := e.upgrade
	if u.stopped || e.err != nil {
		if e.image >= 0 {
			closeAll([]int{e.image})
		}
		if !u.stopped {
			m.failUpgrade(now, e.err)
		}
		return
	}
	u.image, u.version = e.image, e.version
	u.set(upgradeLeaving)
	m.depart()
}

// depart becomes the new program as soon as no process is being forked: one
// that is not known yet could not be handed over.
func (m *master) depart() {
	u := m.upgrade
	if u == nil || u.stage != upgradeLeaving {
		return
	}
	for s := range m.slots() {
		if s.state == slotForking {
			return // its born event comes here again
		}
	}
	m.env.leap(m)
}

// failUpgrade ends an upgrade that has changed nothing.
func (m *master) failUpgrade(now time.Time, err error) {
	u := m.upgrade
	m.upgrade = nil
	m.log.Error("upgrade failed, version "+m.opts.Version+" goes on", "err", err)
	m.service.ready(fmt.Sprintf("upgrade failed, version %s goes on: %v", m.opts.Version, err))
	for _, op := range u.askers {
		op.finish(endAnswer(1, "upgrade: "+err.Error(), fmt.Sprintf("version %s goes on, nothing was changed", m.opts.Version)))
	}
	m.beginReload(now)
}

// stopUpgrade ends an upgrade because the server stops.
func (m *master) stopUpgrade() {
	u := m.upgrade
	if u == nil {
		return
	}
	m.upgrade, u.stopped = nil, true
	close(u.stopc)
	if u.image >= 0 {
		closeAll([]int{u.image})
	}
	for _, op := range u.askers {
		op.finish(endAnswer(1, "upgrade: the server stops: nothing was changed", ""))
	}
}

// upgrading reports whether an upgrade is under way that reloads have to wait
// for.
func (m *master) upgrading() bool { return m.upgrade != nil && m.upgrade.stage != upgradeWaiting }

// upgrade passes the request to the loop and what comes back to the operator.
// The last lines come from the new program, or from this one once more.
func (o *operators) upgrade(c *operatorConn, _ Request) error {
	op := newOperation()
	if !o.m.post(upgradeRequest{why: "srvctl upgrade", op: op}) {
		return c.write(endAnswer(1, "upgrade: the server has ended", ""))
	}
	return o.follow(c, op)
}

// programPath returns the path that an upgrade finds the next program at: the
// one this process was started by, also where that is a link, so that a link
// that leads elsewhere later is an upgrade too; else the file itself.
func programPath() string {
	own, err := os.Executable()
	if err != nil {
		return selfImage
	}
	name := os.Args[0]
	if !strings.Contains(name, "/") {
		name = searched(name)
	}
	name, err = filepath.Abs(name)
	if err != nil || strings.HasPrefix(name, "/proc/") { // there only this process itself can be found
		return own
	}
	a, err1 := os.Stat(name)
	b, err2 := os.Stat(selfImage)
	if err1 != nil || err2 != nil || !os.SameFile(a, b) {
		return own
	}
	return name
}

// searched finds a command's name as a shell does, "" when it is not there.
func searched(name string) string {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(or(dir, "."), name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// versionChange says in words what an upgrade does to the version.
func versionChange(from, to string) string {
	switch compareVersions(from, to) {
	case 0:
		if from == to {
			return fmt.Sprintf("executed anew, version %s", to)
		}
	case 1:
		return fmt.Sprintf("changed back from %s to %s, an older version", from, to)
	}
	return fmt.Sprintf("upgraded from %s to %s", from, to)
}

// compareVersions compares the numbers that two versions begin with: 1 when a
// is later.
func compareVersions(a, b string) int {
	return slices.Compare(versionNumbers(a), versionNumbers(b))
}

func versionNumbers(v string) (list []int) {
	v = strings.TrimPrefix(v, "v")
	for part := range strings.SplitSeq(v, ".") {
		digits := part
		if i := strings.IndexFunc(part, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
			digits = part[:i]
		}
		n, err := strconv.Atoi(digits)
		if err != nil {
			break
		}
		list = append(list, n)
		if digits != part {
			break
		}
	}
	return list
}

// descriptorPath is the path by which a descriptor of this process is executed.
func descriptorPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// openProgram opens a program so that it is the same file from its rehearsal
// to its execution, whatever is put at its path meanwhile.
func openProgram(path string) (int, error) {
	const oPath = 0x200000 // O_PATH, the same on every architecture Go runs on
	fd, err := syscall.Open(path, oPath|syscall.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	// Out of the way of the descriptors that a child is started with.
	high, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 16)
	syscall.Close(fd)
	if errno != 0 {
		return -1, &os.PathError{Op: "open", Path: path, Err: errno}
	}
	return int(high), nil
}
