package conn

import (
	"net/netip"

	"srvctl/proto/http1"
	"srvctl/worker/serve"
)

// State is what a connection is doing.
type State uint8

const (
	// Idle: nothing of a request has arrived. Bytes lead to Head or, when they
	// are whole requests that are answered at once, back to Idle; silence ends
	// in Closed.
	Idle State = iota
	// Head: a part of a head has arrived. The rest leads on like in Idle, the
	// header timeout to a 408 and Lingering.
	Head
	// Busy: a request is with its handler, its body is arriving, or its
	// response is being sent. The end leads to Idle, Head or Lingering; a
	// broken stream to Closed.
	Busy
	// Lingering: the last response is out and the sending direction ended;
	// what still comes is thrown away, so that closing does not destroy the
	// response on its way. The client's end or a timeout leads to Closed.
	Lingering
	// Closed: the transport is gone. The end; events do nothing any more.
	Closed
)

func (s State) String() string {
	return [...]string{"idle", "head", "busy", "lingering", "closed"}[s]
}

// bodyState is how far the body of the current request is.
type bodyState uint8

const (
	bodyNone    bodyState = iota // there is none, or all of it has been used
	bodyWaiting                  // nobody has asked for it yet
	bodyFlowing                  // goes to the sink as it arrives
	bodyPaused                   // the sink wants no more for now
	bodyUnread                   // answered without it: thrown away, up to a bound
)

// Conn is one connection.
type Conn struct {
	srv *Server // never changes: Resume reads it on other goroutines
	client
}

// client is what a Conn holds of the client it serves now.
type client struct {
	t    Transport
	x    *serve.Exchange // of Head and Busy
	in   []byte          // read but not used yet
	out  []byte          // to be sent, copied here
	*job                 // of Busy, and while requests are served

	Peer     netip.Addr
	Listener int
	Secure   bool

	state    State
	body     bodyState
	began    bool // the head of the response has been rendered
	framed   bool // the response is in chunks
	ended    bool // all of the response is in out and rest
	last     bool // the connection closes after this response
	driving  bool // callbacks must not start what drive does, see kick
	again    bool
	noread   bool // reading is paused in the transport, or what comes is not wanted
	nowrite  bool // waiting for the transport to be writable
	writing  bool // counted as waiting for its reader
	loading  bool // a part of the file is being brought into memory
	loaded   bool // it is there now, whatever the file says
	retry    bool // to be tried again in a moment
	doubt    bool // the file has changed, or is just growing
	stays    bool // another process did not take it
	requests int32
	place    int32 // in Server.movable, from 1; 0: not there
	since    int64 // the start of the silence, of the head or of the lingering
}

// job is what a connection holds only while it is at work, so that one that
// waits for a request is small.
type job struct {
	// rest is to be sent after out, from where it is: the body of the current
	// response.
	rest     []byte
	bodyLeft int64 // of a body with a length
	bodySeen int64
	respLeft int64 // of a file, or of a source with a length
	sent     int64 // of the body of the current response
	mark     int64 // the start of the minimum rate's window, 0 when it does not run
	progress int64 // bytes moved since mark
	unsent   int64 // what the kernel had to send at mark, -1 when not known
	chunked  http1.Chunked
}

// Accept makes a connection over t, which must be ready for use. The caller
// has given t its owner: the Conn itself.
func (s *Server) Accept(t Transport, peer netip.Addr, listener int) *Conn {
	c := s.takeConn()
	c.t, c.Peer, c.Listener = t, peer, listener
	c.since = s.Now
	s.Idle++
	t.SetDeadline(s.Now + c.silence())
	return c
}

func (s *Server) takeConn() *Conn {
	if n := len(s.conns); n > 0 {
		c := s.conns[n-1]
		s.conns = s.conns[:n-1]
		c.client = client{}
		return c
	}
	return &Conn{srv: s}
}

// begin makes sure that there is a job.
func (c *Conn) begin() {
	if c.job != nil {
		return
	}
	s := c.srv
	if n := len(s.jobs); n > 0 {
		c.job = s.jobs[n-1]
		s.jobs = s.jobs[:n-1]
		return
	}
	c.job = &job{}
}

// finish gives the job back.
func (c *Conn) finish() {
	j := c.job
	if j == nil {
		return
	}
	c.job = nil
	j.rest = nil
	if s := c.srv; len(s.jobs) < maxBuffers {
		s.jobs = append(s.jobs, j)
	}
}

// State tells what the connection is doing.
func (c *Conn) State() State { return c.state }

// Exchange is what the connection is at work on, nil when that is nothing.
func (c *Conn) Exchange() *serve.Exchange { return c.x }

// setState keeps the counts of connections by what they do.
func (c *Conn) setState(to State) {
	c.count(-1)
	c.state, c.writing = to, false
	c.count(1)
}

// setWriting tells a connection that waits for its reader from one at work.
func (c *Conn) setWriting(w bool) {
	if c.writing != w {
		c.count(-1)
		c.writing = w
		c.count(1)
	}
}

func (c *Conn) count(n int64) {
	s := c.srv
	switch {
	case c.state == Closed:
	case c.state == Idle:
		s.Idle += n
	case c.state == Lingering || c.writing:
		s.Writing += n
	default:
		s.Inflight += n
	}
}
