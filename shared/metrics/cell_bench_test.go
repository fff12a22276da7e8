package metrics_test

import (
	"sync/atomic"
	"testing"

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
