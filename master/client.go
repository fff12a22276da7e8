package master

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"srvctl/shared/sock"
)

const (
	// maxAnswer bounds a line that a server sends: a configuration of hundreds
	// of thousands of routes is the longest.
	maxAnswer = 256 << 20
	// dialTime bounds the connection to a server, whose queue may be full.
	dialTime = 5 * time.Second
)

// ErrEnded is returned by Client.Do when the server closed the connection,
// which it does when its process ends.
var ErrEnded = errors.New("the server ended")

// NotRunningError says that no server answers at a socket.
type NotRunningError struct {
	Socket string
	Stale  bool // the socket is there, but nobody listens
}

func (e *NotRunningError) Error() string {
	if e.Stale {
		return fmt.Sprintf("not running: nobody listens at %s, a server died there", e.Socket)
	}
	return "not running: no server at " + e.Socket
}

// A Client is a connection to the operators' socket of a running server. It is
// for one goroutine.
type Client struct {
	conn *net.UnixConn
	r    *bufio.Reader
	pid  int // of the server, 0 when it is in another pid namespace
}

// Dial connects to the server at this socket. The error is a *NotRunningError
// when there is none.
func Dial(socket string) (*Client, error) {
	d := net.Dialer{Timeout: dialTime}
	conn, err := d.Dial("unix", socket)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &NotRunningError{Socket: socket}
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, &NotRunningError{Socket: socket, Stale: true}
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: only the user who started the server, and root, may control it", err)
	case err != nil:
		return nil, err
	}
	c := &Client{conn: conn.(*net.UnixConn)}
	c.r = bufio.NewReaderSize(c.conn, 64<<10)
	if err := c.check(socket); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// check refuses a server that another user has put in the place of ours. Root
// may control the server of any user.
func (c *Client) check(socket string) error {
	raw, err := c.conn.SyscallConn()
	if err != nil {
		return err
	}
	var uid int
	ctrlErr := raw.Control(func(fd uintptr) { uid, c.pid, err = sock.PeerCred(int(fd)) })
	if err = errors.Join(ctrlErr, err); err != nil {
		return err
	}
	if me := os.Geteuid(); me != 0 && uid != 0 && uid != me {
		return fmt.Errorf("the server at %s runs as user %d: only that user and root may control it", socket, uid)
	}
	return nil
}

// Close ends the connection.
func (c *Client) Close() { c.conn.Close() }

// PID returns the server's process number.
func (c *Client) PID() int { return c.pid }

// Do sends a request and returns the data of its result, if there was one, and
// the last answer. each, when not nil, gets the lines of progress and the
// problems that come before. A server that ends without an answer is an error.
func (c *Client) Do(req Request, limit time.Duration, each func(Answer)) (data json.RawMessage, end Answer, err error) {
	line, err := json.Marshal(req)
	if err != nil {
		return nil, end, err
	}
	c.conn.SetDeadline(time.Now().Add(limit))
	if _, err := c.conn.Write(append(line, '\n')); err != nil {
		return nil, end, fmt.Errorf("ask the server: %w", err)
	}
	for {
		a, err := c.next()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return data, end, fmt.Errorf("the server did not answer %s within %v: see its log", req.Verb, limit)
		case errors.Is(err, io.EOF):
			return data, end, fmt.Errorf("%w before it answered %s: see its log", ErrEnded, req.Verb)
		case err != nil:
			return data, end, fmt.Errorf("the server's answer to %s: %w", req.Verb, err)
		}
		switch a.Event {
		case EventProgress, EventProblem:
			if each != nil {
				each(a)
			}
		case EventResult:
			data = a.Data
		case EventEnd:
			return data, a, nil
		}
	}
}

// next reads one answer.
func (c *Client) next() (a Answer, err error) {
	var line []byte
	for {
		part, err := c.r.ReadSlice('\n')
		line = append(line, part...)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return a, err
		}
		if len(line) > maxAnswer {
			return a, fmt.Errorf("line of more than %d bytes", maxAnswer)
		}
	}
	return a, json.Unmarshal(line, &a)
}

// Code returns the exit code of a last answer.
func (a Answer) Code() int {
	if a.Exit == nil {
		return 1
	}
	return *a.Exit
}

// WaitGone waits until the server's process has ended, after a stop, and
// reports whether it has within the limit.
func (c *Client) WaitGone(limit time.Duration) bool {
	until := time.Now().Add(limit)
	c.conn.SetReadDeadline(until)
	for {
		// The server keeps this connection open until its process ends.
		if _, err := c.next(); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return false
			}
			break
		}
	}
	return c.pid == 0 || gone(c.pid, time.Until(until))
}
