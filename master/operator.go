package master

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"srvctl/shared/sock"
)

const (
	// maxOperators bounds the connections to the operators' socket.
	maxOperators = 32
	// maxRequest bounds a request's line.
	maxRequest = 64 << 10
	// requestTime is how long an operator may take to send a request, or to
	// take a line of an answer.
	requestTime = 10 * time.Second
	// statusTime is how long the loop may take to answer.
	statusTime = 2 * time.Second
	// maxProgress bounds the lines that wait for a slow operator; further ones
	// are dropped, the last one never is.
	maxProgress = 600
)

// Request is one line that an operator sends.
type Request struct {
	Verb    string `json:"verb"`
	Now     bool   `json:"now,omitempty"`     // stop: do not drain
	Timeout string `json:"timeout,omitempty"` // stop: instead of drain.timeout, "5s"
	Wait    bool   `json:"wait,omitempty"`    // reload, scale: until the old workers have drained
	Workers int    `json:"workers,omitempty"` // scale: how many
}

// Events of an Answer.
const (
	EventProgress = "progress" // Text is a line for people
	EventProblem  = "problem"  // Text is what is wrong with the configuration
	EventResult   = "result"   // Data is what was asked for
	EventEnd      = "end"      // Exit is the verb's exit code; nothing follows
)

// Answer is one line that an operator gets.
type Answer struct {
	Event string          `json:"event"`
	Text  string          `json:"text,omitempty"`
	Data  json.RawMessage `json:"data,omitempty"`
	Exit  *int            `json:"exit,omitempty"`
	Error string          `json:"error,omitempty"` // what went wrong, when Exit is not 0
	Next  string          `json:"next,omitempty"`  // what to do about it

	mark chan<- struct{} // not nil: no line, closed when all before it are written
}

func endAnswer(exit int, what, next string) Answer {
	return Answer{Event: EventEnd, Exit: &exit, Error: what, Next: next}
}

// operation is an operator's request that takes its time. The loop sends, the
// operator's connection receives.
type operation struct {
	lines   chan Answer   // progress
	endc    chan Answer   // the last line, buffered
	written chan struct{} // closed when that has been written, or cannot be
	report  *ReloadReport // of a reload whose old workers are waited for
}

func newOperation() *operation {
	return &operation{lines: make(chan Answer, maxProgress), endc: make(chan Answer, 1), written: make(chan struct{})}
}

// progress sends a line. It never blocks.
func (op *operation) progress(text string) { op.send(Answer{Event: EventProgress, Text: text}) }

// send sends a line that is not the last.
func (op *operation) send(a Answer) {
	select {
	case op.lines <- a:
	default:
	}
}

// flushed returns a channel that is closed when everything sent so far has been
// written, or cannot be.
func (op *operation) flushed() <-chan struct{} {
	markc := make(chan struct{})
	select {
	case op.lines <- Answer{mark: markc}:
	default:
		close(markc)
	}
	return markc
}

// finish sends the last line. Only the first one counts.
func (op *operation) finish(a Answer) {
	select {
	case op.endc <- a:
	default:
	}
}

// operators is the server of the operators' socket: one goroutine that
// accepts, one for each connection.
type operators struct {
	m *master
	l *net.UnixListener

	mu     sync.Mutex
	conns  map[*operatorConn]bool
	closed bool
	paused bool          // for an upgrade: see pause
	deaf   bool          // accept has ended because of that
	restc  chan struct{} // holds one: somebody has come to rest
}

// operatorConn is one connection. What is below the line is guarded by
// operators.mu.
type operatorConn struct {
	*net.UnixConn
	r    *bufio.Reader
	line []byte // that is being answered, or half of the next

	// ---
	waits  bool       // for the end of the server
	op     *operation // whose lines are written
	served bool       // nobody reads from it any more
}

// newOperatorConn returns a connection from which something may have been read
// already.
func newOperatorConn(conn *net.UnixConn, read []byte) *operatorConn {
	return &operatorConn{UnixConn: conn, r: bufio.NewReaderSize(before(read, conn), maxRequest)}
}

