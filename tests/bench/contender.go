package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/template"
	"time"

	"srvctl/tests/harness/clone"
	"srvctl/tests/harness/proc"
	"srvctl/tests/harness/tool"
)

//go:embed conf
var conf embed.FS

// contender is a server that has been started and is bound to its CPU.
type contender struct {
	name    string
	version string
	port    int
	closing int              // port for the row with a connection per request
	heads   map[string]int   // bytes of the response head by row
	takes   func(r row) bool // rows it has an answer for
	args    []string         // command line
	cmd     *exec.Cmd
	output  bytes.Buffer  // what it complained of; read after gone
	gone    chan struct{} // closed when it has ended
}

// place is what a contender's configuration is filled with.
type place struct {
	Run    string // folder for pid files, sockets and temporary files
	WWW    string // folder of the files to serve
	Port   int
	IsRoot bool
}

// starters say how each kind of contender is set up; errors mean that it cannot
// be had here. arg is what follows the colon in its name.
var starters = map[string]func(ctx context.Context, c *contender, p place, arg string) error{
	"srvctl":  setUpOurs,
	"nginx":   setUpNginx,
	"h2o":     setUpH2O,
	"floor":   setUpFloor,
	"nethttp": setUpNetHTTP,
}

// allContenders is the order of a round.
var allContenders = []string{"srvctl", "nginx", "h2o", "floor", "nethttp"}

func everything(row) bool  { return true }
func onlyFiles(r row) bool { return r.file }
func onlyText(r row) bool  { return !r.file }

func setUpOurs(ctx context.Context, c *contender, p place, arg string) error {
	binary := arg
	if binary == "" {
		dir, err := clone.Cache("bin")
		if err != nil {
			return err
		}
		binary = filepath.Join(dir, "srvctl")
	}
	out, err := exec.CommandContext(ctx, binary, "version").Output()
	if err != nil {
		return fmt.Errorf("%s version: %w (make build)", binary, err)
	}
	c.version, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(out)), "srvctl "), "\n")
	file, err := fill(p, "srvctl.yaml")
	c.args = []string{binary, "start", "-c", file, "--socket", filepath.Join(p.Run, "srvctl.sock")}
	c.takes = everything
	return err
}

func setUpNginx(ctx context.Context, c *contender, p place, _ string) error {
	path, err := tool.Find(ctx, "nginx")
	if err != nil {
		return err
	}
	out, _ := exec.CommandContext(ctx, path, "-v").CombinedOutput()
	c.version = strings.TrimPrefix(strings.TrimSpace(string(out)), "nginx version: nginx/")
	file, err := fill(p, "nginx.conf")
	c.args = []string{path, "-c", file, "-p", p.Run, "-e", filepath.Join(p.Run, "nginx.log")}
	c.takes = everything
	return err
}

func setUpH2O(ctx context.Context, c *contender, p place, _ string) error {
	path, err := tool.Find(ctx, "h2o")
	if err != nil {
		return err
	}
	out, _ := exec.CommandContext(ctx, path, "-v").CombinedOutput()
	first, _, _ := strings.Cut(string(out), "\n")
	c.version = strings.TrimPrefix(first, "h2o version ")
	file, err := fill(p, "h2o.conf")
	c.args = []string{path, "-c", file}
	c.takes = onlyFiles
	return err
}

func setUpFloor(ctx context.Context, c *contender, p place, _ string) error {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		return errors.New("no gcc to compile it with")
	}
	root, err := clone.Root()
	if err != nil {
		return err
	}
	binary := filepath.Join(p.Run, "floor")
	out, err := exec.CommandContext(ctx, gcc, "-O2", "-o", binary, filepath.Join(root, "tests/bench/floor/floor.c")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("gcc: %w: %s", err, out)
	}
	c.version, c.closing = "C, epoll", p.Port+1
	c.args = []string{binary, fmt.Sprint(p.Port)}
	c.takes = onlyText
	return nil
}

func setUpNetHTTP(ctx context.Context, c *contender, p place, _ string) error {
	root, err := clone.Root()
	if err != nil {
		return err
	}
	binary := filepath.Join(p.Run, "nethttp")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "./tests/bench/nethttp")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	c.version = goVersion()
	c.args = []string{binary, fmt.Sprintf("127.0.0.1:%d", p.Port), p.WWW}
	c.takes = everything
	return nil
}

// fill writes the configuration of that name with the place filled in.
func fill(p place, name string) (string, error) {
	t, err := template.ParseFS(conf, "conf/"+name)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, p); err != nil {
		return "", err
	}
	path := filepath.Join(p.Run, name)
	return path, os.WriteFile(path, text.Bytes(), 0o644)
}

// startContender sets a contender up in a folder of its own and starts it on
// the CPU.
func startContender(ctx context.Context, name string, p place, cpu int) (*contender, error) {
	kind, arg, _ := strings.Cut(name, ":")
	c := &contender{name: name, port: p.Port, closing: p.Port, heads: map[string]int{}, gone: make(chan struct{})}
	if err := starters[kind](ctx, c, p, arg); err != nil {
		return nil, notRun{fmt.Errorf("%s: %w", name, err)}
	}
	c.cmd = exec.Command(c.args[0], c.args[1:]...) // not by ctx: stop ends it, gently
	c.cmd.Stdout, c.cmd.Stderr = &c.output, &c.output
	c.cmd.Dir = p.Run
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	c.cmd.WaitDelay = 2 * time.Second
	if err := startOn(cpu, c.cmd); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() { c.cmd.Wait(); close(c.gone) }()
	if err := c.awaitPort(ctx); err != nil {
		c.stop()
		return nil, fmt.Errorf("%s: %w; it wrote:\n%s", name, err, c.output.String())
	}
	return c, nil
}

// notRun is the error of a contender that this machine does not have.
type notRun struct{ error }

func (c *contender) url(r row) string {
	return fmt.Sprintf("http://%s%s", c.address(r), r.path)
}

func (c *contender) address(r row) string {
	port := c.port
	if r.closes {
		port = c.closing
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

func (c *contender) awaitPort(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", c.port))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-tick.C:
		case <-c.gone:
			return errors.New("ended instead of listening")
		case <-ctx.Done():
			return fmt.Errorf("does not listen: %w", err)
		}
	}
}

// processes are those of the server that run, its master included.
func (c *contender) processes() []int {
	var pids []int
	for _, p := range proc.Marked("", c.cmd.Process.Pid) {
		pids = append(pids, p.PID)
	}
	return pids
}

// stop ends the server and whatever of its session does not end with it.
func (c *contender) stop() {
	c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.gone:
	case <-time.After(5 * time.Second):
	}
	for _, pid := range c.processes() {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	<-c.gone
}
