package script

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"srvctl/tests/harness"
	"srvctl/tests/harness/proc"
)

// patience bounds every wait. What is waited for takes milliseconds, on a
// machine that does nothing else.
const patience = 20 * time.Second

func want(ts *testscript.TestScript, neg bool, args []string, n int, form string) {
	if neg || len(args) < n {
		ts.Fatalf("usage: %s", form)
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "exits CODE COMMAND...")
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// status returns a value of the running server's status; false when there is
// none at the moment.
func status(ts *testscript.TestScript, path string) (string, bool) {
	cmd := exec.Command(lookPath(ts, "srvctl"), "status", "--json", "--socket", ts.Getenv("SRVCTL_CONTROL_SOCKET"))
	out, err := cmd.Output()
	if err != nil {
		return "", false
	}
	var value any
	ts.Check(json.Unmarshal(out, &value))
	for _, step := range strings.Split(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				return "", false
			}
			value = v[i]
		default:
			return "", false
		}
	}
	if text, ok := value.(string); ok {
		return text, true
	}
	raw, err := json.Marshal(value)
	ts.Check(err)
	return string(raw), true
}

func lookPath(ts *testscript.TestScript, name string) string {
	dir, _, _ := strings.Cut(ts.Getenv("PATH"), ":") // where setup has put it
	return dir + "/" + name
}

func get(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "get NAME PATH")
	value, ok := status(ts, args[1])
	if !ok || value == "null" {
		ts.Fatalf("the status has no %s", args[1])
	}
	ts.Setenv(args[0], value)
}

func await(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "await PATH REGEXP")
	re := regexp.MustCompile("^(?:" + args[1] + ")$")
	var last string
	if !harness.Poll(patience, func() bool {
		value, ok := status(ts, args[0])
		last = value
		return ok && re.MatchString(value)
	}) {
		ts.Fatalf("%s is %q, want a match of %s", args[0], last, args[1])
	}
}

func awaitFile(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "awaitfile FILE REGEXP")
	re := regexp.MustCompile("(?m)" + args[1])
	path := ts.MkAbs(args[0])
	var raw []byte
	if !harness.Poll(patience, func() bool {
		raw, _ = os.ReadFile(path)
		return re.Match(raw)
	}) {
		ts.Fatalf("%s has no match of %s:\n%s", args[0], args[1], raw)
	}
}

func awaitGone(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "awaitgone PID")
	pid, err := strconv.Atoi(strings.TrimSpace(args[0]))
	ts.Check(err)
	if !harness.Poll(patience, func() bool {
		s, there := proc.Read(pid)
		return !there || s.Zombie
	}) {
		ts.Fatalf("process %d is still there", pid)
	}
}

// fetch has a connection per request, so that no server waits for it.
func fetch(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] http CODE URL")
	}
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(args[1])
	if neg {
		if err == nil {
			resp.Body.Close()
			ts.Fatalf("GET %s is answered with %d", args[1], resp.StatusCode)
		}
		return
	}
	ts.Check(err)
	defer resp.Body.Close()
	_, err = io.Copy(ts.Stdout(), resp.Body)
	ts.Check(err)
	if strconv.Itoa(resp.StatusCode) != args[0] {
		ts.Fatalf("GET %s = %d, want %s", args[1], resp.StatusCode, args[0])
	}
}

func awaitRefused(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "awaitrefused ADDR")
	if !harness.Poll(patience, func() bool {
		c, err := net.Dial("tcp", args[0])
		if err == nil {
			c.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	}) {
		ts.Fatalf("%s still takes connections", args[0])
	}
}

var signals = map[string]syscall.Signal{
	"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL, "QUIT": syscall.SIGQUIT, "SEGV": syscall.SIGSEGV,
	"TERM": syscall.SIGTERM, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2,
}

func sendSignal(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "signal NAME PID")
	pid, err := strconv.Atoi(strings.TrimSpace(args[1]))
	ts.Check(err)
	sig, ok := signals[args[0]]
	if !ok || pid <= 1 {
		ts.Fatalf("no signal %s to process %d", args[0], pid)
	}
	ts.Check(syscall.Kill(pid, sig))
}

const nobody = 65534

func unprivileged(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "unprivileged COMMAND...")
	cmd := exec.Command(args[0], args[1:]...)
	if args[0] == "srvctl" {
		cmd.Path, cmd.Err = lookPath(ts, "srvctl"), nil
	}
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "TMPDIR", "XDG_RUNTIME_DIR", "HARNESS_OWNER", "SRVCTL_WORKERS", "SRVCTL_ADMIN_ADDRESS", "SRVCTL_LISTENERS_HTTP_ADDRESS"} {
		if value := ts.Getenv(name); value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		cmd.Path = publicCopy(ts, cmd.Path)
	}
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = ts.Stdout(), io.MultiWriter(ts.Stderr(), &stderr)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Check(err)
	}
	fmt.Fprintf(ts.Stdout(), "exit code %d\n", cmd.ProcessState.ExitCode())
}

// publicCopy is a program where everybody may execute it: the clone may be in
// a home that others cannot enter.
func publicCopy(ts *testscript.TestScript, path string) string {
	raw, err := os.ReadFile(path)
	ts.Check(err)
	copied := ts.MkAbs("srvctl.public")
	if _, err := os.Stat(copied); err != nil {
		ts.Check(os.WriteFile(copied, raw, 0o755))
	}
	return copied
}

func user(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "user PID UID")
	raw, err := os.ReadFile("/proc/" + args[0] + "/status")
	ts.Check(err)
	for _, line := range []string{"Uid", "Gid"} {
		re := regexp.MustCompile(`(?m)^` + line + `:\t(` + args[1] + `)\t(` + args[1] + `)\t`)
		if !re.Match(raw) {
			ts.Fatalf("process %s does not run as %s:\n%s", args[0], args[1], raw)
		}
	}
	if !regexp.MustCompile(`(?m)^Groups:\s*$`).Match(raw) {
		ts.Fatalf("process %s has supplementary groups:\n%s", args[0], raw)
	}
}

func occupy(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "occupy NAME")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

func connect(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "connect ADDR")
	c, err := net.Dial("tcp", args[0])
	ts.Check(err)
	ts.Defer(func() { c.Close() })
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n")
	ts.Check(err)
}

func talk(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "talk SOCKET LINE")
	c, err := net.Dial("unix", args[0])
	ts.Check(err)
	defer c.Close()
	ts.Check(c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, args[1]+"\n")
	ts.Check(err)
	ts.Check(c.(*net.UnixConn).CloseWrite())
	_, err = io.Copy(ts.Stdout(), c)
	ts.Check(err)
}
