package site

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"srvctl/tests/harness"
)

const stopping = `
workers: 2
listeners: {http: {address: "@http@"}}
drain: {timeout: 20s, idle: 500ms}
sites:
  - routes:
      - {match: /hello, respond: {body: "hello\n"}}
      - {match: "/users/{id}", respond: {body: "user {id}\n"}}
      - {match: /readyz, health: {kind: ready}}
      - {match: "/files/*", files: {root: .}}
`

// ledger is what a client of keep-alive connections writes down: what it asked
// and what came of it.
type ledger struct {
	asked, answered int
	closing         int // answers that said Connection: close
	err             error
}

// keep asks on one connection until the server says that it closes, each time
// for something else, and then wants the end of the connection.
func (l *ledger) keep(addr string, id int) {
	c, err := dial("tcp", addr)
	if err != nil {
		l.err = err
		return
	}
	defer c.Close()
	for n := 0; ; n++ {
		l.asked++
		a, err := c.ask(fmt.Sprintf("/users/%d-%d", id, n))
		if err != nil {
			l.err = fmt.Errorf("request %d: %w", n, err)
			return
		}
		if want := fmt.Sprintf("user %d-%d\n", id, n); a.code != 200 || a.body != want {
			l.err = fmt.Errorf("request %d: answer %d %q, want %q", n, a.code, a.body, want)
			return
		}
		l.answered++
		if a.closes {
			l.closing++
			l.err = c.awaitEnd(time.Now().Add(patience))
			return
		}
	}
}

// A stop under load loses no request of a connection that is open: each gets its
// answer, the last one with Connection: close.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	for range times(1, 50) {
		stopUnderLoad(t)
	}
}

func stopUnderLoad(t *testing.T) {
	s := harness.Start(t, harness.Options{Config: stopping})
	ledgers := make([]ledger, 32)
	var wg sync.WaitGroup
	for i := range ledgers {
		wg.Go(func() { ledgers[i].keep(s.Addr("http"), i) })
	}
	awaitStatus(t, s, "load", func(st status) bool {
		return st.Workers[0].Requests+st.Workers[1].Requests > 2000 && st.Connections == len(ledgers)
	})
	if code := s.Stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	wg.Wait()
	total := 0
	for i, l := range ledgers {
		total += l.answered
		if l.err != nil || l.asked != l.answered || l.closing != 1 {
			t.Errorf("client %d: %+v; want an answer to each request, the last one with Connection: close", i, l)
		}
	}
	t.Logf("%d requests answered", total)
}

