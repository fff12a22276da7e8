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

// starters say for each kind of contender which of conf/ is its configuration
// and how it is called. arg is what follows the colon in its name.
var starters = map[string]struct {
	conf  string
	setUp func(ctx context.Context, c *contender, arg string) error
}{
	"srvctl": {"srvctl.yaml", setUpOurs},
	"nginx":  {"nginx.conf", setUpNginx},
}

// contender is a server of this machine.
type contender struct {
	name    string
	version string
	place   place
	conf    string   // path of its configuration
	start   []string // command lines
	again   []string
	cmd     *exec.Cmd
	output  bytes.Buffer  // what it complained of; read after gone
	gone    chan struct{} // closed when it has ended
}

// place is what a configuration is filled with.
type place struct {
	Run     string // folder for pid files, sockets and temporary files
	Port    int
	IsRoot  bool
	Variant string
	Workers int
	Body    string // as both kinds of configuration write it in quotes
}

func setUpOurs(ctx context.Context, c *contender, arg string) error {
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
	rest := []string{"-c", c.conf, "--socket", filepath.Join(c.place.Run, "srvctl.sock")}
	c.start = append([]string{binary, "start"}, rest...)
	c.again = append([]string{binary, "reload"}, rest...)
	return nil
}

func setUpNginx(ctx context.Context, c *contender, arg string) error {
	path, err := tool.Find(ctx, "nginx")
	if err != nil {
		return err
	}
	out, _ := exec.CommandContext(ctx, path, "-v").CombinedOutput()
	c.version = strings.TrimPrefix(strings.TrimSpace(string(out)), "nginx version: nginx/")
	c.place.Variant = arg
	c.start = []string{path, "-c", c.conf, "-p", c.place.Run, "-e", filepath.Join(c.place.Run, "nginx.log")}
	c.again = append(c.start[:len(c.start):len(c.start)], "-s", "reload")
	return nil
}

// newContender finds a server and gives it a folder and a port; an error means
// that it cannot be had here.
func newContender(ctx context.Context, name, dir string) (*contender, error) {
	kind, arg, _ := strings.Cut(name, ":")
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	c := &contender{name: name, conf: filepath.Join(dir, starters[kind].conf),
		place: place{Run: dir, Port: port, IsRoot: os.Geteuid() == 0}}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	if err := starters[kind].setUp(ctx, c, arg); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

func (c *contender) address() string { return fmt.Sprintf("127.0.0.1:%d", c.place.Port) }

// configure makes the file appear whole or not at all.
func (c *contender) configure(version, workers int) error {
	t, err := template.ParseFS(conf, "conf/"+filepath.Base(c.conf))
	if err != nil {
		return err
	}
	c.place.Workers = workers
	c.place.Body = strings.ReplaceAll(fmt.Sprintf(bodyForm, version), "\n", `\n`)
	var text bytes.Buffer
	if err := t.Execute(&text, c.place); err != nil {
		return err
	}
	if err := os.WriteFile(c.conf+".new", text.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(c.conf+".new", c.conf)
}

func (c *contender) reload(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, c.again[0], c.again[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(c.again, " "), err, out)
	}
	return nil
}

// launch starts the server with version 0 and waits until it serves.
func (c *contender) launch(ctx context.Context) error {
	if err := c.configure(0, workersUsual); err != nil {
		return err
	}
	c.output.Reset()
	c.gone = make(chan struct{})
	c.cmd = exec.Command(c.start[0], c.start[1:]...) // not by ctx: stop ends it, gently
	c.cmd.Stdout, c.cmd.Stderr = &c.output, &c.output
	c.cmd.Dir = c.place.Run
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	c.cmd.WaitDelay = 2 * time.Second
	if err := c.cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	go func() { c.cmd.Wait(); close(c.gone) }()
	if err := c.awaitPort(ctx); err != nil {
		c.stop()
		return fmt.Errorf("%s: %w; it wrote:\n%s", c.name, err, c.output.String())
	}
	return nil
}

func (c *contender) awaitPort(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := net.Dial("tcp", c.address())
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

// stop ends the server and whatever of its session does not end with it.
func (c *contender) stop() {
	c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.gone:
	case <-time.After(5 * time.Second):
	}
	for _, p := range proc.Marked("", c.cmd.Process.Pid) {
		syscall.Kill(p.PID, syscall.SIGKILL)
	}
	<-c.gone
}

// freePort returns a free port below the range of outgoing connections of every
// usual machine, where none of them can take it.
func freePort() (int, error) {
	for port := 18000; port < 30000; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port from 18000 to 30000")
}
