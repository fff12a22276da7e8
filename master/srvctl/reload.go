package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"srvctl/conf"
	"srvctl/master"
)

// reloadLimit bounds the wait for a reload, and for one that waits until old
// workers have drained: both are bounded by the configuration, this is more.
const reloadLimit = 24 * time.Hour

func reloadVerb() *cli.Command {
	return &cli.Command{
		Name:  "reload",
		Usage: "take a changed configuration into use: new workers take over, or nothing changes",
		Flags: []cli.Flag{
			jsonFlag(),
			&cli.BoolFlag{Name: "wait", Usage: "return when the old workers have drained"},
		},
		Action: func(c *cli.Context) error {
			return askReload(c, master.Request{Verb: "reload", Wait: c.Bool("wait")})
		},
	}
}

// askReload sends a request that is answered by a reload, and prints what the
// server says of it.
func askReload(c *cli.Context, req master.Request) error {
	client, err := dial(c)
	if err != nil {
		return err
	}
	defer client.Close()
	each := printAnswer(c)
	if c.Bool("json") {
		each = nil // all of it is in the report
	}
	data, end, err := client.Do(req, reloadLimit, each)
	if err != nil {
		return err
	}
	if c.Bool("json") && data != nil {
		var report master.ReloadReport
		if err := json.Unmarshal(data, &report); err != nil {
			return fmt.Errorf("the server's report: %w", err)
		}
		if err := printJSON(c.App.Writer, report); err != nil {
			return err
		}
	}
	return answered(end, nil)
}

// printAnswer prints progress, and what is wrong with a configuration where
// errors belong.
func printAnswer(c *cli.Context) func(master.Answer) {
	return func(a master.Answer) {
		w := c.App.Writer
		if a.Event == master.EventProblem {
			w = c.App.ErrWriter
		}
		fmt.Fprintln(w, a.Text)
	}
}

// reload reads the configuration of a running server again, with the flags it
// was started with. The file is the one it has: a file that is gone must not
// let the search find another, or the built-in default.
func reload(c *cli.Context, file string) (*conf.Config, conf.Problems) {
	return conf.Load(conf.Options{File: or(c.String("config"), file), Environ: os.Environ(), Set: c.StringSlice("set")})
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
