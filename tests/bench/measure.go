package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"srvctl/tests/harness/proc"
)

// sample is one contender in one round of a row.
type sample struct {
	CPU     float64 `json:"cpu_us_per_request"`
	Both    float64 `json:"cpu_us_per_request_with_wrk"`
	Rate    float64 `json:"requests_per_second"`
	P50     float64 `json:"p50_us"`
	P99     float64 `json:"p99_us"`
	Errors  int64   `json:"errors"`
	Request int64   `json:"requests"`
}

// result is one contender in a row: its rounds, in the order they were run.
type result struct {
	Row       string   `json:"row"`
	Contender string   `json:"contender"`
	Head      int      `json:"head_bytes"`
	Rounds    []sample `json:"rounds"`
}

func (r result) of(what func(sample) float64) []float64 {
	values := make([]float64, len(r.Rounds))
	for i, s := range r.Rounds {
		values[i] = what(s)
	}
	return values
}

func (r result) errors() (n int64) {
	for _, s := range r.Rounds {
		n += s.Errors
	}
	return n
}

func cpu(s sample) float64  { return s.CPU }
func both(s sample) float64 { return s.Both }
func rate(s sample) float64 { return s.Rate }
func p50(s sample) float64  { return s.P50 }
func p99(s sample) float64  { return s.P99 }

func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	if len(v) == 0 {
		return 0
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// spread is (largest - smallest) / median.
func spread(values []float64) float64 {
	return (slices.Max(values) - slices.Min(values)) / median(values)
}

// ratio is the median of the ratios of each round, since the two values of one
// round were taken in the same minute.
func ratio(a, b []float64) float64 {
	n := min(len(a), len(b))
	each := make([]float64, n)
	for i := range each {
		each[i] = a[i] / b[i]
	}
	return median(each)
}

// measureRow runs all rounds of a row, the contenders in turn.
func measureRow(ctx context.Context, o options, r row, contenders []*contender, l loader) ([]result, error) {
	var taking []*contender
	var results []result
	for _, c := range contenders {
		if c.takes(r) {
			taking = append(taking, c)
			results = append(results, result{Row: r.name, Contender: c.name, Head: c.heads[r.name]})
		}
	}
	if o.warm {
		for _, c := range taking {
			if _, err := l.run(ctx, r, c.url(r), time.Second); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", r.name, c.name, err)
			}
		}
	}
	for range o.rounds {
		for i, c := range taking {
			s, err := measure(ctx, o, r, c, l)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", r.name, c.name, err)
			}
			results[i].Rounds = append(results[i].Rounds, s)
		}
	}
	return results, nil
}

func measure(ctx context.Context, o options, r row, c *contender, l loader) (sample, error) {
	processes := c.processes()
	before, err := proc.CPU(processes...)
	if err != nil {
		return sample{}, err
	}
	f, err := l.run(ctx, r, c.url(r), o.duration)
	if err != nil {
		return sample{}, err
	}
	after, err := proc.CPU(processes...)
	if err != nil {
		return sample{}, err
	}
	// A process that came in between was not counted.
	if now := c.processes(); !slices.Equal(now, processes) {
		return sample{}, fmt.Errorf("its processes were %v before the round and %v after it", processes, now)
	}
	n := float64(f.Requests)
	return sample{
		CPU:     float64((after - before).Nanoseconds()) / 1000 / n,
		Both:    float64((after - before + f.CPU).Nanoseconds()) / 1000 / n,
		Rate:    n / (float64(f.Microseconds) / 1e6),
		P50:     float64(f.P50),
		P99:     float64(f.P99),
		Errors:  f.errors(),
		Request: f.Requests,
	}, nil
}
