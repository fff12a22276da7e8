package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"time"
)

// figures is what wrk says of one round, as its script prints it.
type figures struct {
	Requests     int64
	Microseconds int64
	Bytes        int64
	P50, P99     int64 // µs
	Max          int64
	Connect      int64 // errors from here on
	Read         int64
	Write        int64
	Status       int64
	Timeout      int64
	CPU          time.Duration `json:"-"` // of wrk itself
}

func (f figures) errors() int64 { return f.Connect + f.Read + f.Write + f.Status + f.Timeout }

// loader runs wrk bound to a CPU.
type loader struct {
	path, script string
	cpu          int
}

// run puts one contender under load. The figures come with the CPU time that
// wrk itself took.
func (l loader) run(ctx context.Context, r row, url string, duration time.Duration) (figures, error) {
	args := []string{"-t1", fmt.Sprintf("-c%d", r.connections), fmt.Sprintf("-d%ds", int(duration.Seconds())), "-s", l.script}
	if r.closes {
		args = append(args, "-H", "Connection: close")
	}
	args = append(args, url)
	if r.pipeline > 0 {
		args = append(args, "--", fmt.Sprint(r.pipeline))
	}
	// wrk ends by itself; a server that hangs must not hang the benchmark.
	ctx, cancel := context.WithTimeout(ctx, duration+15*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, l.path, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := startOn(l.cpu, cmd); err != nil {
		return figures{}, err
	}
	if err := cmd.Wait(); err != nil {
		return figures{}, fmt.Errorf("wrk %s: %w: %s", url, err, out.String())
	}
	f, err := parseFigures(out.Bytes())
	f.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return f, err
}

// parseFigures finds the script's line in what wrk printed.
func parseFigures(out []byte) (figures, error) {
	var f figures
	_, line, ok := bytes.Cut(out, []byte("\nFIGURES "))
	if !ok {
		return f, fmt.Errorf("wrk printed no figures: %s", out)
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	if err := json.Unmarshal(line, &f); err != nil {
		return f, fmt.Errorf("wrk's figures %s: %w", line, err)
	}
	if f.Requests == 0 || f.Microseconds == 0 {
		return f, fmt.Errorf("wrk had no answer at all: %s", line)
	}
	return f, nil
}
