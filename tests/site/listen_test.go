package site

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"srvctl/tests/harness"
	"srvctl/tests/harness/proc"
)

// A unix socket has the mode that was asked for, and a stale file in its place
// is no obstacle; a stop removes it.
func TestUnixSocket(t *testing.T) {
	t.Parallel()
	s := harness.Prepare(t, harness.Options{Config: strings.Replace(hello,
		`{http: {address: "@http@"}}`, `{http: {address: "@http@"}, local: {address: "unix:@dir@/web.sock", mode: 0620}}`, 1)})
	path := filepath.Join(s.Dir, "web.sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	must(t, err)
	stale.SetUnlinkOnClose(false)
	must(t, stale.Close())

	s.Launch()
	s.AwaitReady()
	info, err := os.Stat(path)
	must(t, err)
	if got := info.Mode(); got != os.ModeSocket|0o620 {
		t.Errorf("mode %v, want 0620", got)
	}
	for range 10 {
		c := connect(t, "unix", path)
		must(t, c.want("/hello", 200, "hello\n"))
		c.Close()
	}
	st := look(t, s)
	if l := st.Listeners[1]; !l.Shared || !strings.Contains(l.Bound, path) {
		t.Errorf("status says of the socket: %+v; want shared, bound to %s", l, path)
	}
	if code := s.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket's file after a stop: %v, want it removed", err)
	}
}

// IPv6, alone and together with IPv4.
func TestIPv6(t *testing.T) {
	t.Parallel()
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		harness.NotRun(t, err)
	} else {
		l.Close()
	}
	s := harness.Start(t, harness.Options{Config: strings.Replace(hello, `"@http@"}}`, `"[::1]:@http.port@"}, local: {address: "localhost:@local.port@"}}`, 1)})
	_, port, err := net.SplitHostPort(s.Addr("http"))
	must(t, err)
	must(t, connect(t, "tcp6", "[::1]:"+port).want("/hello", 200, "hello\n"))
	if c, err := dial("tcp4", "127.0.0.1:"+port); err == nil {
		c.Close()
		t.Error("[::1] is bound, but 127.0.0.1 answers")
	}
	must(t, connect(t, "tcp", s.Addr("local")).want("/hello", 200, "hello\n"))
}

// A listener without reuseport is one socket that all workers accept from: when
// some of them are held up the others take all there is.
func TestSharedListener(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Config: strings.NewReplacer("workers: 2", "workers: 4", `"@http@"`, `"@http@", reuseport: false`).Replace(hello)})
	st := look(t, s)
	if len(st.Workers) != 4 || !st.Listeners[0].Shared {
		t.Fatalf("status: %+v; want 4 workers and a shared listener", st)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				c, err := dial("tcp", s.Addr("http"))
				if err == nil {
					err = c.want("/hello", 200, "hello\n")
					c.Close()
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	for _, w := range st.Workers[:3] {
		halt(t, w.PID)
	}
	for range 20 { // the one that is left takes them all
		c := connect(t, "tcp", s.Addr("http"))
		must(t, c.want("/hello", 200, "hello\n"))
		c.Close()
	}
}

// halt stops a process, until the test ends or something else continues it, and
// waits until all of its threads stand still: one that still runs may be woken
// for a connection and then not take it.
func halt(t *testing.T, pid int) {
	t.Helper()
	p, _ := proc.Read(pid)
	must(t, syscall.Kill(pid, syscall.SIGSTOP))
	t.Cleanup(func() {
		if anyAlive([]proc.Stat{p}) {
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

// Of two servers on one address the second one is refused, and says who has it.
func TestAddressTaken(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Config: hello})
	second := harness.Prepare(t, harness.Options{Config: strings.Replace(hello, "@http@", s.Addr("http"), 1)})
	r := second.Srvctl("start -c " + second.Config)
	if r.Code != 1 || !strings.Contains(r.Stderr, s.Addr("http")) || !strings.Contains(r.Stderr, "address already in use") {
		t.Errorf("the second server exits with %d and says %q; want 1, the address and the reason", r.Code, r.Stderr)
	}
	wantPage(t, s, "/hello", 200, "hello\n")
}
