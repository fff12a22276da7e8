package main

import (
	"strconv"

	"github.com/urfave/cli/v2"

	"srvctl/master"
)

func scaleVerb() *cli.Command {
	return &cli.Command{
		Name:      "scale",
		Usage:     "change the number of workers, until the file's `workers` changes",
		ArgsUsage: "N",
		Flags: []cli.Flag{
			jsonFlag(),
			&cli.BoolFlag{Name: "wait", Usage: "return when the old workers have drained"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Len() > 1 {
				return usage("scale takes one number, got %q too", c.Args().Get(1))
			}
			n, err := strconv.Atoi(c.Args().First())
			if err != nil || n < 1 {
				return usage("scale: how many workers? A number from 1 on is wanted, got %q", c.Args().First())
			}
			return askReload(c, master.Request{Verb: "scale", Workers: n, Wait: c.Bool("wait")})
		},
	}
}
