package limit

import (
	"fmt"
	"sync/atomic"
	"unsafe"
)

// MaxProcesses is how many worker processes may be alive at once on a host:
// all slots of the serving generation and of the draining ones.
const MaxProcesses = 512

// line is a cache line on amd64 and on the arm64 machines servers run on.
const line = 64

type header struct {
	high atomic.Uint32 // 1 + the highest process number that counted; only grows
	_    [line - 4]byte
}

type cell struct {
	connections atomic.Int64 // written by its process, and by the master once that is dead
	_           [line - 8]byte
}

type table struct {
	header header
	cells  [MaxProcesses]cell
}

// Size is how many bytes of shared memory Open needs.
func Size() int { return int(unsafe.Sizeof(table{})) }

// Host is a view of the table of counts. It may be used from any number of
// goroutines; each process adds to its own number only.
type Host struct {
	t *table // in the memory given to Open, never in the Go heap
}

// Open returns the table in mem, which must be at least Size bytes long,
// aligned to 64 and stay mapped for as long as the Host is used. Fresh (zero)
// memory is an empty table. Open panics when mem cannot hold the table: that
// is a mistake of the caller, not of the host.
func Open(mem []byte) *Host {
	if len(mem) < Size() {
		panic(fmt.Sprintf("limit: %d bytes of memory, want %d", len(mem), Size()))
	}
	p := unsafe.Pointer(unsafe.SliceData(mem))
	if uintptr(p)%line != 0 {
		panic("limit: memory is not aligned to a cache line")
	}
	return &Host{t: (*table)(p)}
}

// Add adds n, which may be negative, to the count of a process.
func (h *Host) Add(process int, n int64) {
	h.t.cells[process].connections.Add(n)
	h.raise(process)
}

// raise makes the sum reach the cell of a process. The first Add of a process
// pays for it, later ones only read a line that nobody writes any more.
func (h *Host) raise(process int) {
	want := uint32(process) + 1
	for {
		high := h.t.header.high.Load()
		if high >= want || h.t.header.high.CompareAndSwap(high, want) {
			return
		}
	}
}

// Acquire counts one more connection for a process and reports true, unless
// the host would then have more than limit: then nothing is counted and it
// reports false. A limit of 0 or less refuses everything.
//
// It counts first and looks afterwards. All adds have one order, so the last
// of several processes that count at once sees all of them and the limit is
// never passed; in exchange several that reach for the last place at the same
// instant may all be refused.
func (h *Host) Acquire(process int, limit int64) bool {
	h.Add(process, 1)
	if h.Connections() <= limit {
		return true
	}
	h.Add(process, -1)
	return false
}

// Connections returns the sum of all processes.
func (h *Host) Connections() int64 {
	n := min(h.t.header.high.Load(), MaxProcesses)
	var sum int64
	for i := range h.t.cells[:n] {
		sum += h.t.cells[i].connections.Load()
	}
	return sum
}

// Process returns the count of one process.
func (h *Host) Process(process int) int64 {
	return h.t.cells[process].connections.Load()
}

// Clear forgets the count of a process. Only the master calls it, and only
// after it has reaped the process: nobody else writes the cell then.
func (h *Host) Clear(process int) {
	h.t.cells[process].connections.Store(0)
}
