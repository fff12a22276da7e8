package metrics

import "math/bits"

// bounds are the upper bounds of the buckets of
// srvctl_request_duration_seconds in nanoseconds: 100 µs to 60 s. Each is at
// least twice the one before it (checked by a test), which is what bucket needs.
var bounds = [...]uint64{
	100e3, 250e3, 500e3,
	1e6, 2500e3, 5e6,
	10e6, 25e6, 50e6,
	100e6, 250e6, 500e6,
	1e9, 2500e6, 5e9,
	10e9, 30e9, 60e9,
}

// numBuckets counts the bounded ones and the one without a bound.
const numBuckets = len(bounds) + 1

// histogram is one site's durations in the mapping. The number of requests is
// the sum of the buckets; it is also what tells a reader that the site's codes
// are worth reading.
type histogram struct {
	sum     uint64 // nanoseconds
	buckets [numBuckets]uint64
	_       [3*cacheLine - 8*(numBuckets+1)]byte // no site shares a line with another
}

// first gives, by the bit length of a duration, the bucket of the shortest
// duration of that length.
var first = func() (t [65]uint8) {
	for n := 1; n < len(t); n++ {
		shortest := uint64(1) << (n - 1)
		for t[n] < uint8(len(bounds)) && shortest > bounds[t[n]] {
			t[n]++
		}
	}
	return t
}()

// above is bounds with one more that nothing exceeds.
var above = func() (t [numBuckets]uint64) {
	copy(t[:], bounds[:])
	t[numBuckets-1] = 1<<64 - 1
	return t
}()

// bucket returns the bucket of a duration: the first whose bound is not below
// it. Durations of one bit length span a factor of two, hence cross at most
// one bound, hence one comparison is enough.
func bucket(ns uint64) int {
	b := int(first[bits.Len64(ns)])
	if ns > above[b] {
		b++
	}
	return b
}
