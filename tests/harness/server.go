package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"srvctl/tests/harness/proc"
)

const (
	// readyWithin is far more than a start takes (100 ms): it is for machines
	// that do other things too.
	readyWithin = 20 * time.Second
	// stopWithin is a little more than the drain a test configures at most.
	stopWithin = 40 * time.Second
)

// Options say what server to start. The zero value is the embedded default on
// ports of its own.
type Options struct {
	// Config is the configuration file; @name@ stands for an address (see
	// Server.Addr), @name.port@ for its port and @dir@ for the server's folder.
	Config string
	// Files are put into the server's folder first, by name below it.
	Files map[string]string
	// Args follow "start -c FILE --socket PATH"; Env is added to an environment
	// without any SRVCTL_ variable.
	Args, Env []string
	// UID runs the server as another user than root, where the test is root.
	UID uint32
	// Faults starts a binary whose workers fail as Server.Fault says.
	Faults bool
	// Before is a command that the server's own command line is appended to and
	// that becomes the server by exec: unshare, prlimit.
	Before []string
}

// Server is a running master with its workers. Its methods end the test when
// what they do fails.
type Server struct {
	Dir    string // folder of the configuration and whatever else belongs to it
	Config string // path of the configuration file
	Socket string // path of the operators' socket
	Binary string

	t       testing.TB
	options Options
	ports   map[string]int
	cmd     *exec.Cmd
	stdout  output
	stderr  output
	gone    chan struct{} // closed when the master has been waited for
	stopped bool          // Stop or Kill has seen the end
}

// Start starts a server, waits until it is ready, and stops it when the test
// ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := Prepare(t, o)
	s.Launch()
	s.AwaitReady()
	return s
}

// Prepare makes a server's folder and configuration and starts nothing: for
// tests that run verbs like check, or start in a way of their own.
func Prepare(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{t: t, options: o, Dir: Dir(t), ports: map[string]int{}}
	if o.Faults {
		s.Binary = FaultyBinary(t)
		s.options.Env = append(slices.Clip(o.Env), "FAULTS_FILE="+filepath.Join(s.Dir, faultsFile))
	} else {
		s.Binary = Binary(t)
	}
	s.Socket = filepath.Join(s.Dir, "srvctl.sock")
	s.Config = filepath.Join(s.Dir, "srvctl.yaml")
	for name, text := range o.Files {
		s.WriteFile(name, text)
	}
	s.Configure(o.Config)
	if o.UID != 0 {
		s.giveAway()
	}
	return s
}

// Configure writes the configuration file; the names of Options.Config stand
// for the same addresses each time.
func (s *Server) Configure(text string) {
	s.t.Helper()
	s.WriteFile("srvctl.yaml", s.fill(s.t, text))
}

// WriteFile puts a file into the server's folder.
func (s *Server) WriteFile(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// giveAway lets another user have the folder, and a binary that user may read:
// the clone may be in a home that others cannot enter.
func (s *Server) giveAway() {
	s.t.Helper()
	raw, err := os.ReadFile(s.Binary)
	if err == nil {
		s.Binary = filepath.Join(s.Dir, "srvctl")
		err = os.WriteFile(s.Binary, raw, 0o755)
	}
	if err == nil {
		err = filepath.WalkDir(s.Dir, func(path string, _ os.DirEntry, err error) error {
			return errors.Join(err, os.Lchown(path, int(s.options.UID), int(s.options.UID)))
		})
	}
	if err != nil {
		NotRun(s.t, fmt.Errorf("a server of another user: %w", err))
	}
}

// Launch starts the master in a session of its own and does not wait for it.
func (s *Server) Launch() {
	s.t.Helper()
	if s.cmd == nil {
		s.t.Cleanup(s.cleanup)
	}
	args := append([]string{"start", "-c", s.Config, "--socket", s.Socket}, s.options.Args...)
	s.cmd = s.command(context.Background(), args...)
	s.goThrough(s.options.Before)
	s.cmd.Stdout, s.cmd.Stderr = &s.stdout, &s.stderr
	s.cmd.SysProcAttr.Setsid = true
	// An orphaned worker may hold the pipe of a master that was killed.
	s.cmd.WaitDelay = 2 * time.Second
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.gone, s.stopped = make(chan struct{}), false
	go func(cmd *exec.Cmd, gone chan struct{}) {
		cmd.Wait() // what it says is in ProcessState
		close(gone)
	}(s.cmd, s.gone)
}

// goThrough makes another program start the server in its own place.
func (s *Server) goThrough(before []string) {
	s.t.Helper()
	if len(before) == 0 {
		return
	}
	path, err := exec.LookPath(before[0])
	if err != nil {
		NotRun(s.t, err)
	}
	s.cmd.Args = append(slices.Concat(before, []string{s.cmd.Path}), s.cmd.Args[1:]...)
	s.cmd.Path = path
}

func (s *Server) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.Binary, args...)
	cmd.Dir = s.Dir
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SRVCTL_") && !strings.HasPrefix(v, "NOTIFY_SOCKET=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, mark)
	cmd.Env = append(cmd.Env, s.options.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if s.options.UID != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: s.options.UID, Gid: s.options.UID, NoSetGroups: true}
	}
	return cmd
}

// cleanup ends the server if the test has not, and shows what it said if the
// test has failed.
func (s *Server) cleanup() {
	if !s.stopped {
		if code := s.Stop(); code != 0 {
			s.t.Errorf("srvctl start exited with %d after TERM, want 0", code)
		}
	}
	if s.t.Failed() {
		s.t.Logf("srvctl wrote:\n%s%s", s.stdout.String(), s.stderr.String())
	}
}

