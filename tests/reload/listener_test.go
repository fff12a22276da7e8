package reload

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"sync"
	"testing"

	"srvctl/tests/harness"
	"srvctl/tests/reload/ledger"
)

// Listeners come and go, and the others do not notice.
func TestListeners(t *testing.T) {
	t.Parallel()
	c := setup{idle: patience}
	s := c.start(t)
	l := load(s, s.Addr("http"))
	for range times(2, 30) {
		c.listeners = `alt: {address: "@alt@"}, local: {address: "unix:@dir@/web.sock"}, `
		reconfigured(t, s, c)
		local := "unix:" + s.Dir + "/web.sock"
		wantVersion(t, s.Addr("alt"), "one")
		wantVersion(t, local, "one")
		// What waits in a queue when its listener goes is answered.
		kept := connect(t, s.Addr("alt"))
		c.listeners = ""
		reconfigured(t, s, c)
		if body, closes, err := kept.ask("/version"); err != nil || body != "one\n" || !closes {
			t.Errorf("a connection of a listener that has gone: %q, closes %v, %v; want a last answer", body, closes, err)
		}
		kept.Close()
		for _, addr := range []string{s.Addr("alt"), local} {
			if c, err := dial(addr); err == nil {
				c.Close()
				t.Errorf("%s still takes connections", addr)
			}
		}
		if _, err := os.Lstat(s.Dir + "/web.sock"); !os.IsNotExist(err) {
			t.Errorf("the socket's file: %v, want it removed", err)
		}
	}
	account(t, s, []*ledger.Ledger{l})
}

// An address changes to one that overlaps with it, and back, and whoever is
// served by both never notices.
func TestOverlappingAddress(t *testing.T) {
	t.Parallel()
	for _, reuse := range []bool{true, false} {
		t.Run(fmt.Sprint("reuseport ", reuse), func(t *testing.T) {
			t.Parallel()
			all := setup{http: fmt.Sprintf(`address: ":@http.port@", reuseport: %v`, reuse)}
			one := setup{http: fmt.Sprintf(`address: "@http@", reuseport: %v`, reuse)}
			s := all.start(t)
			other := otherAddress(t, s.Addr("http"))
			l := load(s, s.Addr("http"))
			for range times(2, 30) {
				wantVersion(t, other, "one")
				reconfigured(t, s, one)
				awaitAnswers(t, l, 20)
				if c, err := dial(other); err == nil {
					c.Close()
					t.Errorf("%s still takes connections", other)
				}
				reconfigured(t, s, all)
				awaitAnswers(t, l, 20)
			}
			account(t, s, []*ledger.Ledger{l})
			wantCalmLog(t, s)
		})
	}
}

// otherAddress is the same port on another address of this machine.
func otherAddress(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	must(t, err)
	return net.JoinHostPort("127.0.0.2", port)
}

// Options of a listener change under load.
func TestListenerOptions(t *testing.T) {
	t.Parallel()
	c := setup{workers: 2, listeners: `local: {address: "unix:@dir@/web.sock", mode: 0600}, `}
	s := c.start(t)
	l := load(s, s.Addr("http"))
	local := ledger.Start(ledger.Options{Addr: "unix:" + s.Dir + "/web.sock", Connections: small, Idle: idle, From: 2_000_000_000})
	mode := func(want os.FileMode) {
		t.Helper()
		info, err := os.Stat(s.Dir + "/web.sock")
		must(t, err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("the socket's mode is %v, want %v", got, want)
		}
	}
	listener := func(name string) harness.ListenerStatus {
		t.Helper()
		list := s.Status().Listeners
		i := slices.IndexFunc(list, func(l harness.ListenerStatus) bool { return l.Name == name })
		if i < 0 {
			t.Fatalf("no listener %s in %+v", name, list)
		}
		return list[i]
	}
	for range times(2, 20) {
		mode(0o600)
		c.http = `address: "@http@", reuseport: false`
		reconfigured(t, s, c)
		awaitAnswers(t, l, 20)
		if is := listener("http"); !is.Shared {
			t.Errorf("without reuseport the listener is %+v", is)
		}
		c.http = `address: "@http@", backlog: 77`
		c.listeners = `local: {address: "unix:@dir@/web.sock", mode: 0622, backlog: 55}, `
		reconfigured(t, s, c)
		awaitAnswers(t, l, 20)
		if is := listener("http"); is.Shared {
			t.Errorf("with reuseport the listener is %+v", is)
		}
		mode(0o622)
		wantBacklog(t, "-t", s.Addr("http"), "77")
		wantBacklog(t, "-x", s.Dir+"/web.sock", "55")
		c.http = ""
		c.listeners = `renamed: {address: "unix:@dir@/web.sock", mode: 0600}, `
		reconfigured(t, s, c)
		awaitAnswers(t, local, 20)
		listener("renamed")
		wantBacklog(t, "-t", s.Addr("http"), "4096")
	}
	account(t, s, []*ledger.Ledger{l, local})
	wantCalmLog(t, s)
}

