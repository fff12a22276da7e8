package reload

import (
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"srvctl/tests/harness"
)

// after waits for a point in time.
func after(t time.Time) { <-time.After(time.Until(t)) }

// alt is a listener that is there at the start and gone after a reload, so that
// its connections have nowhere to move.
const alt = `alt: {address: "@alt@"}, `

// What is in flight when a reload comes is finished by the worker that began
// it, however long it takes. Then the connection goes on with the new
// configuration, or says that it ends if its listener has gone.
func TestRequestsInFlight(t *testing.T) {
	t.Parallel()
	const size = 12 << 20 // more than the kernel takes at once
	for _, name := range []string{"http", "alt"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := setup{workers: 1, listeners: alt}
			o := c.options()
			o.Files["large.txt"] = strings.Repeat("0123456789abcde\n", size/16)
			s := harness.Start(t, o)
			old := s.Workers()[0]
			addr := s.Addr(name)
			download := connect(t, addr)
			must(t, download.Conn.(*net.TCPConn).SetReadBuffer(16<<10))
			must(t, download.send("GET /files/large.txt HTTP/1.1\r\nHost: reload.test\r\n\r\n"))
			if _, err := download.r.Peek(1); err != nil {
				t.Fatal(err)
			}
			body := beginUpload(t, addr)
			head := connect(t, addr)
			must(t, head.send("GET /version HTTP/1.1\r\nHo"))
			s.AwaitStatus("three connections", func(st harness.Status) bool { return st.Connections == 3 })

			c.version, c.listeners = "two", ""
			reconfigured(t, s, c)
			wantVersion(t, s.Addr("http"), "two")
			moves := name == "http"
			goesOn := func(what string, c *client, closes bool, err error) {
				t.Helper()
				if err != nil || closes == moves {
					t.Errorf("%s: closes %v, %v; want an answer, and Connection: close if the listener has gone", what, closes, err)
				}
				if !moves {
					must(t, c.awaitEnd())
				} else if text, closes, err := c.ask("/version"); err != nil || closes || text != "two\n" {
					t.Errorf("%s, then: %q, closes %v, %v; want the new configuration", what, text, closes, err)
				}
				c.Close()
			}
			closes, err := body.finish()
			goesOn("half a body", body.client, closes, err)
			must(t, head.send("st: reload.test\r\n\r\n"))
			text, closes, err := head.receive()
			goesOn("half a head", head, closes, err)
			if want := map[bool]string{true: "two\n", false: "one\n"}[moves]; text != want {
				t.Errorf("half a head is answered by %q, want %q", text, want)
			}
			st := s.AwaitStatus("one connection", func(st harness.Status) bool { return st.Connections == 1 })
			if list := st.In("draining"); len(list) != 1 || list[0].PID != old.PID || list[0].Generation != 1 || gone(old.PID) {
				t.Errorf("while a download is under way these workers drain: %+v; want process %d", list, old.PID)
			}
			text, _, err = download.receive()
			if err != nil || len(text) != size {
				t.Errorf("the download: %d bytes, %v; want %d", len(text), err, size)
			}
			if moves { // its head went out before anybody knew of the end
				goesOn("a download", download, false, nil)
			}
			download.Close()
			s.AwaitStatus("the end of the old worker", func(st harness.Status) bool { return len(st.Workers) == 1 })
			if !gone(old.PID) {
				t.Errorf("the old worker %v is still there", old)
			}
		})
	}
}

