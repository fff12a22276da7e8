package upgrade

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
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

// serving is a configuration with what the ledger asks for, and an echo.
const serving = `
workers: 2
drain: {timeout: 10s, idle: 1s, generations: 8}
access_log: {output: access.log}
listeners: {http: {address: "@http@"}}
sites:
  - routes:
      - {match: /hello, respond: {body: "hello\n"}}
      - {match: /debug/echo, echo: {what: body}}` + ledger.Routes

// prepare makes a server of a version, at a path of its own, that is not
// started.
func prepare(t *testing.T, program string, o harness.Options) *harness.Server {
	t.Helper()
	o.Config = serving
	o.Files = map[string]string{ledger.FileName: ledger.File()}
	s := harness.Prepare(t, o)
	install(t, s, program)
	return s
}

// launch starts it. Its own path may have no program when commands are run.
func launch(t *testing.T, s *harness.Server) {
	t.Helper()
	s.Binary = pathOf(s)
	s.Launch()
	s.Binary = version(t, "1.2")
	s.AwaitReady()
}

// start starts one.
func start(t *testing.T, program string, o harness.Options) *harness.Server {
	t.Helper()
	s := prepare(t, program, o)
	launch(t, s)
	return s
}

// report is the part of a status that the harness does not read.
type report struct {
	PID        int
	Version    string
	Generation int
	Started    string
	Workers    []struct {
		PID, Slot, Generation int
		Version, State        string
	}
}

func status(t *testing.T, s *harness.Server) (r report) {
	t.Helper()
	got := s.Srvctl("status", "--json")
	if err := json.Unmarshal([]byte(got.Stdout), &r); err != nil || got.Code != 0 {
		t.Fatalf("status exits with %d: %v: %s%s", got.Code, err, got.Stdout, got.Stderr)
	}
	return r
}

// upgraded installs a version, upgrades, and wants that it works.
func upgraded(t *testing.T, s *harness.Server, program, number string) harness.Result {
	t.Helper()
	before := status(t, s)
	install(t, s, program)
	r := s.Srvctl("upgrade")
	if r.Code != 0 {
		t.Fatalf("upgrade exits with %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	now := status(t, s)
	if now.PID != before.PID || now.Version != number || now.Started != before.Started || now.Generation != before.Generation+1 {
		t.Errorf("after the upgrade to %s: %+v\nbefore: %+v", number, now, before)
	}
	for _, w := range now.Workers {
		if (w.State == "serving") != (w.Version == number && w.Generation == now.Generation) {
			t.Errorf("worker %+v of version %s, generation %d", w, number, now.Generation)
		}
	}
	return r
}

// refused wants that an upgrade fails for a reason and changes nothing.
func refused(t *testing.T, s *harness.Server, want string) {
	t.Helper()
	s.AwaitStatus("nobody drains", func(st harness.Status) bool { return len(st.Workers) == len(st.In("serving")) })
	before := status(t, s)
	r := s.Srvctl("upgrade")
	if r.Code != 1 || !strings.Contains(r.Stderr, want) || !strings.Contains(r.Stderr, "goes on, nothing was changed") {
		t.Errorf("upgrade exits with %d: %s%s\nwant 1 and %q", r.Code, r.Stdout, r.Stderr, want)
	}
	now := status(t, s)
	if fmt.Sprint(now) != fmt.Sprint(before) {
		t.Errorf("after an upgrade that was refused: %+v\nbefore: %+v", now, before)
	}
	hello(t, s)
}

func hello(t *testing.T, s *harness.Server) {
	t.Helper()
	if code, body := harness.Get(t, s.URL("http", "/hello")); code != 200 || body != "hello\n" {
		t.Errorf("GET /hello = %d %q", code, body)
	}
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
		if err != nil {
			t.Fatal(err)
		}
		list[line[:i]] = v
	}
	return list
}

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

// load starts clients of all forms.
func load(s *harness.Server) *ledger.Ledger {
	return ledger.Start(ledger.Options{
		Addr: s.Addr("http"), Pause: 20 * time.Millisecond, Idle: time.Second,
		Connections: map[ledger.Form]int{ledger.Keep: 4, ledger.Fresh: 2, ledger.Dribble: 2, ledger.Pipeline: 1},
	})
}

// awaitAnswers waits until the clients have n answers more, or a fault.
func awaitAnswers(t *testing.T, l *ledger.Ledger, n int64) {
	t.Helper()
	from := l.Answered()
	if !harness.Poll(patience, func() bool { return l.Answered() >= from+n || l.Troubles() > 0 }) {
		t.Fatalf("only %d of %d answers within %v", l.Answered()-from, n, patience)
	}
}

// account ends clients and server and wants that nothing is lost.
func account(t *testing.T, s *harness.Server, l *ledger.Ledger) {
	t.Helper()
	l.Stop()
	if code := s.Stop(); code != 0 {
		t.Errorf("the server exits with %d", code)
	}
	rep, err := l.Account(filepath.Join(s.Dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%v", rep)
	for _, p := range rep.Problems() {
		t.Error(p)
	}
}

// held is a request whose body has not ended.
type held struct {
	t    *testing.T
	conn net.Conn
}

func hold(t *testing.T, s *harness.Server) *held {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.Addr("http"), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, "POST /debug/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab"); err != nil {
		t.Fatal(err)
	}
	s.AwaitStatus("a request is in flight", func(st harness.Status) bool {
		n := 0
		for _, w := range st.Workers {
			n += w.InFlight
		}
		return n > 0
	})
	return &held{t, conn}
}

// finish ends the body and wants the answer.
func (h *held) finish() {
	h.t.Helper()
	if _, err := io.WriteString(h.conn, "cd"); err != nil {
		h.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(h.conn), nil)
	if err != nil {
		h.t.Fatalf("the request that was held: %v", err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 || string(body) != "abcd" {
		h.t.Errorf("the request that was held: %d %q, %v", resp.StatusCode, body, err)
	}
}

// must ends the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write puts a file at the server's path.
func write(t *testing.T, s *harness.Server, text string, mode os.FileMode) {
	t.Helper()
	must(t, os.RemoveAll(pathOf(s)))
	syscall.ForkLock.RLock() // see install
	err := os.WriteFile(pathOf(s), []byte(text), mode)
	syscall.ForkLock.RUnlock()
	must(t, err)
}
