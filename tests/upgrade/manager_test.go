package upgrade

import (
	"bufio"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"srvctl/tests/harness"
)

func goarch() string { return runtime.GOARCH }

// notices is a service manager that only listens.
type notices struct {
	t     *testing.T
	texts chan string
}

// maxNotices is more than a service says in a test.
const maxNotices = 10_000

func listen(t *testing.T) (*notices, string) {
	t.Helper()
	path := filepath.Join(harness.Dir(t), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	n := &notices{t, make(chan string, maxNotices)}
	go func() { // ends with the test
		buf := make([]byte, 64<<10)
		for {
			size, err := conn.Read(buf)
			if err != nil {
				return
			}
			n.texts <- string(buf[:size])
		}
	}()
	return n, path
}

// await returns the first message from here on that has this line.
func (n *notices) await(line string) string {
	n.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case text := <-n.texts:
			if strings.Contains(text, "MAINPID") {
				n.t.Errorf("it says %q, but its process stays the same", text)
			}
			if strings.Contains("\n"+text+"\n", "\n"+line+"\n") {
				return text
			}
		case <-deadline:
			n.t.Fatalf("the service never said %s", line)
		}
	}
}

// A service manager sees a service that reloads, is pinged all the time and
// never hears of another process.
func TestServiceManagerSeesOneProcess(t *testing.T) {
	t.Parallel()
	n, path := listen(t)
	s := start(t, version(t, "1.2"), harness.Options{Env: []string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=400000"}})
	n.await("READY=1")
	upgraded(t, s, version(t, "1.3"), "1.3")
	n.await("RELOADING=1")
	if text := n.await("READY=1"); !strings.Contains(text, "STATUS=upgraded from 1.2 to 1.3") {
		t.Errorf("READY=1 comes with %q", text)
	}
	n.await("RELOADING=1")
	n.await("READY=1")
	n.await("WATCHDOG=1")
	upgraded(t, s, version(t, "1.4"), "1.4")
	n.await("RELOADING=1")
	n.await("READY=1")
	n.await("RELOADING=1")
	n.await("READY=1")
	n.await("WATCHDOG=1")
}

// As process 1 of a container there is nobody who could start another.
func TestProcessOne(t *testing.T) {
	t.Parallel()
	before := []string{"unshare", "--pid", "--fork", "--mount-proc", "--kill-child"}
	probe := harness.Prepare(t, harness.Options{Config: serving})
	probe.Binary = "/usr/bin/env"
	if r := probe.Run(append(before, "true")...); r.Code != 0 {
		harness.NotRun(t, "namespaces: "+r.Stderr)
	}
	s := start(t, version(t, "1.2"), harness.Options{Before: before})
	if st := status(t, s); st.PID != 1 {
		t.Fatalf("the master is process %d of its namespace, want 1", st.PID)
	}
	upgraded(t, s, version(t, "1.3"), "1.3")
	install(t, s, "/bin/true")
	refused(t, s, "is another program")
	upgraded(t, s, version(t, "1.4"), "1.4")
	if r := s.Srvctl("stop"); r.Code != 0 {
		t.Errorf("stop exits with %d: %s", r.Code, r.Stderr)
	}
	if code := s.AwaitExit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// An operator who has written half of a request before gets his answer after.
func TestOperatorsStayConnected(t *testing.T) {
	t.Parallel()
	s := start(t, version(t, "1.2"), harness.Options{})
	conn, err := net.Dial("unix", s.Socket)
	must(t, err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	_, err = io.WriteString(conn, `{"verb":"re`)
	must(t, err)
	upgraded(t, s, version(t, "1.3"), "1.3")
	_, err = io.WriteString(conn, "ady\"}\n")
	must(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, `"ready":true`) {
		t.Errorf("answer %q, %v", line, err)
	}
}