// Idle connections live on through any number of reloads, and get what the
// newest configuration says.
func TestIdleConnectionsMove(t *testing.T) {
	t.Parallel()
	var c setup
	s := c.start(t)
	crowd := make([]*client, 40)
	for i := range crowd {
		crowd[i] = connect(t, s.Addr("http"))
		if _, _, err := crowd[i].ask("/version"); err != nil {
			t.Fatal(err)
		}
	}
	for i, workers := range []int{3, 1, 4, 2} {
		c.workers, c.version = workers, fmt.Sprint("version ", i)
		reconfigured(t, s, c)
	}
	s.AwaitStatus("only the newest generation", func(st harness.Status) bool { return len(st.Workers) == 2 })
	after(time.Now().Add(idle + 100*time.Millisecond)) // any that drains would be closed by now
	for i, conn := range crowd {
		if text, closes, err := conn.ask("/version"); err != nil || closes || text != "version 3\n" {
			t.Errorf("connection %d: %q, closes %v, %v; want the newest configuration", i, text, closes, err)
		}
	}
	if n := metric(t, s, "srvctl_connections_moved_total"); n < float64(4*len(crowd)) {
		t.Errorf("srvctl_connections_moved_total = %v after %d connections moved 4 times", n, len(crowd))
	}
}

// An idle connection that cannot move is closed when it has been silent for
// drain.idle, whether that began before the reload or after, and not sooner.
func TestIdleConnections(t *testing.T) {
	c := setup{listeners: alt}
	s := c.start(t)
	type kept struct {
		*client
		used time.Time
	}
	open := func() kept {
		c := connect(t, s.Addr("alt"))
		used := time.Now()
		if _, closes, err := c.ask("/version"); err != nil || closes {
			t.Fatalf("closes %v, %v", closes, err)
		}
		return kept{c, used}
	}
	began := time.Now()
	long := open()
	after(began.Add(idle + 100*time.Millisecond))
	early := open()
	after(time.Now().Add(idle / 2))
	late := open()
	never := kept{connect(t, s.Addr("alt")), time.Now()}
	s.AwaitStatus("four connections", func(st harness.Status) bool { return st.Connections == 4 })
	asked := time.Now()
	c.listeners = ""
	reconfigured(t, s, c)
	var wg sync.WaitGroup
	for name, k := range map[string]kept{"long": long, "early": early, "late": late, "never": never} {
		wg.Go(func() {
			if err := k.awaitEnd(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			now := time.Now()
			if silent := now.Sub(k.used); silent < idle {
				t.Errorf("%s: closed after %v of silence, want %v", name, silent, idle)
			}
			latest := asked
			if due := k.used.Add(idle); due.After(asked) {
				latest = due
			}
			if late := now.Sub(latest); late > stretch(400*time.Millisecond) {
				t.Errorf("%s: closed %v later than it was due", name, late)
			}
			k.Close()
		})
	}
	wg.Wait()
}

// A connection that cannot move and is used in time is answered, and told.
func TestIdleConnectionAsks(t *testing.T) {
	t.Parallel()
	old := setup{listeners: alt, idle: patience}
	s := old.start(t)
	c := connect(t, s.Addr("alt"))
	if _, _, err := c.ask("/version"); err != nil {
		t.Fatal(err)
	}
	reconfigured(t, s, setup{version: "two"})
	for closes := false; !closes; { // the worker learns of it after the master
		text, last, err := c.ask("/version")
		if err != nil || text != "one\n" {
			t.Fatalf("%q, %v; want an answer", text, err)
		}
		closes = last
	}
	must(t, c.awaitEnd())
}

// drain.timeout bounds what a client can do to an old worker, and what was cut
// is said and counted.
func TestDrainTimeout(t *testing.T) {
	t.Parallel()
	const limit = 400 * time.Millisecond
	s := setup{workers: 1, drain: "timeout: 400ms"}.start(t)
	u := beginUpload(t, s.Addr("http"))
	s.AwaitStatus("the upload", func(st harness.Status) bool { return st.Connections == 1 })
	began := time.Now()
	r := reloaded(t, s, "--wait")
	if took, most := time.Since(began), stretch(limit+time.Second); took < limit || took > most {
		t.Errorf("reload --wait takes %v, want drain.timeout of %v and not more than %v", took, limit, most)
	}
	if !regexp.MustCompile(`(?m)^slot 0: drained, \d+ connections? finished, 1 cut$`).MatchString(r.Stdout) {
		t.Errorf("the answer does not say that 1 connection was cut:\n%s", r.Stdout)
	}
	if !strings.Contains(s.Stderr(), `"cut":1`) {
		t.Error("the log does not say that 1 connection was cut")
	}
	if _, err := u.finish(); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the upload: %v, want it to be cut", err)
	}
}

