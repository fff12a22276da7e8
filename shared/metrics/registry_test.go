package metrics_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"srvctl/shared/metrics"
)

// gather returns the registry's values by series, as `name{label="value"}`;
// a histogram is its count and sum. The pedantic registry also checks that
// series are consistent and not doubled.
func gather(t testing.TB, r *metrics.Registry) map[string]float64 {
	t.Helper()
	p := prometheus.NewPedanticRegistry()
	p.MustRegister(r)
	families, err := p.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			labels := ""
			for _, l := range m.Label {
				labels += fmt.Sprintf("%s=%q,", l.GetName(), l.GetValue())
			}
			name := func(suffix string) string {
				return strings.TrimSuffix(f.GetName()+suffix+"{"+strings.TrimSuffix(labels, ",")+"}", "{}")
			}
			switch f.GetType() {
			case dto.MetricType_COUNTER:
				series[name("")] = m.Counter.GetValue()
			case dto.MetricType_GAUGE:
				series[name("")] = m.Gauge.GetValue()
			case dto.MetricType_HISTOGRAM:
				series[name("_count")] = float64(m.Histogram.GetSampleCount())
				series[name("_sum")] = m.Histogram.GetSampleSum()
			}
		}
	}
	return series
}

func wantSeries(t *testing.T, got map[string]float64, want map[string]float64) {
	t.Helper()
	for name, v := range want {
		if g, ok := got[name]; !ok || g != v {
			t.Errorf("%s = %v (there: %v), want %v", name, g, ok, v)
		}
	}
}

func TestRetiredCountsStay(t *testing.T) {
	r := metrics.NewRegistry("x")
	before := testLayout()
	c := newCell(before)
	c.Request(0, 200, 1e9)
	c.Request(1, 200, 1e9)
	c.Accepted(1)
	c.Gauges(4, 0, 0, 0)
	r.Attach(1, 0, 1, 0, before, c)

	// A reload: example.com is now second, default is gone, new.org is there.
	after := metrics.LayoutOf([]string{"new.org", "example.com"}, []string{"https"}, "ok")
	d := newCell(after)
	d.Request(1, 200, 2e9)
	d.Accepted(0)
	r.Attach(2, 0, 2, 0, after, d)
	both := gather(t, r)
	r.Retire(1)
	r.Retire(1) // once only
	c.Request(0, 200, 1e9)
	want := map[string]float64{
		`srvctl_requests_total{code="200",site="example.com"}`:          2,
		`srvctl_requests_total{code="200",site="default"}`:              1,
		`srvctl_requests_total{code="200",site="new.org"}`:              0,
		`srvctl_request_duration_seconds_sum{site="example.com"}`:       3,
		`srvctl_request_duration_seconds_count{site="example.com"}`:     2,
		`srvctl_connections_accepted_total{listener="https"}`:           2,
		`srvctl_connections_accepted_total{listener="http"}`:            0,
		`srvctl_connections_refused_total{reason="connections_limit"}`:  0,
		`srvctl_parse_errors_total{reason="bare_lf"}`:                   0,
		`srvctl_worker_restarts_total{reason="crash"}`:                  0,
		`srvctl_reloads_total{result="ok"}`:                             0,
		`srvctl_build_info{go="` + runtime.Version() + `",version="x"}`: 1,
	}
	wantSeries(t, both, want)
	wantSeries(t, both, map[string]float64{`srvctl_connections{state="idle"}`: 4})
	wantSeries(t, gather(t, r), want)
	wantSeries(t, gather(t, r), map[string]float64{`srvctl_connections{state="idle"}`: 0})
	if _, ok := both[`srvctl_request_duration_seconds_count{site="new.org"}`]; ok {
		t.Error("a site without requests has a histogram")
	}
	if _, ok := both[`srvctl_requests_total{code="200",site="-"}`]; ok {
		t.Error("the site of no site is on the page without requests")
	}
}

func TestAttachTwiceKeepsTheFirstsCounts(t *testing.T) {
	r := metrics.NewRegistry("x")
	l := testLayout()
	for range 2 {
		c := newCell(l)
		c.Sent(10)
		r.Attach(1, 0, 1, 0, l, c)
	}
	wantSeries(t, gather(t, r), map[string]float64{"srvctl_sent_bytes_total": 20})
}

