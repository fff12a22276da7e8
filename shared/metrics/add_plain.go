//go:build !race

package metrics

// add adds n to a counter of which this goroutine is the only writer.
func add(p *uint64, n uint64) { *p += n }

// set stores a value of which this goroutine is the only writer.
func set(p *int64, v int64) { *p = v }
