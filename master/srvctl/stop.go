package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"srvctl/master"
)

// stopLimit bounds the wait for a server that drains: as long as the longest
// drain.timeout that makes sense.
const stopLimit = 24 * time.Hour

func stopVerb() *cli.Command {
	return &cli.Command{
		Name:  "stop",
		Usage: "let the server finish what it is doing, and wait until it has gone",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "now", Usage: "do not wait for requests in flight"},
			&cli.DurationFlag{Name: "timeout", Usage: "end what is left after `D`, instead of drain.timeout"},
		},
		Action: func(c *cli.Context) error {
			req := master.Request{Verb: "stop", Now: c.Bool("now")}
			if c.IsSet("timeout") {
				if c.Duration("timeout") <= 0 {
					return usage("stop: --timeout %v is not positive (use --now)", c.Duration("timeout"))
				}
				req.Timeout = c.Duration("timeout").String()
			}
			client, err := dial(c)
			if err != nil {
				return err
			}
			defer client.Close()
			_, end, err := client.Do(req, stopLimit, printAnswer(c))
			if errors.Is(err, master.ErrEnded) {
				return nil // by another stop, which came first
			}
			if err := answered(end, err); err != nil {
				return err
			}
			if !client.WaitGone(10 * time.Second) {
				return fmt.Errorf("the server has stopped serving, but its process %d is still there: see its log", client.PID())
			}
			return nil
		},
	}
}