// AwaitReady waits until the server says it is ready.
func (s *Server) AwaitReady() {
	s.t.Helper()
	last := "no answer"
	ready := Poll(readyWithin, func() bool {
		if _, ok := s.ports["admin"]; !ok { // the test has set admin itself
			r := s.Srvctl("healthcheck")
			last = r.Stderr
			return r.Code == 0 || s.Exited()
		}
		code, body, err := get(s.URL("admin", "/readyz"))
		last = fmt.Sprint(code, " ", body, err)
		return code == 200 || s.Exited()
	})
	if s.Exited() {
		s.stopped = true
		s.t.Fatalf("srvctl start exited with %d before it was ready", s.ExitCode())
	}
	if !ready {
		s.t.Fatalf("not ready within %v: %s", readyWithin, last)
	}
}

// Addr returns the address that @name@ stands for in the configuration.
func (s *Server) Addr(name string) string {
	s.t.Helper()
	port, ok := s.ports[name]
	if !ok {
		s.t.Fatalf("the configuration has no @%s@", name)
	}
	return "127.0.0.1:" + strconv.Itoa(port)
}

// URL returns the address of a page on the listener that has @name@.
func (s *Server) URL(name, path string) string {
	s.t.Helper()
	return "http://" + s.Addr(name) + path
}

// PID is the master's.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Workers returns the processes of the master that run, oldest first.
func (s *Server) Workers() []proc.Stat { return proc.Children(s.PID()) }

// Stderr returns what the server has logged so far.
func (s *Server) Stderr() string { return s.stderr.String() }

// AwaitStderr waits for a piece of the log.
func (s *Server) AwaitStderr(text string) {
	s.t.Helper()
	s.AwaitLog(0, regexp.QuoteMeta(text))
}

// Logged is how much has been logged so far: where AwaitLog is to look from.
func (s *Server) Logged() int { return s.stderr.length() }

// AwaitLog waits until the log, from a place that Logged gave, has a match of
// the expression.
func (s *Server) AwaitLog(from int, expr string) {
	s.t.Helper()
	if !s.stderr.await(from, regexp.MustCompile(expr), readyWithin, s.gone) {
		s.t.Fatalf("the log never said %q", expr)
	}
}

// Exited says whether the master has ended.
func (s *Server) Exited() bool {
	select {
	case <-s.gone:
		return true
	default:
		return false
	}
}

// ExitCode is the master's, once it has ended; -1 if a signal ended it.
func (s *Server) ExitCode() int { return s.cmd.ProcessState.ExitCode() }

// Signal sends a signal to the master.
func (s *Server) Signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("signal %v to %d: %v", sig, s.PID(), err)
	}
}

// Stop sends TERM, waits for the end of the whole server and returns the
// master's exit code. A process that outlives it is an error of the test.
func (s *Server) Stop() int {
	s.t.Helper()
	if !s.Exited() {
		s.cmd.Process.Signal(syscall.SIGTERM) // it may just have ended by itself
	}
	return s.AwaitExit()
}

// AwaitExit waits for the end of a server that something else ends.
func (s *Server) AwaitExit() int {
	s.t.Helper()
	s.stopped = true
	deadline := time.NewTimer(stopWithin)
	defer deadline.Stop()
	select {
	case <-s.gone:
	case <-deadline.C:
		s.t.Errorf("srvctl has not stopped within %v; still there: %v", stopWithin, proc.Tree(s.PID()))
		kill(proc.Tree(s.PID()))
		<-s.gone
	}
	if left := awaitGone(s.PID()); len(left) > 0 {
		s.t.Errorf("processes outlived srvctl: %v", left)
		kill(left)
	}
	return s.ExitCode()
}

// Kill ends the master by SIGKILL, as the kernel does when memory is short; its
// workers must then end by themselves.
func (s *Server) Kill() {
	s.t.Helper()
	s.Signal(syscall.SIGKILL)
	s.AwaitExit()
}

// KillMaster ends the master alone by SIGKILL, so that another can be launched
// while the workers it left finish by themselves; rest awaits their end.
func (s *Server) KillMaster() (rest func()) {
	s.t.Helper()
	s.Signal(syscall.SIGKILL)
	s.stopped = true
	pid, gone := s.PID(), s.gone
	if !Poll(goneWithin, func() bool { _, there := proc.Read(pid); return !there }) {
		s.t.Fatalf("master %d does not end although it was killed", pid)
	}
	return func() {
		s.t.Helper()
		<-gone // its output, which the workers may hold open for a moment
		if left := awaitGone(pid); len(left) > 0 {
			s.t.Errorf("processes outlived the killed master: %v", left)
			kill(left)
		}
	}
}

// Result is what a command did.
type Result struct {
	Stdout, Stderr string
	Code           int
}

// commandWithin bounds one verb: stop, the slowest, waits for a drain.
const commandWithin = time.Minute

// Srvctl runs a verb against this server: "srvctl VERB --socket PATH ARGS...".
func (s *Server) Srvctl(verb string, args ...string) Result {
	s.t.Helper()
	return s.Run(append(append(strings.Fields(verb), "--socket", s.Socket), args...)...)
}

// Run runs srvctl with these arguments alone, in the server's folder.
func (s *Server) Run(args ...string) Result {
	s.t.Helper()
	return s.RunInput(nil, args...)
}

// RunInput is Run with something to read on standard input.
func (s *Server) RunInput(in io.Reader, args ...string) Result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandWithin)
	defer cancel()
	cmd := s.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &stdout, &stderr
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if ctx.Err() != nil {
		s.t.Errorf("srvctl %s: not done within %v", strings.Join(args, " "), commandWithin)
	} else if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("srvctl %s: %v", strings.Join(args, " "), err)
	}
	return Result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}
