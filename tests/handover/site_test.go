package handover

import (
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
	"srvctl/tests/reload/ledger"
)

// patience bounds whatever should not take long at all.
const patience = 20 * time.Second

// setup is what a configuration says. The silence after which a connection that
// cannot move is closed is long: no test waits for it.
type setup struct {
	workers int
	http    string // the listener's settings; "" is a TCP address @http@
	more    string // lines of the top level
}

func (c setup) text() string {
	return fmt.Sprintf(`workers: %d
drain: {timeout: 20s, idle: 20s, generations: 16}
access_log: {output: access.log}
listeners: {http: {%s}}
%s
sites:
  - routes:
      - {match: /version, respond: {body: "one\n"}}%s`,
		c.workers, cmp.Or(c.http, `address: "@http@"`), c.more, ledger.Routes)
}

// forms are the kinds of listeners.
var forms = []struct{ name, http string }{
	{"sliced", `address: "@http@"`},
	{"shared", `address: "@http@", reuseport: false`},
	{"unix", `address: "unix:@dir@/web.sock", mode: 0666`},
}

// start starts a server from a program of its own that can be replaced.
func (c setup) start(t *testing.T) *harness.Server {
	t.Helper()
	s := harness.Prepare(t, harness.Options{Config: c.text(), Files: map[string]string{ledger.FileName: ledger.File()}})
	install(t, s)
	s.Binary = programOf(s)
	s.Launch()
	s.AwaitReady()
	return s
}

func programOf(s *harness.Server) string { return filepath.Join(s.Dir, "srvctl") }

// install puts the program at the server's path, as another file than the one
// that was there. Which version it is makes no difference to connections.
func install(t *testing.T, s *harness.Server) {
	t.Helper()
	raw, err := os.ReadFile(harness.Binary(t))
	must(t, err)
	// A child that another test forks now would have the file open for writing,
	// and nobody could execute it.
	syscall.ForkLock.RLock()
	err = os.WriteFile(programOf(s)+".new", raw, 0o755)
	syscall.ForkLock.RUnlock()
	must(t, err)
	must(t, os.Rename(programOf(s)+".new", programOf(s)))
}

// addrOf is where clients find the listener of a form.
func addrOf(s *harness.Server, http string) string {
	if strings.Contains(http, "unix:") {
		return "unix:" + s.Dir + "/web.sock"
	}
	return s.Addr("http")
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

// works runs a verb and wants that it works.
func works(t *testing.T, s *harness.Server, verb string, args ...string) harness.Result {
	t.Helper()
	r := s.Srvctl(verb, args...)
	if r.Code != 0 {
		t.Fatalf("srvctl %s %s exits with %d: %s%s", verb, strings.Join(args, " "), r.Code, r.Stdout, r.Stderr)
	}
	return r
}

func reload(t *testing.T, s *harness.Server) { t.Helper(); works(t, s, "reload") }

func upgrade(t *testing.T, s *harness.Server) {
	t.Helper()
	install(t, s)
	works(t, s, "upgrade")
}

// scale changes the number of workers and waits until the others have gone.
func scale(t *testing.T, s *harness.Server, n int) {
	t.Helper()
	works(t, s, "scale", "--wait", strconv.Itoa(n))
	if st := s.Status(); len(st.In("serving")) != n {
		t.Errorf("scaled to %d, and %d workers serve: %+v", n, len(st.In("serving")), st.Workers)
	}
}

// awaitQuiet waits until nobody drains and this many connections are open.
func awaitQuiet(t *testing.T, s *harness.Server, connections int) harness.Status {
	t.Helper()
	return s.AwaitStatus(fmt.Sprintf("%d connections at workers that serve", connections), func(st harness.Status) bool {
		return st.Connections == connections && len(st.Workers) == len(st.In("serving"))
	})
}

// counters are all series of the metrics page that must never fall.
func counters(t *testing.T, s *harness.Server) map[string]float64 {
	t.Helper()
	_, page := harness.Get(t, s.URL("admin", "/metrics"))
	list := map[string]float64{}
	for line := range strings.Lines(page) {
		i := strings.LastIndexByte(line, ' ')
		if i < 0 || line[0] == '#' {
			continue
		}
		name, _, _ := strings.Cut(line[:i], "{")
		if !strings.HasPrefix(name, "srvctl_") || !strings.HasSuffix(name, "_total") && !strings.HasSuffix(name, "_count") && !strings.HasSuffix(name, "_bucket") {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(line[i:]), 64)
		must(t, err)
		list[line[:i]] = v
	}
	return list
}

const (
	accepted = `srvctl_connections_accepted_total{listener="http"}`
	moved    = `srvctl_connections_moved_total`
)

// wantGrowth wants that no counter is less than before, and none has gone.
func wantGrowth(t *testing.T, before, now map[string]float64) {
	t.Helper()
	if len(before) < 10 {
		t.Errorf("only %d counters on the page", len(before))
	}
	for name, was := range before {
		if is, there := now[name]; !there || is < was {
			t.Errorf("%s fell from %v to %v", name, was, is)
		}
	}
}

// worries are the lines of the log that an operator should worry about. That a
// successor goes while connections are on their way to it happens when one
// reload follows another quickly: they move to the next one.
func worries(s *harness.Server) (list []string) {
	worry := regexp.MustCompile(`"level":"(error|warn)"`)
	for line := range strings.Lines(s.Stderr()) {
		if worry.MatchString(line) {
			list = append(list, line)
		}
	}
	return list
}

// wantCalmLog wants none of them.
func wantCalmLog(t *testing.T, s *harness.Server) {
	t.Helper()
	for i, line := range slices.Compact(worries(s)) {
		if i < 10 {
			t.Errorf("the server logs %s", line)
		}
	}
}
