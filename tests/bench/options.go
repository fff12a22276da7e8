package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

// options say what to measure and how long.
type options struct {
	contenders []string
	rows       []row
	rounds     int
	duration   time.Duration // of one contender in one round; whole seconds, wrk knows no others
	warm       bool          // a second of load before the first round
	goals      bool          // a missed goal is an error
}

func parseOptions(args []string, complaints io.Writer) (options, error) {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(complaints)
	contenders := fs.String("contenders", strings.Join(allContenders, ","), "servers to measure; srvctl:PATH is another binary of ours")
	names := fs.String("rows", "", "rows to measure, of: "+strings.Join(rowNames(true), ",")+" (default all but file100m)")
	rounds := fs.Int("rounds", 5, "interleaved rounds")
	duration := fs.Duration("duration", 2*time.Second, "time of one server in one round, in whole seconds")
	smoke := fs.Bool("smoke", false, "one round of a second each")
	goals := fs.Bool("goals", false, "exit 1 if a goal is missed")
	if err := fs.Parse(args); err != nil {
		return options{}, err
	}
	o := options{rounds: *rounds, duration: *duration, warm: true, goals: *goals}
	if *smoke {
		o.rounds, o.duration, o.warm = 1, time.Second, false
	}
	err := o.check(*contenders, *names, fs.Args())
	if err != nil {
		fmt.Fprintln(complaints, "bench:", err)
	}
	return o, err
}

func (o *options) check(contenders, names string, rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q", rest[0])
	}
	if o.rounds < 1 || o.duration < time.Second || o.duration%time.Second != 0 {
		return fmt.Errorf("%d rounds of %v: want one round or more, of whole seconds", o.rounds, o.duration)
	}
	for _, name := range strings.Split(contenders, ",") {
		kind, _, _ := strings.Cut(name, ":")
		if starters[kind] == nil {
			return fmt.Errorf("no contender %q; there are %s", name, strings.Join(allContenders, ", "))
		}
		o.contenders = append(o.contenders, name)
	}
	if names == "" {
		names = strings.Join(rowNames(false), ",")
	}
	for _, name := range strings.Split(names, ",") {
		r, ok := findRow(name)
		if !ok {
			return fmt.Errorf("no row %q; there are %s", name, strings.Join(rowNames(true), ", "))
		}
		o.rows = append(o.rows, r)
	}
	return nil
}
