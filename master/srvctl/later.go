package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

// laterVerbs are commands of later versions. They are named here so that
// nobody takes them for a typing mistake, and change nothing.
func laterVerbs() []*cli.Command {
	var list []*cli.Command
	for _, v := range []struct{ name, usage, instead string }{
		{"routes", "show the routes, or the one that answers a request", "see `srvctl config show`"},
		{"purge", "invalidate cached responses", ""},
		{"upstreams", "show and drain upstream servers", ""},
		{"publish", "send a message to a WebSocket topic", ""},
		{"top", "watch the server", "see `srvctl status`"},
		{"loadtest", "load a server with requests", ""},
	} {
		list = append(list, later(v.name, v.usage, v.instead))
	}
	return list
}

func later(name, use, instead string) *cli.Command {
	return &cli.Command{
		Name:            name,
		Usage:           use + " (not yet in this version)",
		SkipFlagParsing: true, // whatever was given with it, the answer is the same
		Action: func(c *cli.Context) error {
			return &failure{code: exitFailed, err: fmt.Errorf("%s is not yet in this version, nothing was changed", c.Command.HelpName), next: instead}
		},
	}
}
