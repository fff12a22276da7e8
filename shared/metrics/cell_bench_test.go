package metrics_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"srvctl/shared/metrics"
)

// One request as the loop counts it: goal 5 ns for the three calls together.
func BenchmarkRequest(b *testing.B) {
	l := metrics.LayoutOf([]string{"a", "b"}, []string{"http"})
	c := metrics.NewCell(make([]byte, l.Size()), l)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.Request(i&1, 200, int64(i&0xfffff))
		c.Received(120)
		c.Sent(350)
	}
}

// What the plain add saves: an atomic store is an XCHG on amd64.
func BenchmarkAtomicStoreAdd(b *testing.B) {
	var p uint64
	for b.Loop() {
		atomic.StoreUint64(&p, atomic.LoadUint64(&p)+1)
	}
}

func BenchmarkPlainAdd(b *testing.B) {
	l := metrics.LayoutOf(nil, nil)
	c := metrics.NewCell(make([]byte, l.Size()), l)
	for b.Loop() {
		c.Sent(1)
	}
}

// A page of eight workers with 100 busy sites each: how long Attach and Retire
// may have to wait.
func BenchmarkCollect(b *testing.B) {
	sites := make([]string, 100)
	for i := range sites {
		sites[i] = fmt.Sprintf("site%d.example.com", i)
	}
	l := metrics.LayoutOf(sites, []string{"http", "https"})
	r := metrics.NewRegistry("x")
	for id := range 8 {
		c := newCell(l)
		for i := range sites {
			for code := 200; code < 210; code++ {
				c.Request(i, code, int64(code)*1e5)
			}
		}
		r.Attach(id, id, 1, 0, l, c)
	}
	b.ReportAllocs()
	for b.Loop() {
		ch := make(chan prometheus.Metric, 10_000)
		r.Collect(ch)
	}
}
