package logging

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// queueBytes bounds the lines that wait for a slow output.
const queueBytes = 256 << 10

// A queue takes lines from any goroutine and never makes them wait for long:
//   - to a pipe, terminal or socket that takes the line at once it is written
//     at once, so that a crash right after cannot lose it;
//   - to a file, or when the reader is slow, the line waits for the writer
//     goroutine; beyond queueBytes lines are dropped, counted and told about;
//   - another io.Writer is taken to be quick (a buffer) and written directly.
//
// The writer goroutine starts with the first file and ends in close.
type queue struct {
	// told makes the line that tells of lost ones; total is since the start.
	told func(total uint64) []byte

	mu     sync.Mutex
	plain  io.Writer // the output if it is no file, else nil
	out    *output   // else; used by the goroutine while busy, under mu otherwise
	next   *os.File  // becomes out when the goroutine is back
	lines  []byte    // waiting
	spare  []byte
	untold bool // lines were lost since it was told last
	busy   bool // the goroutine is writing, without mu, and comes back for more
	closed bool
	said   bool // at the end, that lines were lost

	ending  atomic.Bool // tells the goroutine to hurry
	wakec   chan struct{}
	donec   chan struct{} // of the goroutine; nil before it starts
	dropped atomic.Uint64
}

// Write takes one line. It always succeeds, as far as the caller can tell.
func (q *queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.plain != nil:
		if _, err := q.plain.Write(line); err != nil {
			q.dropped.Add(1)
		}
	case q.closed && !q.busy:
		q.loseLocked(q.out.put(line))
	case !q.busy && len(q.lines) == 0 && !q.untold && q.out.tryLine(line):
	case len(q.lines)+len(line) > queueBytes:
		q.loseLocked(1)
	default:
		q.lines = append(q.lines, line...)
		q.wakeLocked()
	}
	return len(line), nil
}

func (q *queue) loseLocked(lines int) {
	if lines > 0 {
		q.untold = true
		q.dropped.Add(uint64(lines))
	}
}

func (q *queue) wakeLocked() {
	if q.closed {
		return // the goroutine is on its last turns
	}
	select {
	case q.wakec <- struct{}{}:
	default:
	}
}

// set swaps the output, which the queue owns from here on.
func (q *queue) set(w io.Writer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f, isFile := asFile(w)
	switch {
	case q.closed:
		return
	case !isFile:
		q.plain = w
	case q.out == nil:
		q.plain, q.out = nil, newOutput(f, &q.ending)
		q.donec = make(chan struct{})
		go q.write()
	default:
		q.plain = nil
		if q.next != nil {
			(&output{file: q.next}).close()
		}
		q.next = f
		q.wakeLocked()
	}
}

// write is the writer goroutine.
func (q *queue) write() {
	defer close(q.donec)
	for range q.wakec {
		for q.turn() {
		}
	}
}

// turn writes what waits. It returns false when nothing does.
func (q *queue) turn() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.next != nil {
		q.loseLocked(q.out.close())
		q.out, q.next = newOutput(q.next, &q.ending), nil
	}
	if len(q.lines) == 0 {
		if !q.closed || !q.untold || q.said {
			return false
		}
		q.said = true
	}
	batch := q.lines
	q.lines, q.spare = q.spare[:0], nil
	untold := q.untold
	if untold {
		batch = append(batch, q.told(q.dropped.Load())...)
	}
	q.untold, q.busy = false, true
	q.mu.Unlock()
	n := q.out.put(batch)
	q.mu.Lock()
	q.busy, q.spare = false, batch
	if n > 0 && untold {
		n-- // the line that tells was one of them
		q.untold = true
	}
	q.loseLocked(n)
	return true
}

// close writes what waits and ends the goroutine. Lines that come later are
// written directly.
func (q *queue) close() {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return
	}
	q.wakeLocked()
	close(q.wakec)
	q.closed = true
	q.ending.Store(true)
	donec := q.donec
	q.mu.Unlock()
	if donec != nil {
		<-donec
	}
}
