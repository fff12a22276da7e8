package loadtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// inFlight is how many connections are made, or asked on, at a time. A burst
	// of all at once would measure the accept queue.
	inFlight = 128
	// perAddress keeps far below the 28,000 ports one address has by default.
	perAddress = 1250
	// patience bounds one dial or one request.
	patience = 20 * time.Second
)

// Crowd is a set of open connections to one server. It is for one goroutine.
type Crowd struct {
	addr  string
	conns []net.Conn
}

// Open makes n connections to addr (host:port, IPv4 loopback) from 127.0.0.2
// and the addresses after it. The first failure ends it all.
func Open(ctx context.Context, addr string, n int) (*Crowd, error) {
	c := &Crowd{addr: addr, conns: make([]net.Conn, n)}
	err := each(ctx, n, func(ctx context.Context, i int) error {
		d := net.Dialer{
			Timeout:   patience,
			LocalAddr: &net.TCPAddr{IP: source(i)},
			Control:   portAtConnect,
			KeepAlive: -1, // no timers in the kernel but the server's own
		}
		conn, err := d.DialContext(ctx, "tcp4", addr)
		if err != nil {
			return fmt.Errorf("connection %d from %v: %w", i, source(i), err)
		}
		c.conns[i] = conn
		return nil
	})
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Len is the number of connections.
func (c *Crowd) Len() int { return len(c.conns) }

// Addresses is the number of client addresses they come from.
func (c *Crowd) Addresses() int { return (len(c.conns) + perAddress - 1) / perAddress }

// source is the address of a connection: 127.0.0.2, 127.0.0.3, ...
func source(i int) net.IP {
	a := 2 + i/perAddress
	return net.IPv4(127, 0, byte(a>>8), byte(a))
}

// portAtConnect lets the kernel choose the port when it knows the destination,
// so that the same port may serve several; bind alone would use each up.
func portAtConnect(_, _ string, raw syscall.RawConn) error {
	const ipBindAddressNoPort = 24
	var err error
	if e := raw.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_IP, ipBindAddressNoPort, 1)
	}); e != nil {
		return e
	}
	return err
}

// Ask sends GET path(i) on every connection i and wants status 200 and body(i);
// a nil body takes any. The connections stay open. The error says how many
// failed, and how the first did.
func (c *Crowd) Ask(ctx context.Context, path, body func(i int) string) error {
	var failed atomic.Int64
	var first error
	var once sync.Once
	err := each(ctx, len(c.conns), func(_ context.Context, i int) error {
		if err := c.ask(i, path, body); err != nil {
			failed.Add(1)
			once.Do(func() { first = fmt.Errorf("connection %d: %w", i, err) })
		}
		return nil
	})
	if n := failed.Load(); n > 0 {
		return fmt.Errorf("%d of %d connections failed: %w", n, len(c.conns), first)
	}
	return err
}

// readers are shared: a connection that idles owns no buffer here either.
var readers = sync.Pool{New: func() any { return bufio.NewReader(nil) }}

func (c *Crowd) ask(i int, path, body func(i int) string) error {
	conn := c.conns[i]
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, "GET "+path(i)+" HTTP/1.1\r\nHost: "+c.addr+"\r\n\r\n"); err != nil {
		return err
	}
	in := readers.Get().(*bufio.Reader)
	defer readers.Put(in)
	in.Reset(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("status %s: %s", resp.Status, strings.TrimSpace(string(raw)))
	case body != nil && string(raw) != body(i):
		return fmt.Errorf("the answer is %q, want %q", raw, body(i))
	case resp.Close:
		return errors.New("the server closes the connection after its answer")
	case in.Buffered() > 0:
		return fmt.Errorf("%d bytes follow the answer", in.Buffered())
	}
	return nil
}

// Close ends all connections.
func (c *Crowd) Close() {
	for _, conn := range c.conns {
		if conn != nil {
			conn.Close()
		}
	}
}

// each runs do for 0..n-1, inFlight at a time, until one fails or ctx ends, and
// returns when all have.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(inFlight, n) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
