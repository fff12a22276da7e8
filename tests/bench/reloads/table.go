package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

func writeHeader(out io.Writer, o options, contenders []*contender, missing []error) {
	var who []string
	for _, c := range contenders {
		who = append(who, c.name+" "+c.version)
	}
	fmt.Fprintf(out, "%s; on %s; load average %s before\n", strings.Join(who, "; "), machine(), load1())
	fmt.Fprintf(out, "%d workers each; %v of load with a reload every %v, one of them to %d workers and one back; seed %d\n",
		workersUsual, o.duration, o.every, workersFew, o.seed)
	for _, err := range missing {
		fmt.Fprintf(out, "NOT RUN: %v\n", err)
	}
	fmt.Fprintf(out, "\n%-9s %-16s %7s %9s %9s %8s %8s %6s %9s %8s %6s %7s %9s %11s %11s %11s\n", "form", "server", "reloads", "requests",
		"no answer", "cut idle", "cut busy", "reset", "announced", "reopened", "again", "refused", "longest", "command", "new", "last old")
}

func writeResult(out io.Writer, r result, first bool) {
	name := ""
	if first {
		name = r.form.name
	}
	t := r.tally
	announced, reopened := fmt.Sprint(t.announced), fmt.Sprint(t.reopened)
	if r.form.closes {
		announced, reopened = "-", "-"
	}
	fmt.Fprintf(out, "%-9s %-16s %7d %9d %9d %8d %8d %6d %9s %8s %6d %7d %6.0f ms %8s ms %8s ms %8s ms\n", name, r.name, r.reloads, t.requests,
		t.noAnswer, t.cutIdle, t.cutBusy, t.resets, announced, reopened, t.again, t.refused, ms(t.longest), r.command, r.firstNew, r.lastOld)
}

// writeFooter tells what the table has no column for; answers that were not the
// ones due are an error.
func writeFooter(out io.Writer, results []result) error {
	var wrong []error
	for _, r := range results {
		if unseen := r.reloads - r.firstNew.n; unseen > 0 {
			fmt.Fprintf(out, "%s, form %s: %d of %d versions were replaced before they answered anything\n", r.name, r.form.name, unseen, r.reloads)
		}
		if r.tally.other > 0 {
			wrong = append(wrong, fmt.Errorf("%s, form %s: %d answers were not the ones due", r.name, r.form.name, r.tally.other))
		}
	}
	fmt.Fprintf(out, "command, new, last old: median/longest; load average %s after\n", load1())
	return errors.Join(wrong...)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (s spans) String() string {
	if s.n == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f/%.0f", ms(s.median), ms(s.longest))
}

// machine describes where the figures were taken.
func machine() string {
	parts := []string{fmt.Sprintf("%d CPUs", runtime.NumCPU())}
	cpuinfo, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(cpuinfo)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			parts = append(parts, strings.TrimSpace(value))
			break
		}
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		parts = append(parts, "Linux "+strings.TrimSpace(string(release)))
	}
	return strings.Join(append(parts, runtime.Version()), ", ")
}

// load1 is the load average of the last minute, as text.
func load1() string {
	raw, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(raw), " ")
	return first
}
