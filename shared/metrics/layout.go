package metrics

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strings"
	"unsafe"
)

// Indexes for Cell.Refused: why a connection was turned away before its first
// request was read.
const (
	RefusedLimit       = iota // limits.connections of the host is reached
	RefusedPerIP              // limits.connections_per_ip of the client is reached
	RefusedDescriptors        // the process is out of descriptors (EMFILE, ENFILE)
	RefusedMemory             // the kernel or the process is out of memory (ENOMEM, ENOBUFS)
	RefusedDraining           // the worker is stopping
	RefusedError              // any other failure of accept
	numRefused
)

var refusedReasons = [numRefused]string{
	RefusedLimit:       "connections_limit",
	RefusedPerIP:       "connections_per_ip",
	RefusedDescriptors: "descriptors",
	RefusedMemory:      "memory",
	RefusedDraining:    "draining",
	RefusedError:       "accept_error",
}

// RefusedReasons returns the labels of the Refused* indexes, in their order.
func RefusedReasons() []string { return slices.Clone(refusedReasons[:]) }

const (
	// NoSite labels requests that never reached a site, such as those whose
	// head could not be parsed. It cannot be the name of a host.
	NoSite = "-"
	// Other labels what was counted with an index beyond the layout's list.
	Other = "other"
)

// A Layout says which counters a Cell has and what they are called. The master
// and the worker build it from the same configuration; the position of a name
// is the index the writer counts with.
type Layout struct {
	Sites        []string
	Listeners    []string
	ParseReasons []string // [0] stands for "not refused": never counted, never shown
	// RefusedReasons is RefusedReasons() unless a test wants others.
	RefusedReasons []string
}

// LayoutOf returns the layout for these sites and listeners, in the order of
// the configuration. parseReasons are the labels of the parser's reasons by
// number, the zero one included.
func LayoutOf(sites, listeners []string, parseReasons ...string) Layout {
	return Layout{
		Sites:          labels(sites),
		Listeners:      labels(listeners),
		ParseReasons:   labels(parseReasons),
		RefusedReasons: RefusedReasons(),
	}
}

// labels returns a copy fit for Prometheus, which accepts nothing but UTF-8.
func labels(names []string) []string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = strings.ToValidUTF8(n, "\uFFFD")
	}
	return list
}

// offsets are the places of the parts in the mapping, in bytes. Every list has
// one counter more than it has names: the last takes indexes out of range, so
// that a wrong index is counted as Other and can never crash a worker.
type offsets struct {
	refused, parse, accepted, hist, codes, size int
}

func (l Layout) offsets() offsets {
	const word = 8
	var o offsets
	o.refused = int(headerSize + unsafe.Sizeof(fixed{}))
	o.parse = o.refused + (len(l.RefusedReasons)+1)*word
	o.accepted = o.parse + (len(l.ParseReasons)+1)*word
	o.hist = roundUp(o.accepted+(len(l.Listeners)+1)*word, cacheLine)
	o.codes = roundUp(o.hist+(len(l.Sites)+1)*int(unsafe.Sizeof(histogram{})), cacheLine)
	o.size = roundUp(o.codes+(len(l.Sites)+1)*int(unsafe.Sizeof(codes{})), pageSize)
	return o
}

// Size returns the bytes that a cell of this layout needs, in whole pages.
func (l Layout) Size() int { return l.offsets().size }

// checksum covers all names and their order and the shape of the structs, so
// that two processes agree on the meaning of every counter or on nothing.
func (l Layout) checksum() uint64 {
	h := fnv.New64a()
	word := func(n int) {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(n))
		h.Write(b[:])
	}
	for _, names := range [][]string{l.RefusedReasons, l.ParseReasons, l.Listeners, l.Sites} {
		word(len(names))
		for _, n := range names {
			word(len(n))
			h.Write([]byte(n))
		}
	}
	for _, b := range bounds {
		word(int(b))
	}
	word(int(unsafe.Sizeof(fixed{})))
	word(l.Size())
	return h.Sum64()
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }
