package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"srvctl/tests/harness/clone"
)

// run measures what the options ask for and prints it.
func run(ctx context.Context, o options, out io.Writer) error {
	unlock, err := takeTurn(ctx, out)
	if err != nil {
		return err
	}
	defer unlock()
	temp, err := os.MkdirTemp("", "srvctl-reloads-") // short: a unix socket goes below it
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	var contenders []*contender
	var missing []error
	for i, name := range o.contenders {
		c, err := newContender(ctx, name, filepath.Join(temp, fmt.Sprint(i)))
		if err != nil && os.Getenv("REQUIRE") == "1" {
			return err
		}
		if err != nil {
			missing = append(missing, err)
			continue
		}
		contenders = append(contenders, c)
	}
	if len(contenders) == 0 {
		return fmt.Errorf("nobody to measure: %w", errors.Join(missing...))
	}
	writeHeader(out, o, contenders, missing)
	results, err := measureAll(ctx, o, contenders, out)
	if err != nil {
		return err
	}
	return writeFooter(out, results)
}

// takeTurn waits until no other benchmark of this clone runs: two at a time would
// measure each other.
func takeTurn(ctx context.Context, out io.Writer) (unlock func(), err error) {
	dir, err := clone.Cache("bench")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "lock")
	soon, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if unlock, err = clone.Lock(soon, path); err == nil {
		return unlock, nil
	}
	fmt.Fprintln(out, "waiting for another benchmark in this folder to end ...")
	return clone.Lock(ctx, path)
}

// measureAll takes the servers in turn within each form.
func measureAll(ctx context.Context, o options, contenders []*contender, out io.Writer) ([]result, error) {
	var results []result
	for _, f := range o.forms {
		for i, c := range contenders {
			if err := c.launch(ctx); err != nil {
				return results, err
			}
			res, err := measure(ctx, o, f, c.name, c)
			c.stop()
			if err != nil {
				return results, fmt.Errorf("%w; the server wrote:\n%s", err, c.output.String())
			}
			writeResult(out, res, i == 0)
			results = append(results, res)
		}
		fmt.Fprintln(out)
	}
	return results, nil
}