// What is under way when a stop begins is finished, what is idle is closed after
// a moment in which it may still ask.
func TestStop(t *testing.T) {
	t.Parallel()
	const size = 16 << 20 // more than the kernel takes at once
	s := harness.Start(t, harness.Options{Config: strings.Replace(stopping, "workers: 2", "workers: 1", 1), Files: map[string]string{"large.txt": letters('a', size)}})
	idle := connect(t, "tcp", s.Addr("http"))
	asks := connect(t, "tcp", s.Addr("http"))
	never := connect(t, "tcp", s.Addr("http"))
	half := connect(t, "tcp", s.Addr("http"))
	download := connect(t, "tcp", s.Addr("http"))
	must(t, half.send("GET /hello HTTP/1.1\r\nHost: "))
	must(t, download.send(get("/files/large.txt")))
	_, err := download.r.Peek(1)
	must(t, err)
	awaitConnections(t, s, 5)
	must(t, asks.want("/hello", 200, "hello\n"))
	must(t, idle.want("/hello", 200, "hello\n"))
	lastUse := time.Now()

	s.Signal(syscall.SIGTERM)
	var a answer
	for !a.closes { // the worker learns of it after the master
		if a, err = asks.ask("/hello"); err != nil || a.body != "hello\n" {
			t.Fatalf("a request after the stop began gets %+v, %v; want its answer", a, err)
		}
	}
	must(t, half.send("site.test\r\n\r\n"))
	a, err = half.receive()
	if err != nil || a.body != "hello\n" || !a.closes {
		t.Errorf("a request that was half there gets %+v, %v; want its answer with Connection: close", a, err)
	}
	for name, c := range map[string]*client{"that asked": asks, "with half a request": half, "that never asked": never, "that is idle": idle} {
		if err := c.awaitEnd(time.Now().Add(patience)); err != nil {
			t.Errorf("the connection %s: %v", name, err)
		}
		c.Close()
	}
	if kept := time.Since(lastUse); kept < 500*time.Millisecond {
		t.Errorf("an idle connection is closed after %v, want drain.idle: 500ms", kept)
	}
	if c, err := dial("tcp", s.Addr("http")); err == nil {
		c.Close()
		t.Error("a new connection is taken while the server drains, want it refused")
	}
	if s.Exited() {
		t.Error("the server has gone while a download was under way")
	}
	a, err = download.receive()
	if err != nil || a.body != letters('a', size) {
		t.Errorf("the download: %d bytes, %v; want all of it", len(a.body), err)
	}
	if err := download.awaitEnd(time.Now().Add(patience)); err != nil {
		t.Errorf("after the download: %v", err)
	}
	download.Close()
	if code := s.AwaitExit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

// Connections that wait in a worker's queue when a stop begins are served.
func TestStopEmptiesTheQueue(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Config: strings.Replace(stopping, "workers: 2", "workers: 1", 1)})
	worker := s.Workers()[0].PID
	halt(t, worker) // now nobody accepts
	queue := make([]*client, 50)
	for i := range queue {
		queue[i] = connect(t, "tcp", s.Addr("http"))
		must(t, queue[i].send(get("/hello")))
	}
	s.Signal(syscall.SIGTERM)
	s.AwaitStderr(`"stopping"`)
	must(t, syscall.Kill(worker, syscall.SIGCONT))
	for i, c := range queue {
		a, err := c.receive()
		if err != nil || a.code != 200 || a.body != "hello\n" {
			t.Fatalf("connection %d of the queue: %+v, %v; want an answer", i, a, err)
		}
		c.Close()
	}
	if code := s.AwaitExit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

// drain.timeout bounds what a client can do to a stop.
func TestStopCutsWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{
		Config: strings.Replace(stopping, "timeout: 20s", "timeout: 400ms", 1),
		Files:  map[string]string{"large.txt": letters('a', 16<<20)},
	})
	stuck := connect(t, "tcp", s.Addr("http"))
	must(t, stuck.send(get("/files/large.txt")))
	_, err := stuck.r.Peek(1)
	must(t, err)
	began := time.Now()
	if code := s.Stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if took, limit := time.Since(began), stretch(2*time.Second); took < 400*time.Millisecond || took > limit {
		t.Errorf("the stop takes %v, want drain.timeout of 400ms and not more than %v", took, limit)
	}
	if a, err := stuck.receive(); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the download that was cut: %d bytes, %v; want it to be seen", len(a.body), err)
	}
	if !strings.Contains(s.Stderr(), `"cut":1`) {
		t.Error("the log does not say that one connection was cut")
	}
}

// drain.delay: load balancers get time to notice before anything else happens.
func TestStopAfterDelay(t *testing.T) {
	t.Parallel()
	const delay = 2 * time.Second // far longer than what is done meanwhile takes
	s := harness.Start(t, harness.Options{Config: strings.NewReplacer("idle: 500ms", "idle: 100ms, delay: 2s",
		`"@http@"}`, `"@http@"}, local: {address: "unix:@dir@/web.sock"}`).Replace(stopping)})
	c := connect(t, "tcp", s.Addr("http"))
	began := time.Now()
	s.Signal(syscall.SIGTERM)
	if !harness.Poll(delay/2, func() bool { code, _ := harness.Get(t, s.URL("admin", "/readyz")); return code == 503 }) {
		t.Error("/readyz does not say 503")
	}
	if !harness.Poll(delay/2, func() bool { a, err := c.ask("/readyz"); must(t, err); return a.code == 503 }) {
		t.Error("a site's health route does not say 503")
	}
	if time.Since(began) < delay/2 {
		wantPage(t, s, "/hello", 200, "hello\n") // a new connection is still welcome
		must(t, connect(t, "unix", s.Dir+"/web.sock").want("/hello", 200, "hello\n"))
	}
	if code := s.AwaitExit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if took := time.Since(began); took < delay {
		t.Errorf("the stop takes %v, want drain.delay: %v at least", took, delay)
	}
}
