package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ours and the one we are compared with.
const ours, theirs = "srvctl", "nginx"

func writeHeader(out io.Writer, o options, rep report) {
	fmt.Fprintf(out, "%s\n", rep.Machine)
	var who []string
	for _, name := range o.contenders {
		if version, ok := rep.Contenders[name]; ok {
			who = append(who, name+" "+version)
		}
	}
	fmt.Fprintf(out, "%s\n", strings.Join(who, "; "))
	fmt.Fprintf(out, "%d interleaved rounds of %v, one worker each", o.rounds, o.duration)
	if rep.Bound {
		fmt.Fprint(out, ", servers on one CPU and wrk -t1 on another")
	} else {
		fmt.Fprint(out, "; ONE CPU FOR ALL: servers and wrk disturb each other")
	}
	fmt.Fprintf(out, "; load average %s before", rep.Load)
	if load, err := strconv.ParseFloat(rep.Load, 64); err == nil && load > 1 {
		fmt.Fprint(out, ": OTHER WORK RUNS HERE, all figures are rough")
	}
	fmt.Fprintln(out)
	for _, why := range rep.NotRun {
		fmt.Fprintf(out, "NOT RUN: %s\n", why)
	}
	fmt.Fprintf(out, "\n%-9s %-14s %9s %7s %9s %9s %10s %8s %8s %5s %7s\n",
		"row", "server", "cpu", "spread", "vs nginx", "both", "req/s", "p50", "p99", "head", "errors")
}

func writeRow(out io.Writer, r row, results []result) {
	base := find(results, theirs)
	for i, res := range results {
		name := ""
		if i == 0 {
			name = r.name
		}
		against := "-"
		if base != nil {
			against = fmt.Sprintf("%.2f", compare(r, res, *base))
		}
		errors := ""
		if n := res.errors(); n > 0 {
			errors = fmt.Sprint(n)
		}
		cpus := res.of(cpu)
		fmt.Fprintf(out, "%-9s %-14s %6.2f µs %6.0f%% %9s %6.2f µs %10.0f %8s %8s %5d %7s\n",
			name, res.Contender, median(cpus), 100*spread(cpus), against, median(res.of(both)), median(res.of(rate)),
			duration(median(res.of(p50))), duration(median(res.of(p99))), res.Head, errors)
	}
	fmt.Fprintln(out)
}

// duration prints microseconds. wrk says 0 when it lost count.
func duration(us float64) string {
	if us == 0 {
		return "-"
	}
	if us < 1000 {
		return fmt.Sprintf("%.0f µs", us)
	}
	return fmt.Sprintf("%.1f ms", us/1000)
}

func find(results []result, contender string) *result {
	i := slices.IndexFunc(results, func(r result) bool { return r.Contender == contender })
	if i < 0 {
		return nil
	}
	return &results[i]
}

// compare is the ratio that counts in this row.
func compare(r row, a, b result) float64 {
	if r.goal.rate {
		return ratio(a.of(rate), b.of(rate))
	}
	return ratio(a.of(cpu), b.of(cpu))
}

// writeGoals compares with the goals and returns how many are missed.
func writeGoals(out io.Writer, o options, rep report) (missed int) {
	for _, r := range o.rows {
		var of []result
		for _, res := range rep.Results {
			if res.Row == r.name {
				of = append(of, res)
			}
		}
		us := find(of, ours)
		if us == nil {
			continue
		}
		for _, g := range []struct {
			other       string
			want, after float64
		}{{theirs, r.goal.nginx, r.goal.wantedNginx}, {"h2o", r.goal.h2o, 0}, {"floor", r.goal.floor, 0}} {
			them := find(of, g.other)
			if them == nil || g.want == 0 {
				continue
			}
			if !writeGoal(out, r, g.other, compare(r, *us, *them), g.want, g.after) {
				missed++
			}
		}
	}
	return missed
}

func writeGoal(out io.Writer, r row, other string, got, want, after float64) bool {
	what, sign := "cpu", "<="
	met := func(limit float64) bool { return round2(got) <= limit }
	if r.goal.rate {
		what, sign = "req/s", ">="
		met = func(limit float64) bool { return round2(got) >= limit }
	}
	verdict := "met"
	switch {
	case !met(want):
		verdict = "MISSED"
	case after != 0 && !met(after):
		verdict = fmt.Sprintf("met; wanted %s %.2f", sign, after)
	}
	fmt.Fprintf(out, "goal %-9s %s %.2f of %s's, want %s %.2f: %s\n", r.name, what, got, other, sign, want, verdict)
	return met(want)
}

// round2 makes the comparison the one that is printed.
func round2(v float64) float64 { return math.Round(v*100) / 100 }
