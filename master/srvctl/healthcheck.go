package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"srvctl/master"
)

func healthcheckVerb() *cli.Command {
	return &cli.Command{
		Name:  "healthcheck",
		Usage: "exit with 0 when the server is ready, 1 when it is not, 3 when it does not run",
		Action: func(c *cli.Context) error {
			client, err := dial(c)
			if err != nil {
				return err
			}
			defer client.Close()
			_, end, err := client.Do(master.Request{Verb: "ready"}, 5*time.Second, nil)
			if err := answered(end, err); err != nil {
				return err
			}
			fmt.Fprintln(c.App.Writer, "ready")
			return nil
		},
	}
}
