package serve

import (
	"io"
	"sync"
	"sync/atomic"
)

// A budget counts memory against a bound.
type budget struct {
	used atomic.Int64
	most int64
}

// fits reports whether n more bytes stay within the bound.
func (b *budget) fits(n int64) bool { return b.used.Load()+n <= b.most }

const chunkSize = 16 << 10

type chunk [chunkSize]byte

var chunks = sync.Pool{New: func() any { return new(chunk) }}

// echoBody is a request's body on its way back: the Sink it arrives at and the
// Source it leaves from, with what has arrived and not left held between them.
//
// Data takes whatever it is given, so the bounds are kept by pausing in time:
// one delivery is always set aside for, from the budget too.
type echoBody struct {
	h      *echo
	prefix []byte // sent before the body
	length int64  // of the body, -1 when not known

	queue   []*chunk // held, in order
	first   int      // where in queue[0] the bytes begin
	last    int      // where in the last chunk they end
	held    int64    // bytes held
	charged int64    // what the budget was charged

	answered bool  // the response has begun
	whole    bool  // the body is complete
	failed   error // why it never will be
	paused   bool  // Data said no
	waiting  bool  // Read had nothing
	closed   bool
}

// reserve sets memory aside for one delivery.
func (s *echoBody) reserve() bool {
	if !s.h.budget.fits(echoRead) {
		return false
	}
	s.charge()
	return true
}

// charge makes the budget agree with what is held.
func (s *echoBody) charge() {
	n := max(echoRead, int64(len(s.queue))*chunkSize)
	s.h.budget.used.Add(n - s.charged)
	s.charged = n
}

// room reports whether another delivery may be held.
func (s *echoBody) room() bool {
	return s.held == 0 || s.held+echoRead <= echoMost && s.h.budget.fits(echoRead)
}

// answer begins the response.
func (s *echoBody) answer(x *Exchange) {
	s.answered = true
	s.h.addFields(x)
	length := s.length
	if length >= 0 {
		length += int64(len(s.prefix))
	}
	x.Stream(s, length)
}

// Data is the Sink's: it holds p.
func (s *echoBody) Data(x *Exchange, p []byte) bool {
	if s.closed {
		return true
	}
	s.put(p)
	s.paused = !s.room()
	if !s.answered && (s.held > echoHold || s.paused) {
		s.answer(x)
	}
	s.wake(x)
	return !s.paused
}

func (s *echoBody) put(p []byte) {
	s.held += int64(len(p))
	for len(p) > 0 {
		if len(s.queue) == 0 || s.last == chunkSize {
			s.queue = append(s.queue, chunks.Get().(*chunk))
			s.last = 0
		}
		n := copy(s.queue[len(s.queue)-1][s.last:], p)
		s.last += n
		p = p[n:]
	}
	s.charge()
}

// wake tells the carrier that a Read which had nothing is worth repeating.
func (s *echoBody) wake(x *Exchange) {
	if s.waiting {
		s.waiting = false
		x.Wake()
	}
}

// End is the Sink's: no more comes.
func (s *echoBody) End(x *Exchange, err error) {
	switch {
	case s.closed:
		return
	case err != nil && !s.answered:
		s.Close() // the carrier answers, and nobody else would
	case err != nil:
		s.failed = err
	default:
		s.whole = true
		if !s.answered {
			s.length = s.held
			s.answer(x)
		}
	}
	s.wake(x)
}

// Read is the Source's: it gives what is held and makes room for more.
func (s *echoBody) Read(x *Exchange, p []byte) (n int, err error) {
	if s.failed != nil {
		return 0, s.failed
	}
	if len(s.prefix) > 0 {
		n = copy(p, s.prefix)
		s.prefix = s.prefix[n:]
	}
	n += s.take(p[n:])
	switch {
	case s.whole && s.held == 0 && len(s.prefix) == 0:
		return n, io.EOF
	case n == 0:
		s.waiting = true
	}
	if s.paused && (s.held == 0 || s.held <= echoMost/2 && s.room()) {
		s.paused = false
		x.More()
	}
	return n, nil
}

// take moves bytes out of the queue.
func (s *echoBody) take(p []byte) (n int) {
	for n < len(p) && s.held > 0 {
		end := chunkSize
		if len(s.queue) == 1 {
			end = s.last
		}
		m := copy(p[n:], s.queue[0][s.first:end])
		n += m
		s.first += m
		s.held -= int64(m)
		if s.first == end {
			s.drop()
		}
	}
	s.charge()
	return n
}

// drop gives the first chunk back.
func (s *echoBody) drop() {
	chunks.Put(s.queue[0])
	s.queue[0] = nil
	s.queue = s.queue[1:]
	s.first = 0
}

// Close gives everything back.
func (s *echoBody) Close() {
	if s.closed {
		return
	}
	s.closed = true
	for len(s.queue) > 0 {
		s.drop()
	}
	s.held = 0
	s.h.budget.used.Add(-s.charged)
	s.charged = 0
}
