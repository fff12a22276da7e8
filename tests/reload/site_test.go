package reload

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"srvctl/tests/harness"
	"srvctl/tests/harness/proc"
	"srvctl/tests/reload/ledger"
)

func TestMain(m *testing.M) { harness.Main(m) }

// patience bounds whatever should not take long at all.
const patience = 20 * time.Second

// idle is drain.idle: far longer than the ledger's pauses, and than a reload.
var idle = func() time.Duration {
	if harness.Race() {
		return 5 * time.Second
	}
	return time.Second
}()

// setup is what a configuration says; the zero value is a small server.
type setup struct {
	workers   int           // 0 is 2
	version   string        // what /version answers
	http      string        // the listener's settings; "" is a TCP address @http@
	listeners string        // further ones, "name: {...}, "
	idle      time.Duration // drain.idle; 0 is idle
	drain     string        // besides idle; "" is patient: no old generation is cut
	more      string        // lines of the top level
}

// text is the configuration file.
func (c setup) text() string {
	return fmt.Sprintf(`workers: %d
drain: {idle: %v, %s}
access_log: {output: access.log}
listeners: {%shttp: {%s}}
%s
sites:
  - routes:
      - {match: /version, respond: {body: "%s\n"}}
      - {match: /ready, health: {kind: ready}}%s`,
		cmp.Or(c.workers, 2), cmp.Or(c.idle, idle), cmp.Or(c.drain, "timeout: 20s, generations: 16"), c.listeners,
		cmp.Or(c.http, `address: "@http@"`), c.more, cmp.Or(c.version, "one"), ledger.Routes)
}

// prepare makes a server that is not started.
func (c setup) prepare(t *testing.T) *harness.Server {
	t.Helper()
	return harness.Prepare(t, c.options())
}

func (c setup) options() harness.Options {
	return harness.Options{Config: c.text(), Files: map[string]string{ledger.FileName: ledger.File()}}
}

// start starts a server.
func (c setup) start(t *testing.T) *harness.Server {
	t.Helper()
	return harness.Start(t, c.options())
}

// startFaulty starts a server whose workers fail when told to.
func (c setup) startFaulty(t *testing.T) *harness.Server {
	t.Helper()
	o := c.options()
	o.Faults = true
	return harness.Start(t, o)
}

// times is how often something is done: in the short form, or with SOAK=1.
func times(short, long int) int {
	if harness.Soak() {
		return long
	}
	return short
}

// stretch is a limit for a machine that does nothing else, made longer by how
// many processes want each CPU of this one.
func stretch(limit time.Duration) time.Duration {
	if harness.Race() {
		limit *= 10
	}
	var load float64
	if raw, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Sscan(string(raw), &load)
	}
	return time.Duration(float64(limit) * max(1, 1.5*load/float64(runtime.NumCPU())))
}

// must ends the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// reloaded reloads and wants that it works.
func reloaded(t *testing.T, s *harness.Server, args ...string) harness.Result {
	t.Helper()
	r := s.Reload(args...)
	if r.Code != 0 {
		t.Fatalf("srvctl reload %s exits with %d: %s%s", strings.Join(args, " "), r.Code, r.Stdout, r.Stderr)
	}
	return r
}

// reconfigured writes another configuration and reloads.
func reconfigured(t *testing.T, s *harness.Server, c setup, args ...string) harness.Result {
	t.Helper()
	s.Configure(c.text())
	return reloaded(t, s, args...)
}

// small is a light load of all forms.
var small = map[ledger.Form]int{ledger.Keep: 3, ledger.Fresh: 1, ledger.Dribble: 2, ledger.Pipeline: 1}

// load starts a light ledger on an address; it must be accounted for.
func load(s *harness.Server, addr string) *ledger.Ledger {
	return ledger.Start(ledger.Options{Addr: addr, Connections: small, Pause: 20 * time.Millisecond, Idle: idle})
}

// awaitAnswers waits until a ledger has n answers more, or a fault.
func awaitAnswers(t *testing.T, l *ledger.Ledger, n int64) {
	t.Helper()
	from := l.Answered()
	if !harness.Poll(patience, func() bool { return l.Answered() >= from+n || l.Troubles() > 0 }) {
		t.Fatalf("only %d of %d answers within %v", l.Answered()-from, n, patience)
	}
}

