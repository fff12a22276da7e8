package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// options say what to measure and how long.
type options struct {
	contenders []string
	forms      []form
	duration   time.Duration // of one form with one server
	every      time.Duration // from one reload to the next
	seed       uint64
}

// form is a way to use connections.
type form struct {
	name    string
	clients int           // each has one connection at a time
	batch   int           // requests sent at once
	think   time.Duration // the longest pause before a request; 0 is none
	closes  bool          // a connection for each request
}

var forms = []form{
	{name: "keep", clients: 256, batch: 1, think: 50 * time.Millisecond},
	{name: "fresh", clients: 16, batch: 1, closes: true},
	{name: "pipeline", clients: 16, batch: 8},
}

func parseOptions(args []string, complaints io.Writer) (options, error) {
	fs := flag.NewFlagSet("bench-reloads", flag.ContinueOnError)
	fs.SetOutput(complaints)
	var o options
	contenders := fs.String("contenders", "srvctl,nginx", "servers, also nginx:reuseport (a queue for each worker) and srvctl:PATH (another binary)")
	names := fs.String("forms", strings.Join(formNames(), ","), "forms of load")
	fs.DurationVar(&o.duration, "duration", 20*time.Second, "time of one form with one server")
	fs.DurationVar(&o.every, "every", time.Second, "from one reload to the next")
	fs.Uint64Var(&o.seed, "seed", 1, "of the pauses")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	err := o.check(*contenders, *names, fs.Args())
	if err != nil {
		fmt.Fprintln(complaints, "bench-reloads:", err)
	}
	return o, err
}

func (o *options) check(contenders, names string, rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q", rest[0])
	}
	if o.every < 100*time.Millisecond || o.duration < 2*o.every || o.duration > time.Hour {
		return fmt.Errorf("%v with a reload every %v: want reloads at least 100ms apart, time for one, an hour at most", o.duration, o.every)
	}
	for _, name := range strings.Split(contenders, ",") {
		kind, _, _ := strings.Cut(name, ":")
		if starters[kind].setUp == nil {
			return fmt.Errorf("no contender %q; there are srvctl, nginx", name)
		}
		o.contenders = append(o.contenders, name)
	}
	for _, name := range strings.Split(names, ",") {
		i := slices.IndexFunc(forms, func(f form) bool { return f.name == name })
		if i < 0 {
			return fmt.Errorf("no form %q; there are %s", name, strings.Join(formNames(), ", "))
		}
		o.forms = append(o.forms, forms[i])
	}
	return nil
}

func formNames() []string {
	var names []string
	for _, f := range forms {
		names = append(names, f.name)
	}
	return names
}

// reloads is how many there are in a leg: none at its very end, where nobody
// would see what came of it.
func (o options) reloads() int { return int((o.duration - 1) / o.every) }
