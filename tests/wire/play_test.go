package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// patience is far more than any answer takes.
	patience = 10 * time.Second
	// silence is how long -update waits for more of an answer.
	silence = 250 * time.Millisecond
)

// delivery is how the bytes of a connection get to the server.
type delivery struct {
	name    string
	network string // tcp or unix
	cut     func(data []byte) []int
}

// whole sends all there is to send at once.
func whole([]byte) []int { return nil }

// player plays one connection.
type player struct {
	net.Conn
	how delivery
	// deaf is set when the server takes no more: it has answered and closed
	// before it was told everything, which is its right.
	deaf error
}

func (s *site) dial(how delivery) (*player, error) {
	c, err := net.DialTimeout(how.network, s.addr[how.network], patience)
	if err != nil {
		return nil, err
	}
	return &player{Conn: c, how: how}, c.SetDeadline(time.Now().Add(patience))
}

// play plays a connection and returns what is not as it should be.
func (s *site) play(p *part, how delivery) error {
	c, err := s.dial(how)
	if err != nil {
		return err
	}
	defer c.Close()
	for i, st := range p.steps {
		if err := c.step(st); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

func (c *player) step(st step) error {
	switch st.do {
	case send:
		return c.send(st.data)
	case receive:
		return c.want(st.data)
	case endSide:
		return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
	case closes:
		return c.wantEnd()
	}
	if c.deaf != nil {
		return fmt.Errorf("the connection is closed: %w", c.deaf)
	}
	if err := c.send([]byte(probe)); err != nil {
		return err
	}
	if err := c.want([]byte(probeAnswer)); err != nil {
		return fmt.Errorf("another request on this connection: %w", err)
	}
	return nil
}

// probe is asked to see that both sides agree on where a request begins.
const (
	probe       = "GET /probe HTTP/1.1\r\nHost: www.test\r\nConnection: close\r\n\r\n"
	probeAnswer = "HTTP/1.1 200 OK\r\nServer: srvctl\r\nDate: " + now + "\r\n" +
		"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 6\r\nConnection: close\r\n\r\nprobe\n"
)

// send sends data in the pieces of the delivery. Each piece is awaited to have
// been read by the server before the next one.
func (c *player) send(data []byte) error {
	from := 0
	for _, to := range append(c.how.cut(data), len(data)) {
		if from >= to {
			continue
		}
		if c.deaf != nil {
			return nil
		}
		_, err := c.Write(data[from:to])
		if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
			c.deaf = err
			return nil
		}
		if err != nil {
			return err
		}
		if to < len(data) {
			c.awaitRead()
		}
		from = to
	}
	return nil
}

// readWithin bounds the wait for the server to read a piece: while it answers,
// or when it has answered for the last time, it may read no more.
const readWithin = 20 * time.Millisecond

// awaitRead waits until the server has read what was sent over a unix socket.
func (c *player) awaitRead() {
	u, ok := c.Conn.(*net.UnixConn)
	if !ok {
		return
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return
	}
	for limit := time.Now().Add(readWithin); time.Now().Before(limit); syscall.Syscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) {
		unread := 0
		raw.Control(func(fd uintptr) { unread, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
		if err != nil || unread == 0 {
			return
		}
	}
}

// want reads an answer. A shorter one shows by the silence after it.
func (c *player) want(answer []byte) error {
	got := make([]byte, len(answer))
	n, err := io.ReadFull(c, got)
	if err == nil {
		if err := datesNear(got); err != nil {
			return err
		}
		if bytes.Equal(maskDates(got), answer) {
			return nil
		}
	}
	rest := c.readRest()
	return fmt.Errorf("the answer is (%v)\n%swant\n%s", err, show(append(got[:n], rest...)), show(answer))
}

// datesNear refuses dates that are not the present.
func datesNear(answer []byte) error {
	for _, m := range dateField.FindAllSubmatch(answer, -1) {
		t, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", string(m[1]))
		if off := time.Since(t); err != nil || off < -time.Second || off > 3*time.Second {
			return fmt.Errorf("Date: %s: not the present (%v)", m[1], time.Now().UTC())
		}
	}
	return nil
}

// wantEnd reads the end of the stream.
func (c *player) wantEnd() error {
	one := make([]byte, 1)
	n, err := c.Read(one)
	switch {
	case n > 0:
		return fmt.Errorf("the connection should end, but then comes\n%s", show(append(one, c.readRest()...)))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("the server does not close the connection")
	case err != io.EOF:
		return fmt.Errorf("the connection should end: %w", err)
	}
	return nil
}

// readRest reads until nothing comes any more.
func (c *player) readRest() []byte {
	rest, _ := c.readAll()
	return rest
}

// readAll reads until the server closes (true) or nothing has come for a while.
func (c *player) readAll() (all []byte, end bool) {
	buf := make([]byte, 64<<10)
	for {
		c.SetReadDeadline(time.Now().Add(silence))
		n, err := c.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			return all, !errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
}

func show(data []byte) string {
	if len(data) == 0 {
		return "\t(nothing)\n"
	}
	var b bytes.Buffer
	for line := range bytes.Lines(maskDates(data)) {
		fmt.Fprintf(&b, "\t%s\n", escape(line))
	}
	return b.String()
}

// record plays what a connection sends and returns its steps with the answers
// that came.
func (s *site) record(p *part) ([]step, error) {
	c, err := s.dial(delivery{network: "tcp", cut: whole})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var steps []step
	for i, st := range p.steps {
		if st.do != send && st.do != endSide {
			continue
		}
		if err := c.step(st); err != nil {
			return nil, err
		}
		steps = append(steps, st)
		if i+1 < len(p.steps) && p.steps[i+1].do == endSide {
			continue
		}
		answer, end := c.readAll()
		if len(answer) > 0 {
			steps = append(steps, step{do: receive, data: maskDates(answer)})
		}
		if end {
			return append(steps, step{do: closes}), nil
		}
	}
	return append(steps, step{do: open}), nil
}
