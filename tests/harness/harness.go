package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"srvctl/tests/harness/clone"
	"srvctl/tests/harness/proc"
	"srvctl/tests/harness/tool"
)

// mark is in the environment of everything this test process starts, which is
// how it finds what it has left behind.
var mark = fmt.Sprintf("HARNESS_OWNER=%d-%d", os.Getpid(), time.Now().UnixNano())

// Main is for TestMain of every package that starts servers: it runs the tests
// and fails the package if a process has outlived them.
func Main(m *testing.M) {
	name, value, _ := strings.Cut(mark, "=")
	os.Setenv(name, value)
	code := m.Run()
	if left := awaitGone(0); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: processes outlived the tests: %v\n", left)
		kill(left)
		code = max(code, 1)
	}
	os.Exit(code)
}

// goneWithin is how long processes may take to end after their server has.
const goneWithin = 5 * time.Second

// awaitGone waits until no process of the session is left, or with session 0 no
// process with this one's mark, and returns those that would not go. (A mark set
// after the start does not show in /proc, so this process is not among them.)
func awaitGone(session int) []proc.Stat {
	entry := mark
	if session != 0 {
		entry = ""
	}
	var left []proc.Stat
	Poll(goneWithin, func() bool {
		left = proc.Marked(entry, session)
		return len(left) == 0
	})
	return left
}

// kill ends processes by their ids, each only if it still is the one seen.
func kill(list []proc.Stat) {
	for _, p := range list {
		if now, ok := proc.Read(p.PID); ok && now.Started == p.Started {
			syscall.Kill(p.PID, syscall.SIGKILL)
		}
	}
}

// Soak says whether the long forms of the tests are wanted (SOAK=1, make soak).
func Soak() bool { return os.Getenv("SOAK") == "1" }

// Race says whether the server is built with the race detector, which takes
// several times the memory and time.
func Race() bool { return os.Getenv("HARNESS_RACE") == "1" }

// NotRun ends a test that this machine cannot run: with a skip that says why,
// or as a failure where REQUIRE=1 says that everything must run.
func NotRun(t testing.TB, reason any) {
	t.Helper()
	if os.Getenv("REQUIRE") == "1" {
		t.Fatalf("NOT RUN, but REQUIRE=1: %v", reason)
	}
	t.Skipf("NOT RUN: %v", reason)
}

// Binary returns the path of the server's binary and builds it first if needed.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := clone.Binary(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// FaultyBinary returns the path of a binary whose workers fail on purpose: see
// Options.Faults.
func FaultyBinary(t testing.TB) string {
	t.Helper()
	path, err := clone.FaultyBinary(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Tool returns the path of a foreign program (wrk, nginx, chromium, ...), or
// ends the test as not run.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := tool.Find(context.Background(), name)
	if err != nil {
		NotRun(t, err)
	}
	return path
}

// Dir makes a folder that is removed with the test. Unlike t.TempDir every user
// may enter it, as workers that are not root must, and its name is short enough
// for a unix socket inside.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "srvctl-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Poll asks until the answer is yes (true) or the time is over (false). It is
// for what nobody announces, such as the end of a process that is not a child.
func Poll(limit time.Duration, yes func() bool) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if yes() {
			return true
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return yes()
		}
	}
}

// client makes a connection per request, so that it never meets one that a
// restarted server has closed.
var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, Proxy: nil},
	Timeout:       10 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Get returns the status and body of a page.
func Get(t testing.TB, url string) (code int, body string) {
	t.Helper()
	code, body, err := get(url)
	if err != nil {
		t.Fatal(err)
	}
	return code, body
}

func get(url string) (code int, body string, err error) {
	resp, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw), err
}

// RaiseOpenFiles makes room for n open descriptors in this process, or ends the
// test as not run.
func RaiseOpenFiles(t testing.TB, n uint64) {
	t.Helper()
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	if err == nil && limit.Cur < n {
		if limit.Max < n {
			err = errors.New("the hard limit of open files is " + strconv.FormatUint(limit.Max, 10) + ", wanted " + strconv.FormatUint(n, 10))
		} else {
			limit.Cur = limit.Max
			err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
		}
	}
	if err != nil {
		NotRun(t, err)
	}
}
