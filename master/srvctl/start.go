package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"srvctl/conf"
	"srvctl/master"
	"srvctl/worker"
)

// detachedFlag marks the process that start --daemon leaves behind.
const detachedFlag = "detached"

func startVerb() *cli.Command {
	return &cli.Command{
		Name:  "start",
		Usage: "run the server, in the foreground unless --daemon is given",
		Flags: startFlags(),
		Action: func(c *cli.Context) error {
			if master.Resuming() {
				return resume(c)
			}
			if c.Bool(detachedFlag) {
				return startDetached(c)
			}
			o, err := startOptions(c)
			if err != nil {
				return err
			}
			if c.Bool("daemon") {
				return startDaemon(c, o)
			}
			return startFailed(master.Run(o))
		},
	}
}

func startFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "daemon", Usage: "return when the server is ready, and leave it running"},
		&cli.StringSliceFlag{Name: "set", Usage: "`KEY=VALUE` for this run, e.g. workers=2; may be repeated"},
		&cli.BoolFlag{Name: detachedFlag, Hidden: true},
	}
}

// startOptions loads and checks what the server is started with, and tells
// warnings.
func startOptions(c *cli.Context) (o master.Options, err error) {
	cfg, problems := load(c)
	if err := refused(c, cfg, problems, "nothing was started"); err != nil {
		return o, err
	}
	o = options(c)
	o.Config = cfg
	o.Socket, err = socketFlag(c)
	return o, err
}

// options are those that do not depend on a configuration.
func options(c *cli.Context) master.Options {
	return master.Options{
		Load:         func(file string) (*conf.Config, conf.Problems) { return reload(c, file) },
		Version:      version,
		ParseReasons: worker.ParseReasons(),
	}
}

func startFailed(err error) error {
	if err == nil {
		return nil
	}
	return &failure{code: exitFailed, err: fmt.Errorf("start: %w", err)}
}

// startDetached is the daemon's own side of start --daemon.
func startDetached(c *cli.Context) error {
	report := master.Reporter()
	o, err := startOptions(c)
	if err != nil {
		report(err)
		return err
	}
	o.Daemon = true
	o.Ready = report
	return master.Run(o)
}

// startDaemon is the side of start --daemon that returns.
func startDaemon(c *cli.Context, o master.Options) error {
	args, err := detachedArgs(c)
	if err != nil {
		return err
	}
	// The first worker and then the others each have ready_timeout.
	limit := 2*o.Config.ReadyTimeout + 10*time.Second
	pid, err := master.Detach(args, limit)
	if err != nil {
		return startFailed(err)
	}
	paths := master.FindPaths(o.Config, o.Socket)
	fmt.Fprintf(c.App.Writer, "serving with pid %d%s\n", pid, whereToLook(paths.Socket))
	if toStandard(o.Config.Log.Output) {
		fmt.Fprintln(c.App.Writer, "log:", paths.DaemonLog)
	}
	return nil
}

func toStandard(output string) bool { return output == "stderr" || output == "stdout" }

// whereToLook lists the addresses of a server that has just become ready.
func whereToLook(socket string) string {
	client, err := master.Dial(socket)
	if err != nil {
		return ""
	}
	defer client.Close()
	st, err := askStatus(client)
	if err != nil {
		return ""
	}
	var b strings.Builder
	for _, l := range st.Listeners {
		fmt.Fprintf(&b, ", %s at %s", l.Name, l.Bound)
	}
	if st.Admin != "" {
		fmt.Fprintf(&b, ", admin at http://%s", st.Admin)
	}
	return b.String()
}

// detachedArgs are the arguments that make the daemon see what this command
// sees.
func detachedArgs(c *cli.Context) ([]string, error) {
	args := []string{os.Args[0], "start", "--" + detachedFlag}
	for _, name := range []string{"config", "socket"} {
		if path := c.String(name); path != "" {
			abs, err := filepath.Abs(path)
			if err != nil {
				return nil, err
			}
			args = append(args, "--"+name, abs)
		}
	}
	for _, set := range c.StringSlice("set") {
		args = append(args, "--set", set)
	}
	return args, nil
}

func countProblems(p conf.Problems) string {
	switch n := len(p.Errors()); n {
	case 1:
		return "1 problem"
	default:
		return fmt.Sprintf("%d problems", n)
	}
}