// account stops ledgers and their server and wants that nothing is lost. Names
// of further access logs follow.
func account(t *testing.T, s *harness.Server, ledgers []*ledger.Ledger, logs ...string) []ledger.Report {
	t.Helper()
	for _, l := range ledgers {
		l.Stop()
	}
	if code := s.Stop(); code != 0 {
		t.Errorf("the server exits with %d", code)
	}
	return compare(t, s, ledgers, logs...)
}

// compare is account for a server that has ended.
func compare(t *testing.T, s *harness.Server, ledgers []*ledger.Ledger, logs ...string) (reports []ledger.Report) {
	t.Helper()
	var paths []string
	for _, name := range append(logs, "access.log") {
		paths = append(paths, filepath.Join(s.Dir, name))
	}
	for _, l := range ledgers {
		rep, err := l.Account(paths...)
		must(t, err)
		t.Logf("\n%v", rep)
		for _, p := range rep.Problems() {
			t.Error(p)
		}
		reports = append(reports, rep)
	}
	return reports
}

// wantCalmLog wants that the server has logged nothing that an operator should
// worry about. That a successor goes or drains while connections are on their
// way to it happens when reloads follow each other quickly: they move to the
// next one, or end as those that cannot move.
func wantCalmLog(t *testing.T, s *harness.Server) {
	t.Helper()
	worry := regexp.MustCompile(`"level":"(error|warn)"`)
	excused := regexp.MustCompile(`successor is gone: connections are back|"reason":"this process drains, too"`)
	n := 0
	for line := range strings.Lines(s.Stderr()) {
		if worry.MatchString(line) && !excused.MatchString(line) {
			if n++; n <= 10 {
				t.Errorf("the server logs %s", line)
			}
		}
	}
}

// metric reads one series of the metrics page.
func metric(t *testing.T, s *harness.Server, series string) float64 {
	t.Helper()
	return metricSum(t, s, func(name string) bool { return name == series })
}

// metricSum adds series of the metrics page.
func metricSum(t *testing.T, s *harness.Server, wanted func(series string) bool) (sum float64) {
	t.Helper()
	_, page := harness.Get(t, s.URL("admin", "/metrics"))
	for line := range strings.Lines(page) {
		series, value, _ := cutLast(strings.TrimSpace(line), " ")
		if series == "" || series[0] == '#' || !wanted(series) {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		must(t, err)
		sum += v
	}
	return sum
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// counted is the end of a name that holds a number: of a socket, a pipe, a
// memory file.
var counted = regexp.MustCompile(`(:\[\d+\]|-\d+ \(deleted\))$`)

// openFiles returns what a process has open, sorted; what is only numbered by
// its kind.
func openFiles(pid int) (list []string) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	names, _ := os.ReadDir(dir) // nothing is open when the process has gone
	for _, n := range names {
		to, err := os.Readlink(filepath.Join(dir, n.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		list = append(list, counted.ReplaceAllString(to, ""))
	}
	slices.Sort(list)
	return list
}

// gone says whether a process has ended.
func gone(pid int) bool {
	p, ok := proc.Read(pid)
	return !ok || p.Zombie
}

// pids are the workers that serve.
func pids(t *testing.T, s *harness.Server) []int {
	t.Helper()
	return s.Status().PIDs("serving")
}

// halt stops a process, until goOn or the end of the test, and waits until all
// of its threads stand still.
func halt(t *testing.T, pid int) {
	t.Helper()
	must(t, syscall.Kill(pid, syscall.SIGSTOP))
	t.Cleanup(func() {
		if !gone(pid) {
			syscall.Kill(pid, syscall.SIGCONT)
		}
	})
	if !harness.Poll(patience, func() bool {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		return len(tasks) > 0 && !slices.ContainsFunc(tasks, func(task string) bool {
			raw, _ := os.ReadFile(task)
			return !bytes.Contains(raw, []byte(") T "))
		})
	}) {
		t.Fatalf("process %d does not stop", pid)
	}
}

// goOn continues a process.
func goOn(t *testing.T, pid int) {
	t.Helper()
	must(t, syscall.Kill(pid, syscall.SIGCONT))
}