// drain.generations bounds the old generations: the oldest has to go, in about
// a second, and no other.
func TestDrainGenerations(t *testing.T) {
	t.Parallel()
	s := setup{workers: 1, drain: "timeout: 20s, generations: 2"}.start(t)
	var uploads []upload
	for n := 2; n <= 3; n++ {
		uploads = append(uploads, beginUpload(t, s.Addr("http")))
		s.AwaitStatus("the upload", func(st harness.Status) bool { return st.Connections == n-1 })
		reloaded(t, s)
	}
	if list := s.Status().In("draining"); len(list) != 2 {
		t.Fatalf("%+v: want two old workers", list)
	}
	began := time.Now()
	r := reloaded(t, s)
	if took, most := time.Since(began), stretch(2500*time.Millisecond); took > most {
		t.Errorf("the third reload takes %v, want less than %v", took, most)
	}
	if !strings.Contains(r.Stdout, "drain.generations") {
		t.Errorf("the answer does not say what was in the way:\n%s", r.Stdout)
	}
	st := s.Status()
	for _, w := range st.Workers {
		if w.Generation == 1 {
			t.Errorf("%+v is still there", w)
		}
	}
	if _, err := uploads[0].finish(); err == nil {
		t.Error("the oldest upload is answered, long after its worker had to go")
	}
	if _, err := uploads[1].finish(); err != nil {
		t.Errorf("the younger upload: %v; want its answer", err)
	}
}

// A request that can still be finished when its generation has to go is.
func TestDrainGenerationsGrace(t *testing.T) {
	t.Parallel()
	s := setup{workers: 1, drain: "timeout: 20s, generations: 1"}.start(t)
	u := beginUpload(t, s.Addr("http"))
	s.AwaitStatus("the upload", func(st harness.Status) bool { return st.Connections == 1 })
	reloaded(t, s)
	from := s.Logged()
	var wg sync.WaitGroup
	wg.Go(func() { reloaded(t, s) })
	s.AwaitLog(from, "old generation is ended")
	if _, err := u.finish(); err != nil {
		t.Errorf("%v; want an answer within the second that is left", err)
	}
	u.Close()
	wg.Wait()
	if st := s.Status(); st.Generation != 3 {
		t.Errorf("generation %d, want 3", st.Generation)
	}
}

// The drain of a stop is the one of the newest configuration: readiness turns
// off drain.delay before anything else happens.
func TestStopAfterReload(t *testing.T) {
	t.Parallel()
	const delay = 1500 * time.Millisecond
	c := setup{workers: 1}
	s := c.start(t)
	c.drain = "timeout: 20s, delay: 1500ms"
	reconfigured(t, s, c)
	began := time.Now()
	s.Signal(syscall.SIGTERM)
	if !harness.Poll(delay/2, func() bool { code, _ := harness.Get(t, s.URL("admin", "/readyz")); return code == 503 }) {
		t.Error("/readyz does not turn to 503")
	}
	if time.Since(began) < delay/2 {
		wantVersion(t, s.Addr("http"), "one") // new connections are still welcome
	}
	if r := s.Reload(); r.Code != 1 || !strings.Contains(r.Stderr, "stops") {
		t.Errorf("a reload of a server that stops: exit %d, %q; want 1 and why", r.Code, r.Stderr)
	}
	if code := s.AwaitExit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(began); took < delay {
		t.Errorf("the stop takes %v, want drain.delay: %v at least", took, delay)
	}
}