// wantBacklog asks ss, which shows the backlog of a listening socket where
// others have their send queue.
func wantBacklog(t *testing.T, kind, addr, want string) {
	t.Helper()
	out, err := exec.Command(harness.Tool(t, "ss"), "-Hln", kind).CombinedOutput()
	must(t, err)
	found := regexp.MustCompile(`LISTEN +\d+ +(\d+) +`+regexp.QuoteMeta(addr)+` `).FindAllStringSubmatch(string(out), -1)
	if len(found) == 0 {
		t.Errorf("ss shows no listener at %s:\n%s", addr, out)
	}
	for _, m := range found {
		if m[1] != want {
			t.Errorf("a socket at %s has a backlog of %s, want %s", addr, m[1], want)
		}
	}
}

// The sockets of workers that are scaled away go on taking connections, each of
// which is answered; new workers share the work.
func TestWorkersUpAndDown(t *testing.T) {
	t.Parallel()
	c := setup{workers: 4}
	s := c.start(t)
	l := load(s, s.Addr("http"))
	for _, workers := range []int{1, 3, 2, 4, 1} {
		c.workers = workers
		reconfigured(t, s, c)
		st := s.Status()
		var accepts []int
		for _, w := range st.In("serving") {
			accepts = append(accepts, w.Accepts...)
		}
		slices.Sort(accepts)
		if list := slices.Compact(accepts); len(st.In("serving")) != workers || !slices.Equal(list, []int{0, 1, 2, 3}) {
			t.Errorf("%d workers accept from the sockets of %v, want all four", len(st.In("serving")), list)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { // the kernel spreads them over the four queues
				for range 50 {
					if got, err := version(s.Addr("http")); err != nil || got != "one" {
						t.Errorf("with %d workers: version %q, %v", workers, got, err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	account(t, s, []*ledger.Ledger{l})
	byWorker, err := ledger.Lines(s.Dir + "/access.log")
	must(t, err)
	if len(byWorker) != 4 {
		t.Errorf("requests by slot: %v, want each to have had some", byWorker)
	}
}

// What waits in the queue of a listener when it is removed is answered.
func TestQueueOfRemovedListener(t *testing.T) {
	t.Parallel()
	for _, reuse := range []bool{true, false} {
		t.Run(fmt.Sprint("reuseport ", reuse), func(t *testing.T) {
			t.Parallel()
			c := setup{workers: 2, listeners: fmt.Sprintf(`alt: {address: "@alt@", reuseport: %v}, `, reuse)}
			s := c.start(t)
			for _, w := range s.Workers() {
				halt(t, w.PID) // now nobody accepts
			}
			queue := make([]*client, 50)
			for i := range queue {
				queue[i] = connect(t, s.Addr("alt"))
				must(t, queue[i].send("GET /version HTTP/1.1\r\nHost: reload.test\r\n\r\n"))
			}
			old := s.Workers()
			c.listeners = ""
			s.Configure(c.text())
			reloaded(t, s)
			for _, w := range old {
				goOn(t, w.PID)
			}
			for i, q := range queue {
				if body, _, err := q.receive(); err != nil || body != "one\n" {
					t.Fatalf("connection %d of the queue: %q, %v; want an answer", i, body, err)
				}
			}
		})
	}
}
