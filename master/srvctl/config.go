package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"srvctl/conf"
)

func configVerb() *cli.Command {
	set := &cli.StringSliceFlag{Name: "set", Usage: "`KEY=VALUE`, as for start"}
	subs := []*cli.Command{
		{Name: "show", Usage: "print the effective configuration and where each value came from", Flags: []cli.Flag{jsonFlag(), set}, Action: configShow},
		configDiffVerb(),
		{Name: "env", Usage: "print every environment variable that sets a key", Flags: []cli.Flag{jsonFlag()}, Action: configEnv},
		{Name: "schema", Usage: "print the JSON Schema of the file, for editors", Action: configSchema},
	}
	return &cli.Command{
		Name:        "config",
		Usage:       "explain the configuration",
		Subcommands: subs,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return unknownVerb(c.Args().First(), subs)
			}
			return &failure{code: exitUsage, err: errors.New("config what?"), next: "use `srvctl config show`, `diff`, `env` or `schema`"}
		},
	}
}

func configShow(c *cli.Context) error {
	cfg, problems := load(c)
	if err := refused(c, cfg, problems, ""); err != nil {
		return err
	}
	if c.Bool("json") {
		return cfg.RenderJSON(c.App.Writer)
	}
	return cfg.Render(c.App.Writer)
}

// refused prints the problems of a configuration and is an error when it
// cannot be used.
func refused(c *cli.Context, cfg *conf.Config, problems conf.Problems, next string) error {
	for _, p := range problems {
		fmt.Fprintln(c.App.ErrWriter, p)
	}
	if !problems.Failed() {
		return nil
	}
	return &failure{code: exitFailed, err: fmt.Errorf("%s: %s", fileName(cfg, c), countProblems(problems)), next: next}
}

func configEnv(c *cli.Context) error {
	if c.Bool("json") {
		return conf.RenderVariablesJSON(c.App.Writer)
	}
	return conf.RenderVariables(c.App.Writer)
}

func configSchema(c *cli.Context) error { return conf.JSONSchema(c.App.Writer) }