// A name that is not UTF-8 is shown as well as it can be.
func TestNamesAreMadeValid(t *testing.T) {
	r := metrics.NewRegistry("x")
	l := metrics.LayoutOf([]string{"caf\xe9"}, []string{"a\nb"})
	r.Attach(1, 0, 1, 0, l, newCell(l))
	wantSeries(t, gather(t, r), map[string]float64{
		"srvctl_requests_total{code=\"200\",site=\"caf\uFFFD\"}": 0,
		`srvctl_connections_accepted_total{listener="a\nb"}`:     0,
	})
}

// Sites with ever new names do not fill the page for ever, and those that are
// configured are never forgotten.
func TestNamesThatAreGoneAreBounded(t *testing.T) {
	r := metrics.NewRegistry("x")
	for i := range 3000 {
		l := metrics.LayoutOf([]string{"stays", fmt.Sprintf("site%d", i)}, []string{fmt.Sprintf("listener%d", i)})
		c := newCell(l)
		c.Request(0, 200, 1)
		c.Request(1, 200, 1)
		r.Attach(i, 0, i, 0, l, c)
		r.Retire(i - 1)
	}
	series := gather(t, r)
	if len(series) > 10*1000 {
		t.Errorf("%d series after 3000 names, want a bound", len(series))
	}
	wantSeries(t, series, map[string]float64{
		`srvctl_requests_total{code="200",site="stays"}`:    3000,
		`srvctl_requests_total{code="200",site="site2999"}`: 1,
	})
}

// Old and new process of a slot share its series; the CPU time of the dead one
// stays.
func TestProcessMetrics(t *testing.T) {
	r := metrics.NewRegistry("x")
	l := testLayout()
	r.Attach(1, 3, 1, os.Getpid(), l, newCell(l))
	one := gather(t, r)
	r.Attach(2, 3, 2, os.Getpid(), l, newCell(l))
	two := gather(t, r)
	r.Retire(1)
	r.Retire(2)
	none := gather(t, r)
	const cpu, memory, fds = `srvctl_worker_cpu_seconds_total{slot="3"}`, `srvctl_worker_resident_memory_bytes{slot="3"}`, `srvctl_worker_open_fds{slot="3"}`
	if one[memory] < 1<<20 || one[fds] < 3 {
		t.Errorf("memory %v, descriptors %v of this process, want plausible ones", one[memory], one[fds])
	}
	if two[memory] < 1.5*one[memory] || two[fds] < 1.5*one[fds] {
		t.Errorf("two processes have memory %v and %v descriptors, one %v and %v", two[memory], two[fds], one[memory], one[fds])
	}
	if none[cpu] < two[cpu] || two[cpu] < one[cpu] {
		t.Errorf("CPU seconds went %v, %v, %v", one[cpu], two[cpu], none[cpu])
	}
	if _, ok := none[memory]; ok {
		t.Error("a slot without a process has memory")
	}
}

// Workers come, count, and go while pages are made: no counter of any page is
// less than in the page before, and the last page has everything.
func TestMonotonicUnderConcurrency(t *testing.T) {
	const slots, lives, requests = 4, 40, 50
	r := metrics.NewRegistry("x")
	var workers, scrapers sync.WaitGroup
	donec := make(chan struct{})
	for slot := range slots {
		workers.Go(func() {
			for life := range lives {
				l := metrics.LayoutOf([]string{"a", "b"}, []string{"http"})
				if life%2 == 1 {
					l = metrics.LayoutOf([]string{"b", "c", "a"}, []string{"https", "http"})
				}
				c, id := newCell(l), slot*lives+life
				r.Attach(id, slot, life, 0, l, c)
				for i := range requests {
					c.Request(i%len(l.Sites), 200+i%3, int64(i)*1e6)
					c.Accepted(0)
					c.Sent(1)
				}
				r.Retire(id)
			}
		})
	}
	for range 2 {
		scrapers.Go(func() {
			last := map[string]float64{}
			for {
				page := gather(t, r)
				for name, v := range last {
					if page[name] < v && !strings.Contains(name, "{state=") {
						t.Errorf("%s fell from %v to %v", name, v, page[name])
					}
				}
				last = page
				select {
				case <-donec:
					return
				default:
				}
			}
		})
	}
	workers.Wait()
	close(donec)
	scrapers.Wait()
	var total float64
	page := gather(t, r)
	for name, v := range page {
		if strings.HasPrefix(name, "srvctl_requests_total{") {
			total += v
		}
	}
	if want := float64(slots * lives * requests); total != want || page["srvctl_sent_bytes_total"] != want {
		t.Errorf("%v requests and %v bytes at the end, want %v", total, page["srvctl_sent_bytes_total"], want)
	}
}
