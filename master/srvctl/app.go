package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"srvctl/conf"
	"srvctl/master"
)

// Exit codes. Init scripts know them: see the LSB on "status" and usage.
const (
	exitFailed     = 1 // refused or failed
	exitUsage      = 2
	exitNotRunning = 3
)

// failure is an error with its exit code and, where there is one, what to do.
type failure struct {
	code int
	err  error
	next string
	// told says that stderr has the error already.
	told bool
}

func (f *failure) Error() string {
	if f.next == "" {
		return f.err.Error()
	}
	return f.err.Error() + ": " + f.next
}

func (f *failure) Unwrap() error { return f.err }

// Code is not named ExitCode, so that the command line library leaves the exit
// to run.
func (f *failure) Code() int { return f.code }

func usage(format string, args ...any) error {
	return &failure{code: exitUsage, err: fmt.Errorf(format, args...), next: "see `srvctl help`"}
}

// run is the whole program without its process: it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	app := newApp(stdout, stderr)
	err := app.Run(flagsFirst(app, args))
	if err == nil {
		return 0
	}
	f := &failure{code: exitFailed, err: err}
	errors.As(err, &f)
	if !f.told {
		fmt.Fprintln(stderr, "srvctl: "+strings.TrimSpace(f.Error()))
	}
	return f.code
}

// flagsFirst moves the arguments of a verb that takes some behind its flags,
// which the command line library wants to come first: `scale 4 --wait` is what
// people type.
func flagsFirst(app *cli.App, args []string) []string {
	const name, first = 1, 2
	if len(args) <= first {
		return args
	}
	verb := app.Command(args[name])
	if verb == nil || verb.ArgsUsage == "" {
		return args
	}
	valued := map[string]bool{}
	for _, f := range verb.Flags {
		if _, alone := f.(*cli.BoolFlag); !alone {
			for _, name := range f.Names() {
				valued[name] = true
			}
		}
	}
	var flags, rest []string
	for i := first; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "-") {
			rest = append(rest, args[i])
			continue
		}
		flags = append(flags, args[i])
		if valued[strings.TrimLeft(args[i], "-")] && i+1 < len(args) {
			i++
			flags = append(flags, args[i])
		}
	}
	return slices.Concat(args[:first], flags, rest)
}

func newApp(stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:                      "srvctl",
		Usage:                     "a web server: a master, its workers, and the tool that operates them",
		HideVersion:               true,
		Writer:                    stdout,
		ErrWriter:                 stderr,
		DisableSliceFlagSeparator: true, // a comma is part of many values of --set
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              usageError,
		Commands: []*cli.Command{
			startVerb(), reloadVerb(), scaleVerb(), upgradeVerb(), rehearseVerb(), stopVerb(), statusVerb(), checkVerb(), configVerb(), healthcheckVerb(), versionVerb(),
		},
	}
	app.Commands = append(app.Commands, laterVerbs()...)
	app.Action = func(c *cli.Context) error {
		if c.Args().Present() {
			return unknownVerb(c.Args().First(), app.Commands)
		}
		cli.ShowAppHelp(c)
		return &failure{code: exitUsage, err: errors.New("no command given"), next: "choose one of the above"}
	}
	for _, c := range app.Commands {
		prepare(c)
	}
	return app
}

// prepare gives a verb what all verbs have.
func prepare(c *cli.Command) {
	c.OnUsageError = usageError
	for _, sub := range c.Subcommands {
		prepare(sub)
	}
	if c.SkipFlagParsing || len(c.Subcommands) > 0 {
		return
	}
	c.Flags = append(c.Flags, commonFlags()...)
	action := c.Action
	c.Action = func(ctx *cli.Context) error {
		if ctx.Args().Present() && c.ArgsUsage == "" {
			return usage("%s takes no argument, got %q", c.Name, ctx.Args().First())
		}
		return action(ctx)
	}
}

func commonFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Usage: "configuration `FILE` (default: $SRVCTL_CONFIG, ./srvctl.yaml, /etc/srvctl/srvctl.yaml, built-in)"},
		&cli.StringFlag{Name: "socket", Usage: "operators' socket at `PATH` (default: $SRVCTL_SOCKET, control_socket of the configuration, the runtime folder)"},
	}
}

func unknownVerb(name string, verbs []*cli.Command) error {
	var names []string
	for _, v := range verbs {
		names = append(names, v.Name)
	}
	return usage("unknown command %q%s", name, didYouMean(closest(name, names)))
}

// usageError puts the words of the flag package into ours.
func usageError(c *cli.Context, err error, _ bool) error {
	const undefined = "flag provided but not defined: -"
	name, found := strings.CutPrefix(err.Error(), undefined)
	if !found {
		return usage("%s: %v", c.Command.Name, err)
	}
	name = strings.TrimLeft(name, "-")
	var names []string
	for _, f := range c.Command.Flags {
		names = append(names, f.Names()...)
	}
	best := closest(name, names)
	if best != "" {
		best = dashes(best)
	}
	return usage("%s has no flag %s%s", c.Command.HelpName, dashes(name), didYouMean(best))
}

func dashes(flag string) string {
	if len(flag) == 1 {
		return "-" + flag
	}
	return "--" + flag
}

// load reads the configuration that the flags of a verb point to.
func load(c *cli.Context) (*conf.Config, conf.Problems) {
	return conf.Load(conf.Options{File: c.String("config"), Environ: os.Environ(), Set: c.StringSlice("set")})
}

// socketFlag is the socket that the operator named, "" when he named none.
func socketFlag(c *cli.Context) (string, error) {
	path := c.String("socket")
	if path == "" {
		path = os.Getenv("SRVCTL_SOCKET")
	}
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}

// dial connects to the running server that the flags of a verb point to.
func dial(c *cli.Context) (*master.Client, error) {
	socket, err := socketFlag(c)
	if err != nil {
		return nil, err
	}
	doubt := ""
	if socket == "" {
		// A server may run although its file has been broken since: the file
		// is only asked where the socket is.
		cfg, problems := load(c)
		if problems.Failed() {
			doubt = " (the configuration has problems, see `srvctl check`)"
		}
		socket = master.FindPaths(cfg, "").Socket
	}
	client, err := master.Dial(socket)
	var notRunning *master.NotRunningError
	if errors.As(err, &notRunning) {
		return nil, &failure{code: exitNotRunning, err: fmt.Errorf("%w%s", err, doubt), next: "start it with `srvctl start`, or name its socket with --socket or its file with -c"}
	}
	return client, err
}

// answered turns the last answer of a server into an error.
func answered(a master.Answer, err error) error {
	if err != nil || a.Code() == 0 {
		return err
	}
	return &failure{code: a.Code(), err: errors.New(a.Error), next: a.Next}
}
