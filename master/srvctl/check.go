package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"srvctl/conf"
	"srvctl/master"
)

func checkVerb() *cli.Command {
	return &cli.Command{
		Name:  "check",
		Usage: "check the configuration and print every problem; nothing is bound or changed",
		Flags: []cli.Flag{
			jsonFlag(),
			&cli.StringSliceFlag{Name: "set", Usage: "`KEY=VALUE`, as for start"},
		},
		Action: func(c *cli.Context) error {
			cfg, problems := load(c)
			if !problems.Failed() {
				problems = append(problems, hostProblems(cfg)...)
			}
			if c.Bool("json") {
				return checkJSON(c, cfg, problems)
			}
			if err := refused(c, cfg, problems, ""); err != nil {
				return err
			}
			fmt.Fprintf(c.App.Writer, "%s: ok\n", fileName(cfg, c))
			printSummary(c.App.Writer, cfg)
			return nil
		},
	}
}

// hostProblems are what this host, and not the file, does not allow.
func hostProblems(cfg *conf.Config) conf.Problems {
	var list conf.Problems
	warnings, err := master.CheckHost(cfg)
	if err != nil {
		list = append(list, conf.Problem{Message: err.Error()})
	}
	for _, w := range warnings {
		list = append(list, conf.Problem{Message: w, Warning: true})
	}
	return list
}

func fileName(cfg *conf.Config, c *cli.Context) string {
	if cfg != nil && cfg.File != "" {
		return cfg.File
	}
	if name := c.String("config"); name != "" {
		return name
	}
	return "embedded default"
}

type checkResult struct {
	File     string        `json:"file"` // "" is the embedded default
	OK       bool          `json:"ok"`
	Problems conf.Problems `json:"problems"`
}

func checkJSON(c *cli.Context, cfg *conf.Config, problems conf.Problems) error {
	if problems == nil {
		problems = conf.Problems{}
	}
	r := checkResult{File: cfg.File, OK: !problems.Failed(), Problems: problems}
	if err := printJSON(c.App.Writer, r); err != nil {
		return err
	}
	if !r.OK {
		return &failure{code: exitFailed, err: fmt.Errorf("%s: %s", fileName(cfg, c), countProblems(problems)), told: true}
	}
	return nil
}

// printSummary says what a server with this configuration would do.
func printSummary(w io.Writer, cfg *conf.Config) {
	fmt.Fprintf(w, "%d workers", cfg.Workers)
	for _, l := range cfg.Listeners {
		fmt.Fprintf(w, ", listener %s at %s", l.Name, l.Address)
	}
	if cfg.Admin.Address != "" {
		fmt.Fprintf(w, ", admin at %s", cfg.Admin.Address)
	}
	fmt.Fprintln(w)
	for _, s := range cfg.Sites {
		hosts := "any other host"
		if len(s.Hosts) > 0 {
			hosts = strings.Join(s.Hosts, " ")
		}
		fmt.Fprintf(w, "site %s: %s on %s, %d routes\n", s.Name, hosts, strings.Join(s.Listeners, " "), len(s.Routes))
	}
}
