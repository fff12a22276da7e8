package logging

import (
	"os"
	"sync/atomic"
)

const (
	// batchBytes is the size of a batch: one write to a file.
	batchBytes = 64 << 10
	// batches bounds the buffers of one log. Two are enough as long as the writer
	// gets a CPU within a millisecond, in which 150,000 lines a second fill a
	// batch. Where it has to share one with a busy loop it needed eight (measured
	// with loop and writer pinned to one core, up to 150,000 lines a second).
	batches = 16
	// lineBytes bounds a line in a file. A line in a pipe is bounded by PIPE_BUF,
	// or it could be torn by another worker's.
	lineBytes = 16 << 10
)

// An Access is one access log of one worker. Append, Flush, Swap and Close
// belong to the loop; Dropped may be called from anywhere.
//
// The loop fills one buffer while the writer goroutine, which lives from
// NewAccess to Close, writes another. Further ones are made only when the
// writer falls behind; when all are full, lines are dropped and counted:
// nothing waits.
type Access struct {
	buf    []byte // the batch being filled
	most   int    // bytes of a line
	stamp  stamp
	line   func(b []byte, r *Record, s *stamp) []byte
	length func(s []byte) int // of a string in the log
	closed bool

	ending   atomic.Bool // tells the writer to hurry
	spare    int         // buffers that may still be made
	fullc    chan []byte // batches for the writer; has room for all there are
	emptyc   chan []byte // buffers that the writer is done with; likewise
	swapc    chan struct{}
	donec    chan struct{} // closed when the writer has ended
	file     atomic.Pointer[os.File]
	droppedN atomic.Uint64
}

// NewAccess returns an access log that appends to f and owns it. A regular
// file must have been opened with O_APPEND. The format is "combined", or JSON.
func NewAccess(f *os.File, format string) *Access {
	a := &Access{
		buf:    make([]byte, 0, batchBytes),
		line:   appendLineJSON,
		length: lenJSON,
		spare:  batches - 1,
		fullc:  make(chan []byte, batches),
		emptyc: make(chan []byte, batches),
		swapc:  make(chan struct{}, 1),
		donec:  make(chan struct{}),
	}
	if format == "combined" {
		a.line, a.length = appendLineCombined, lenNginx
	}
	a.setBound(f)
	go a.write(newOutput(f, &a.ending))
	return a
}

func (a *Access) setBound(f *os.File) {
	a.most = pipeBytes
	if isRegular(f) {
		a.most = lineBytes
	}
}

// Append formats a record into the batch. It does not block, and it does not
// allocate unless the line is longer than a line may be and has to be cut.
func (a *Access) Append(r *Record) {
	if a.closed || len(a.buf)+a.most > batchBytes && !a.handOver() {
		a.droppedN.Add(1)
		return
	}
	if !r.fits(a.most, a.length) {
		short := *r
		short.cut(a.most, a.length)
		a.buf = a.line(a.buf, &short, &a.stamp)
		return
	}
	a.buf = a.line(a.buf, r, &a.stamp)
}

// Flush hands the batch to the writer; when the writer is far behind, the lines
// stay for the next Flush. It wakes a goroutine: once a second or when the loop
// has nothing to do is enough, full batches go by themselves.
func (a *Access) Flush() {
	if len(a.buf) > 0 && !a.closed {
		a.handOver()
	}
}

// handOver gives the batch away for an empty buffer.
func (a *Access) handOver() bool {
	var empty []byte
	select {
	case empty = <-a.emptyc:
	default:
		if a.spare == 0 {
			return false
		}
		a.spare--
		empty = make([]byte, 0, batchBytes)
	}
	a.fullc <- a.buf
	a.buf = empty
	return true
}

// Dropped returns the number of lines lost so far: to a full pipe, a full disk
// or a writer that could not keep up.
func (a *Access) Dropped() uint64 { return a.droppedN.Load() }

// Swap lets the log go on in f, which it owns from here on; the file before is
// closed as soon as the writer lets go of it. Each line is in one of the two.
func (a *Access) Swap(f *os.File) {
	if a.closed {
		f.Close()
		return
	}
	a.setBound(f)
	if skipped := a.file.Swap(f); skipped != nil {
		skipped.Close() // two swaps while the writer was busy
	}
	select {
	case a.swapc <- struct{}{}:
	default:
	}
}

// Close writes what is left, closes the file and waits for the writer: as long
// as the disk takes, or about a second for a pipe that nobody reads.
func (a *Access) Close() {
	if a.closed {
		return
	}
	a.closed = true
	a.ending.Store(true)
	a.fullc <- a.buf
	a.buf = nil
	close(a.fullc)
	<-a.donec
}

// write is the writer goroutine.
func (a *Access) write(out *output) {
	defer close(a.donec)
	defer func() { a.droppedN.Add(uint64(out.close())) }()
	for {
		select {
		case batch, ok := <-a.fullc:
			if !ok {
				return
			}
			out = a.reopen(out)
			a.droppedN.Add(uint64(out.put(batch)))
			a.emptyc <- batch[:0]
		case <-a.swapc:
			out = a.reopen(out)
		}
	}
}

func (a *Access) reopen(out *output) *output {
	f := a.file.Swap(nil)
	if f == nil {
		return out
	}
	a.droppedN.Add(uint64(out.close()))
	return newOutput(f, &a.ending)
}
