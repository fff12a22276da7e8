package metrics

import (
	"fmt"
	"unsafe"
)

const (
	magic     = 0x73727663746c4d43 // "srvctlMC"
	version   = 1
	cacheLine = 64
	pageSize  = 4096

	firstCode = 100
	numCodes  = 500 // 100..599
)

// header stands at the start of the mapping.
type header struct {
	magic    uint64
	version  uint64
	checksum uint64 // of the layout
	size     uint64
	_        [cacheLine - 32]byte
}

const headerSize = unsafe.Sizeof(header{})

// fixed are the counters and gauges that every cell has. What is written
// together lies together.
type fixed struct {
	// Written with every request.
	received, sent uint64
	_              [cacheLine - 16]byte

	// Written once per turn of the loop.
	beat                          int64 // CLOCK_MONOTONIC, ns
	lagNow, lagBefore, lagSince   int64 // greatest lag of this window and of the one before; start of this one
	idle, active, writing, flight int64

	// Written rarely.
	accessDropped, moved uint64
	_                    [cacheLine - 16]byte
}

// codes are one site's responses by status code.
type codes [numCodes]uint64

// A Cell is one worker's page of counters: a view of shared memory that the
// worker writes and the master reads. It owns no memory: the mapping must
// outlive it.
//
// The writer's methods (Request .. Moved) belong to one goroutine, the loop.
// View and the Registry may be used beside it from any goroutine or process.
type Cell struct {
	fixed    *fixed
	refused  []uint64
	parse    []uint64
	accepted []uint64
	hist     []histogram
	codes    []codes
	layout   Layout
}

// OpenCell returns the cell in mem, which is zero when it is new (as a memfd
// is) or was stamped by another process with the same layout. Nothing but the
// header is written: pages that no counter touches stay absent.
func OpenCell(mem []byte, l Layout) (*Cell, error) {
	o := l.offsets()
	if len(mem) < o.size {
		return nil, fmt.Errorf("metrics: mapping of %d bytes, want %d for this layout", len(mem), o.size)
	}
	base := unsafe.Pointer(unsafe.SliceData(mem))
	if uintptr(base)%8 != 0 {
		return nil, fmt.Errorf("metrics: mapping is not aligned to 8 bytes")
	}
	if err := (*header)(base).stamp(l); err != nil {
		return nil, err
	}
	return &Cell{
		fixed:    (*fixed)(unsafe.Add(base, headerSize)),
		refused:  words(base, o.refused, len(l.RefusedReasons)+1),
		parse:    words(base, o.parse, len(l.ParseReasons)+1),
		accepted: words(base, o.accepted, len(l.Listeners)+1),
		hist:     unsafe.Slice((*histogram)(unsafe.Add(base, o.hist)), len(l.Sites)+1),
		codes:    unsafe.Slice((*codes)(unsafe.Add(base, o.codes)), len(l.Sites)+1),
		layout:   l,
	}, nil
}

// NewCell is OpenCell for a caller that made the mapping itself; it panics
// when mem does not belong to this layout.
func NewCell(mem []byte, l Layout) *Cell {
	c, err := OpenCell(mem, l)
	if err != nil {
		panic(err)
	}
	return c
}

func words(base unsafe.Pointer, offset, n int) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Add(base, offset)), n)
}

// stamp claims a new header or checks a used one.
func (h *header) stamp(l Layout) error {
	want := header{magic: magic, version: version, checksum: l.checksum(), size: uint64(l.Size())}
	switch {
	case *h == header{}:
		*h = want
		return nil
	case h.magic != magic:
		return fmt.Errorf("metrics: not a metrics cell (magic %#x)", h.magic)
	case h.version != version:
		return fmt.Errorf("metrics: cell of version %d, this program speaks version %d", h.version, version)
	case h.checksum != want.checksum || h.size != want.size:
		return fmt.Errorf("metrics: cell of another layout (checksum %x, %d bytes; want %x, %d bytes): sites, listeners or reasons differ between master and worker",
			h.checksum, h.size, want.checksum, want.size)
	}
	return nil
}

// Request counts one answered request of a site and its duration. A site out
// of range (-1) is NoSite; a code out of 100..599 counts as 500, which is how
// a client has to treat it.
func (c *Cell) Request(site, code int, durationNS int64) {
	i := min(uint(site), uint(len(c.hist)-1))
	h := &c.hist[i]
	k := uint(code - firstCode)
	if k >= numCodes {
		k = 500 - firstCode
	}
	add(&c.codes[i][k], 1)
	ns := uint64(max(durationNS, 0))
	add(&h.buckets[bucket(ns)], 1)
	add(&h.sum, ns)
}

// Accepted counts a connection accepted from a listener.
func (c *Cell) Accepted(listener int) { count(c.accepted, listener) }

// Refused counts a connection turned away, by one of the Refused* indexes.
func (c *Cell) Refused(reason int) { count(c.refused, reason) }

// ParseError counts a request head or body refused by the parser.
func (c *Cell) ParseError(reason int) { count(c.parse, reason) }

// Received counts bytes read from clients.
func (c *Cell) Received(n int) { add(&c.fixed.received, uint64(n)) }

// Sent counts bytes written to clients.
func (c *Cell) Sent(n int) { add(&c.fixed.sent, uint64(n)) }

// Moved counts connections handed to a successor.
func (c *Cell) Moved(n int) { add(&c.fixed.moved, uint64(n)) }

// AccessDropped counts lines lost from the access logs.
func (c *Cell) AccessDropped(n int) { add(&c.fixed.accessDropped, uint64(n)) }

// Gauges stores how many connections are waiting for a request (idle), inside
// one (active) or for the client to take a response (writing), and the number
// of requests in flight.
func (c *Cell) Gauges(idle, active, writing, inflight int64) {
	f := c.fixed
	set(&f.idle, idle)
	set(&f.active, active)
	set(&f.writing, writing)
	set(&f.flight, inflight)
}

// lagWindow is how long a peak of the lag is kept at least: as long as the
// usual distance of two scrapes, so that each peak is seen by one.
const lagWindow = 15e9

// Beat says that the loop is alive at nowNS (CLOCK_MONOTONIC) and how late its
// turn was.
func (c *Cell) Beat(nowNS, lagNS int64) {
	f := c.fixed
	set(&f.beat, nowNS)
	if nowNS-f.lagSince >= lagWindow {
		c.turnLag(nowNS)
	}
	if lagNS > f.lagNow {
		set(&f.lagNow, lagNS)
	}
}

func (c *Cell) turnLag(nowNS int64) {
	f := c.fixed
	before := f.lagNow
	if nowNS-f.lagSince >= 2*lagWindow {
		before = 0 // the window ended long ago
	}
	set(&f.lagBefore, before)
	set(&f.lagNow, 0)
	set(&f.lagSince, nowNS)
}

func count(list []uint64, i int) { add(&list[min(uint(i), uint(len(list)-1))], 1) }
