package supervise

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"srvctl/tests/harness"
	"srvctl/tests/harness/proc"
)

const activated = `
workers: 2
listeners:
  http: {address: "@http@"}
  local: {address: "unix:@dir@/web.sock"}
drain: {timeout: 15s, idle: 200ms}
sites: [{routes: [{match: /hello, respond: {body: "hello\n"}}]}]
`

// openUnit listens as a socket unit does: the socket is there before the
// service and stays after it.
func openUnit(t *testing.T, m *manager, name, network, addr string) {
	t.Helper()
	var plain net.ListenConfig
	plain.SetMultipathTCP(false) // as systemd's, where the unit does not ask for it
	l, err := plain.Listen(t.Context(), network, addr)
	if err != nil {
		t.Fatal(err)
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	f, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // the copy goes on
	t.Cleanup(func() { f.Close() })
	raw, err := f.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { m.unit(name, int(fd)) })
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Sockets of socket units are served, from their first client on, who came
// before the server. They outlive it, and it stops and starts again without
// anybody being refused.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	s := harness.Prepare(t, harness.Options{Config: activated, Before: m.before(), Env: m.env()})
	file := filepath.Join(s.Dir, "web.sock")
	openUnit(t, m, "web.socket", "tcp", s.Addr("http"))
	openUnit(t, m, "local.socket", "unix", file)

	for _, round := range []string{"first start", "second start"} {
		var early []net.Conn
		for range 8 {
			early = append(early, askEarly(t, "tcp", s.Addr("http")), askEarly(t, "unix", file))
		}
		from := m.told()
		s.Launch()
		m.says(from, "READY", "1")
		for i, c := range early {
			if err := answered(c, "hello\n"); err != nil {
				t.Errorf("%s: client %d, who was there before it: %v", round, i, err)
			}
		}
		for network, addr := range map[string]string{"tcp": s.Addr("http"), "unix": file} {
			if err := hello(network, addr); err != nil {
				t.Errorf("%s: %s: %v", round, network, err)
			}
		}
		for _, l := range s.Status().Listeners {
			if !l.Shared {
				t.Errorf("%s: listener %s has a socket per worker, but was given one", round, l.Name)
			}
		}
		if code := s.Stop(); code != 0 {
			t.Errorf("%s: exit code %d, want 0", round, code)
		}
		if _, err := os.Stat(file); err != nil {
			t.Errorf("%s: the file of systemd's socket is gone: %v", round, err)
		}
	}
}

// askEarly asks for the page where nobody may be there yet to answer.
func askEarly(t *testing.T, network, addr string) net.Conn {
	t.Helper()
	c := connect(t, network, addr)
	if _, err := c.Write([]byte(askHello)); err != nil {
		t.Fatal(err)
	}
	return c
}

// A socket that no listener wants is told of and closed: nobody may connect and
// wait for ever, and no worker holds it.
func TestUnwantedSocket(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	s := harness.Prepare(t, harness.Options{Config: serving, Before: m.before(), Env: m.env()})
	stray := fmt.Sprintf("127.0.0.1:%d", harness.Port(t))
	openUnit(t, m, "stray.socket", "tcp", stray)
	from := m.told()
	s.Launch()
	m.says(from, "READY", "1")
	st := s.Status()
	for _, want := range []string{"stray.socket", stray, "ListenStream="} {
		if !strings.Contains(st.Complaints(), want) {
			t.Errorf("status complains of %q, want %q in it", st.Complaints(), want)
		}
	}
	for _, p := range append(s.Workers(), proc.Stat{PID: s.PID()}) {
		if holds(p.PID, m.units[0].ino) {
			t.Errorf("process %v holds the socket", p)
		}
	}
	if err := hello("tcp", s.Addr("http")); err != nil {
		t.Error(err)
	}
}

// holds says whether a process has a socket open.
func holds(pid int, ino uint64) bool {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		if name, err := os.Readlink(link); err == nil && name == fmt.Sprintf("socket:[%d]", ino) {
			return true
		}
	}
	return false
}

// What a service manager tells a service in its environment is for the master:
// a worker that had it could speak for the service, or take its sockets.
func TestWorkersEnvironment(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	s := harness.Prepare(t, harness.Options{Config: serving, Before: m.before(), Env: m.env("WATCHDOG_USEC=60000000", "FDSTORE=8")})
	openUnit(t, m, "web.socket", "tcp", s.Addr("http"))
	from := m.told()
	s.Launch()
	m.says(from, "READY", "1")
	workers := s.Workers()
	if len(workers) != 2 {
		t.Fatalf("workers %v, want 2", workers)
	}
	for _, w := range workers {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", w.PID))
		if err != nil {
			t.Fatal(err)
		}
		for entry := range strings.SplitSeq(string(env), "\x00") {
			for _, prefix := range []string{"NOTIFY_", "LISTEN_", "WATCHDOG_", "FDSTORE"} {
				if strings.HasPrefix(entry, prefix) {
					t.Errorf("worker %v has %s", w, entry)
				}
			}
		}
	}
}
