package conn

import (
	"time"

	"srvctl/proto/http1"
	"srvctl/worker/serve"
)

// Limits are the bounds of every connection of a Server. Durations are
// nanoseconds.
type Limits struct {
	Head http1.Limits
	// Body is the most bytes of a request body, unless a route says otherwise.
	Body int64
	// HeaderTimeout runs from the first byte of a head to its end.
	HeaderTimeout int64
	// KeepAlive is how long a connection may stay silent between requests.
	KeepAlive int64
	// Requests is the most requests of one connection, 0 for no limit.
	Requests int
	// MinRate is the least progress of request bodies and of responses, in
	// bytes a second, looked at every Grace.
	MinRate int64
	Grace   int64
	// DrainIdle is how long an idle connection must have been silent before a
	// drain closes it.
	DrainIdle int64
}

// Observer is told what happened. Calls come on the loop.
type Observer interface {
	// Done: a response was handed over whole, with this many bytes of body.
	Done(c *Conn, x *serve.Exchange, body int64)
	// Refused: a head or a body's framing was not understood. For a body, but
	// not for a head, c has an exchange and Done follows.
	Refused(c *Conn, r http1.Reason)
	// Rejected: the client got this status without an exchange, since there
	// was no head to make one of.
	Rejected(c *Conn, code int)
	// Aborted: the exchange ended before its response was whole, after this
	// many bytes of body. The status is 499 when none of it was sent.
	Aborted(c *Conn, x *serve.Exchange, body int64)
	// Closed: the connection is gone.
	Closed(c *Conn)
}

// Sizes of the buffers that all connections of a Server share, and the caps
// that keep one connection from holding up the others.
const (
	readSize    = 64 << 10
	writeSize   = 64 << 10
	turnBytes   = 128 << 10 // of pipelined responses in one turn
	turnCount   = 32        // pipelined requests in one turn
	fileQuantum = 512 << 10 // of a file in one turn
	pullSize    = 32 << 10  // of a source at a time
	maxDiscard  = 256 << 10 // of a request body nobody wants
	maxBuffers  = 256       // spare connections, exchanges and small buffers kept
	smallBuffer = 16 << 10
	maxLarge    = 4 // larger buffers kept
)

// Server is what the connections of one loop share. All of it belongs to that
// loop's goroutine, but for Post and Pool, which are safe from any.
type Server struct {
	Site     serve.Handler
	Observer Observer
	Limits   Limits
	// Post runs a function on the loop.
	Post func(func())
	// Pool runs work that may block; false when its queue is full.
	Pool func(func()) bool

	// Now is the loop's clock; the owner sets it once a turn.
	Now int64
	// Received and Sent count bytes; the owner takes them once a turn.
	Received, Sent int64
	// Inflight, Idle and Writing count connections by what they do: at work
	// on a request or the part of one, waiting for one, waiting for their
	// reader or lingering.
	Inflight, Idle, Writing int64
	// Moves says of each listener, by number, whether its connections can be
	// moved to another process while draining. See NextToMove.
	Moves []bool
	// Stalled is when the loop last came back after it had stood still for
	// long: a stopped process, a machine without time for it. How fast clients
	// were until then says nothing about them. The owner sets it.
	Stalled int64

	date     [http1.DateLen]byte
	draining bool
	movable  []*Conn // that wait to be moved; nil: not any more
	moved    int     // how many of movable are behind us
	in       []byte
	out      []byte
	pull     []byte // what a source reads into
	conns    []*Conn
	xs       []*serve.Exchange
	jobs     []*job
	bufs     [][]byte
	large    [][]byte
	ahead    http1.Head // of what follows, see follows
}

// NewServer makes a Server; the exported fields are the caller's to set.
func NewServer(l Limits) *Server {
	return &Server{
		Limits: l,
		in:     make([]byte, readSize),
		out:    make([]byte, 0, writeSize+turnBytes),
	}
}

// SetDate sets the Date of the responses to come.
func (s *Server) SetDate(t time.Time) { http1.AppendDate(s.date[:0], t) }

// Date is the current Date field's value.
func (s *Server) Date() []byte { return s.date[:] }

// TurnAway answers a connection that there is no room for and closes it, all
// at once: it must not hold the descriptor any longer. What the client sent is
// read first, or closing would destroy the answer on its way.
func (s *Server) TurnAway(t Transport, code int) {
	_, _ = t.Read(s.in)
	s.out, _ = serve.ErrorPage(code).Append(s.out[:0], s.date[:], optionClose, nil, false)
	_, _ = t.Write(s.out)
	t.CloseWrite()
	t.Close()
}

func (s *Server) takeExchange() *serve.Exchange {
	if n := len(s.xs); n > 0 {
		x := s.xs[n-1]
		s.xs = s.xs[:n-1]
		return x
	}
	return &serve.Exchange{}
}

func (s *Server) giveExchange(x *serve.Exchange) {
	if len(s.xs) < maxBuffers {
		s.xs = append(s.xs, x)
	}
}

// keep copies p into a buffer of its own.
func (s *Server) keep(p []byte) []byte {
	from := &s.bufs
	if len(p) > smallBuffer {
		from = &s.large
	}
	if n := len(*from); n > 0 && len(p) <= cap((*from)[n-1]) {
		b := (*from)[n-1]
		*from = (*from)[:n-1]
		return append(b, p...)
	}
	return append(make([]byte, 0, max(1024, len(p))), p...)
}

// drop takes a buffer back. Of large ones few are kept, so that a burst of them
// does not stay for ever.
func (s *Server) drop(b []byte) {
	switch {
	case cap(b) == 0 || cap(b) > readSize:
	case cap(b) > smallBuffer:
		if len(s.large) < maxLarge {
			s.large = append(s.large, b[:0])
		}
	case len(s.bufs) < maxBuffers:
		s.bufs = append(s.bufs, b[:0])
	}
}
