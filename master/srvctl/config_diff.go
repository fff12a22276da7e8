package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"srvctl/conf"
	"srvctl/master"
)

// runningLimit is how long a server may take to tell its configuration, which
// can have some megabytes.
const runningLimit = 30 * time.Second

func configDiffVerb() *cli.Command {
	return &cli.Command{
		Name:        "diff",
		Usage:       "show what a reload would change",
		Description: "Compares the running server with its file, or with the one of -c, read with the environment and the --set that the server was started with.",
		Flags:       []cli.Flag{jsonFlag(), &cli.StringSliceFlag{Name: "set", Usage: "`KEY=VALUE`, as if the server had been started with it too"}},
		Action:      configDiff,
	}
}

// diffResult is what config diff --json prints: what check prints, and the
// changes.
type diffResult struct {
	checkResult
	Generation int           `json:"generation"` // the one that runs
	Changes    []conf.Change `json:"changes"`
}

func configDiff(c *cli.Context) error {
	client, err := dial(c)
	if err != nil {
		return err
	}
	defer client.Close()
	generation, running, err := askRunning(client)
	if err != nil {
		return err
	}
	cfg, problems, err := loadAgain(c, running)
	if err != nil {
		return err
	}
	if c.Bool("json") && problems.Failed() {
		return checkJSON(c, cfg, problems)
	}
	if c.Bool("json") {
		if problems == nil {
			problems = conf.Problems{}
		}
		changes := append([]conf.Change{}, conf.Diff(running, cfg)...)
		return printJSON(c.App.Writer, diffResult{checkResult{File: cfg.File, OK: true, Problems: problems}, generation, changes})
	}
	if err := refused(c, cfg, problems, "a reload would be refused and change nothing"); err != nil {
		return err
	}
	printChanges(c.App.Writer, generation, conf.Diff(running, cfg))
	return nil
}

// askRunning gives the configuration of a running server.
func askRunning(client *master.Client) (generation int, running *conf.Config, err error) {
	data, end, err := client.Do(master.Request{Verb: "config"}, runningLimit, nil)
	if err := answered(end, err); err != nil {
		return 0, nil, err
	}
	if data == nil {
		return 0, nil, errors.New("the server gave no result")
	}
	var answer master.RunningConfig
	if err := json.Unmarshal(data, &answer); err != nil {
		return 0, nil, fmt.Errorf("the server's answer: %w", err)
	}
	running, err = conf.Decode([]byte(answer.Config))
	if err != nil {
		return 0, nil, fmt.Errorf("the running server is of another version than this command: %w", err)
	}
	return answer.Generation, running, nil
}

// loadAgain reads the configuration as a reload of the running server would.
func loadAgain(c *cli.Context, running *conf.Config) (*conf.Config, conf.Problems, error) {
	file := running.File
	if named := c.String("config"); named != "" {
		abs, err := filepath.Abs(named) // the server's folder may be another
		if err != nil {
			return nil, nil, err
		}
		file = abs
	}
	cfg, problems := conf.Load(running.Given.Options(file, os.Environ(), c.StringSlice("set")))
	return cfg, problems, nil
}

// printChanges writes the changes for people.
func printChanges(w io.Writer, generation int, changes []conf.Change) {
	if len(changes) == 0 {
		fmt.Fprintln(w, "no change")
		return
	}
	var keep []string
	fmt.Fprintf(w, "a reload would change generation %d:\n", generation)
	for _, change := range changes {
		line := change.String()
		if at := change.Pos.String(); at != "" && change.Old != "" {
			line += " (" + at + ")"
		}
		fmt.Fprintln(w, "  "+line)
		if change.Restart {
			keep = append(keep, change.Key)
		}
	}
	if len(keep) > 0 {
		fmt.Fprintf(w, "A reload does not change %s: use `srvctl stop` and `srvctl start` for that.\n", strings.Join(keep, " and "))
	}
}
