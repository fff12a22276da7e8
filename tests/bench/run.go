package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"srvctl/tests/harness/clone"
	"srvctl/tests/harness/tool"
)

// report is the whole of a run, as it is written to .cache/bench.
type report struct {
	When       time.Time         `json:"when"`
	Machine    string            `json:"machine"`
	Load       string            `json:"load_average"`
	Bound      bool              `json:"bound_to_cpus"`
	Seconds    float64           `json:"seconds_per_round"`
	Contenders map[string]string `json:"contenders"` // name: version
	NotRun     []string          `json:"not_run"`
	Results    []result          `json:"results"`
}

// run measures what the options ask for and prints it.
func run(ctx context.Context, o options, out io.Writer) error {
	unlock, err := takeTurn(ctx, out)
	if err != nil {
		return err
	}
	defer unlock()
	temp, err := os.MkdirTemp("", "srvctl-bench-") // short: a unix socket goes below it
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	www, err := clone.Cache("bench", "www")
	if err != nil {
		return err
	}
	if err := makeFiles(www, o.rows); err != nil {
		return err
	}
	serverCPU, loadCPU := twoCPUs()
	l, err := newLoader(ctx, temp, loadCPU)
	if err != nil {
		return err
	}
	rep := report{When: time.Now(), Machine: machine(), Load: load1(), Bound: serverCPU != unbound,
		Seconds: o.duration.Seconds(), Contenders: map[string]string{}}
	contenders, err := startAll(ctx, o, temp, www, serverCPU, &rep)
	defer func() {
		for _, c := range contenders {
			c.stop()
		}
	}()
	if err != nil {
		return err
	}
	writeHeader(out, o, rep)
	for _, r := range o.rows {
		results, err := measureRow(ctx, o, r, contenders, l)
		if err != nil {
			return err
		}
		writeRow(out, r, results)
		rep.Results = append(rep.Results, results...)
	}
	missed := writeGoals(out, o, rep)
	if err := save(out, rep); err != nil {
		return err
	}
	return verdict(o, rep, missed)
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

// newLoader finds wrk and puts its script where it can read it.
func newLoader(ctx context.Context, dir string, cpu int) (loader, error) {
	wrk, err := tool.Find(ctx, "wrk")
	if err != nil {
		return loader{}, fmt.Errorf("NOT RUN: %w", err)
	}
	script, err := conf.ReadFile("conf/wrk.lua")
	if err != nil {
		return loader{}, err
	}
	l := loader{path: wrk, script: filepath.Join(dir, "wrk.lua"), cpu: cpu}
	return l, os.WriteFile(l.script, script, 0o644)
}

// startAll starts the contenders and lets each prove that it does the work. The
// started ones are returned with an error too, to be stopped.
func startAll(ctx context.Context, o options, temp, www string, cpu int, rep *report) ([]*contender, error) {
	var started []*contender
	for i, name := range o.contenders {
		p := place{Run: filepath.Join(temp, fmt.Sprint(i)), WWW: www, IsRoot: os.Geteuid() == 0}
		if err := os.Mkdir(p.Run, 0o755); err != nil {
			return started, err
		}
		port, err := freePorts()
		if err != nil {
			return started, err
		}
		p.Port = port
		c, err := startContender(ctx, name, p, cpu)
		if missing := (notRun{}); errors.As(err, &missing) && os.Getenv("REQUIRE") != "1" {
			rep.NotRun = append(rep.NotRun, err.Error())
			continue
		}
		if err != nil {
			return started, err
		}
		started = append(started, c)
		rep.Contenders[name] = c.version
		for _, r := range o.rows {
			if !c.takes(r) {
				continue
			}
			if err := c.verify(r); err != nil {
				return started, fmt.Errorf("%s does not do the work of row %s: %w", name, r.name, err)
			}
		}
	}
	if len(started) == 0 {
		return nil, fmt.Errorf("nobody to measure:\n%s", strings.Join(rep.NotRun, "\n"))
	}
	return started, nil
}

// freePorts returns a port that is free together with the one after it. They lie
// below the range of outgoing connections on every usual machine.
func freePorts() (int, error) {
	for port := 18000; port < 30000; port += 2 {
		one, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		two, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		one.Close()
		if err != nil {
			continue
		}
		two.Close()
		return port, nil
	}
	return 0, errors.New("no two free ports from 18000 to 30000")
}

// save writes the run to .cache/bench, and once more as latest.json.
func save(out io.Writer, rep report) error {
	dir, err := clone.Cache("bench")
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, rep.When.UTC().Format("20060102T150405Z")+".json")
	if err := os.WriteFile(path, append(raw, '\n'), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nAll rounds: %s\n", path)
	return os.WriteFile(filepath.Join(dir, "latest.json"), append(raw, '\n'), 0o644)
}

// verdict turns failed requests, and missed goals where asked, into an error.
func verdict(o options, rep report, missed int) error {
	var failed []string
	for _, r := range rep.Results {
		if n := r.errors(); n > 0 {
			failed = append(failed, fmt.Sprintf("%s: %s: %d requests failed", r.Row, r.Contender, n))
		}
	}
	if len(failed) > 0 {
		return errors.New(strings.Join(failed, "\n"))
	}
	if o.goals && missed > 0 {
		return fmt.Errorf("%d goals missed", missed)
	}
	return nil
}
