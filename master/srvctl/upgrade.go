package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"srvctl/master"
)

func upgradeVerb() *cli.Command {
	return &cli.Command{
		Name:  "upgrade",
		Usage: "replace the running program by the one installed at its path; connections, sockets and counters stay",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			return askReload(c, master.Request{Verb: "upgrade"})
		},
	}
}

// rehearseVerb is no command for people: the running server starts a new
// program with it and with its own arguments before it becomes that program.
func rehearseVerb() *cli.Command {
	return &cli.Command{
		Name:   master.RehearseVerb,
		Hidden: true,
		Flags:  startFlags(),
		Action: func(c *cli.Context) error {
			if !master.Rehearse(options(c), c.App.Writer) {
				return &failure{code: exitFailed, err: errors.New("it cannot take over"), told: true}
			}
			return nil
		},
	}
}

// resume goes on with the server that another program left in this process.
func resume(c *cli.Context) error {
	if err := master.Resume(options(c)); err != nil {
		return &failure{code: exitFailed, err: fmt.Errorf("start: %w", err)}
	}
	return nil
}