// serveOperators serves the socket of a claim until close.
func (m *master) serveOperators(c *claim) *operators {
	o := &operators{m: m, l: c.socket, conns: make(map[*operatorConn]bool), restc: make(chan struct{}, 1)}
	m.claim, m.operators = c, o
	go o.accept() // ends with the socket
	return o
}

// close ends all connections but those that wait for the end of the server:
// they end with the process, which is how an operator sees that it has gone.
func (o *operators) close() {
	o.l.Close()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for c := range o.conns {
		if !c.waits {
			c.Close()
		}
	}
}

// end answers those who asked for the end of the server and gives them a
// moment to read it.
func (o *operators) end(asked []*operation, text string) {
	for _, op := range asked {
		op.progress(text)
		op.finish(endAnswer(0, "", ""))
	}
	awaitWritten(asked, time.Second)
}

// awaitWritten waits until these have been told all there is.
func awaitWritten(list []*operation, limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for _, op := range list {
		select {
		case <-op.written:
		case <-timer.C:
			return
		}
	}
}

func (o *operators) accept() {
	for {
		conn, err := o.l.AcceptUnix()
		if errors.Is(err, net.ErrClosed) || err != nil && o.stopsAccepting() {
			return
		}
		if err != nil { // out of descriptors: the next one may do better
			o.m.log.Warn("operators' socket", "err", err)
			select {
			case <-time.After(100 * time.Millisecond):
				continue
			case <-o.m.donec:
				return
			}
		}
		c := newOperatorConn(conn, nil)
		if why := o.admit(c); why != "" {
			c.write(endAnswer(1, why, ""))
			c.Close()
			continue
		}
		go o.serve(c) // ends with the connection, which is bounded in time
	}
}

// admit counts a connection in, or says why not.
func (o *operators) admit(c *operatorConn) string {
	uid, err := c.peer()
	if err != nil {
		return err.Error()
	}
	if uid != 0 && uid != os.Geteuid() {
		return fmt.Sprintf("user %d may not control this server, only user %d and root may", uid, os.Geteuid())
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return "the server has ended"
	}
	if len(o.conns) >= maxOperators {
		return fmt.Sprintf("%d operators are connected, which is the limit: try again", maxOperators)
	}
	o.conns[c] = true
	return ""
}

// peer returns the user at the other end.
func (c *operatorConn) peer() (uid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	ctrlErr := raw.Control(func(fd uintptr) { uid, _, err = sock.PeerCred(int(fd)) })
	return uid, errors.Join(ctrlErr, err)
}

func (c *operatorConn) write(a Answer) error {
	line, err := json.Marshal(a)
	if err != nil {
		return err
	}
	c.SetWriteDeadline(time.Now().Add(requestTime))
	_, err = c.Write(append(line, '\n'))
	return err
}

// serve answers requests until the operator closes the connection.
func (o *operators) serve(c *operatorConn) {
	defer o.forget(c)
	for o.arm(c) {
		line, err := c.r.ReadSlice('\n')
		c.line = bytes.Clone(line)
		if errors.Is(err, bufio.ErrBufferFull) {
			c.write(endAnswer(1, fmt.Sprintf("a request has at most %d bytes", maxRequest), ""))
			return
		}
		if err != nil {
			return
		}
		if o.answer(c, line) != nil {
			return
		}
		c.line = nil
	}
}

// forget closes a connection, except one that waits for the end of the server
// and must stay open until then.
func (o *operators) forget(c *operatorConn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.waits {
		return
	}
	if o.paused {
		c.served = true
		o.rested()
		return
	}
	delete(o.conns, c)
	c.Close()
}

// answer handles one request. An error ends the connection.
func (o *operators) answer(c *operatorConn, line []byte) error {
	var req Request
	if err := decodeStrict(line, &req); err != nil {
		return c.write(endAnswer(1, "not a request: "+err.Error(), `send {"verb":"status"}`))
	}
	handle, known := verbs[req.Verb]
	if !known {
		return c.write(endAnswer(1, fmt.Sprintf("unknown verb %q", req.Verb), ""))
	}
	return handle(o, c, req)
}

func decodeStrict(line []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one value on the line")
	}
	return nil
}
