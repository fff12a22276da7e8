// Package metrics counts in shared memory and shows the counts of all workers
// as one Prometheus page.
//
// Each worker process has a Cell: a memfd mapped by the worker, which writes
// it, and by the master, which reads it. So counting costs a worker an add, a
// scrape costs it nothing, and a worker that is killed loses no count. The
// master's Registry adds up the cells; when a worker is dead it is retired,
// that is, its counts are folded into sums that stay. The page therefore never
// goes backwards while the master lives: not when a worker crashes, not when a
// reload adds, removes or reorders sites. What cells of different layouts have
// in common are the names of sites, listeners and reasons, so the sums are
// kept by name.
//
// # The mapping
//
//	+--------+-------+---------+-------+----------+------------+-----------+
//	| header | fixed | refused | parse | accepted | histograms | codes     |
//	| 64 B   | 192 B | n+1 × 8 | × 8   | × 8      | n+1 × 192  | n+1 × 4000|
//	+--------+-------+---------+-------+----------+------------+-----------+
//
// All words are 64 bits in the machine's order; every list has one word more
// than the Layout has names, for indexes out of range. The header carries a
// magic number, a version and a checksum over all names: a process that was
// given another configuration is refused instead of counting under the wrong
// name. A mapping for many sites is large (4.2 KB each) and sparse: neither
// side touches the codes of a site without requests, so their pages stay
// absent.
//
// # Plain adds
//
// A Cell's counters are written by one goroutine with plain, not locked, adds
// and read elsewhere with atomic loads. That is sound because
//
//   - there is one writer: no add can be lost between its load and its store;
//   - every word is 8-byte aligned, and on amd64 and arm64 an aligned 64-bit
//     store is seen whole or not at all (Intel SDM vol. 3A 9.1.1; Arm ARM
//     B2.2.1, single-copy atomicity);
//   - the Go memory model binds the compiler even so: of a location no larger
//     than a machine word "each read must observe a value written by a preceding
//     or concurrent write" (https://go.dev/ref/mem#restrictions), and it "must
//     not allow a single write to write multiple values"
//     (https://go.dev/ref/mem#badcompiler);
//   - no reader concludes anything from the order of two counters.
//
// A reader may see an add some nanoseconds late; it never sees a value that was
// not there, and cache coherence lets no counter go backwards. An atomic store
// would be an XCHG on amd64: 2.4 ns against 0.8 ns, for five counters with
// every request. The race detector cannot know this, so its build uses atomics
// (add_race.go).
//
// # What it does not do
//
// It starts no goroutine, maps and unmaps nothing, and reads no clock. A Cell
// has no error paths: a wrong index counts as "other". Counts since the last
// scrape of a dead worker's CPU time are lost (its requests are not). The page
// begins at zero when the master does.
package metrics
