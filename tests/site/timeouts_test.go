package site

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"srvctl/tests/harness"
)

const impatient = `
workers: 1
listeners: {http: {address: "@http@"}}
limits:
  header_timeout: 300ms
  keepalive_timeout: 400ms
  min_rate: {bytes_per_second: 1000, grace: 500ms}
  body_bytes: 16MiB
sites:
  - routes:
      - {match: /hello, respond: {body: "hello\n"}}
      - {match: /echo, echo: {what: body}}
      - {match: "/files/*", files: {root: www}}
`

// dribble sends text, some bytes every 20 ms, until the other side says
// something or there is no more.
func (c *client) dribble(text string, bytes int) {
	answered := make(chan struct{})
	go func() {
		c.r.Peek(1)
		close(answered)
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for len(text) > 0 {
		n := min(bytes, len(text))
		if c.send(text[:n]) != nil {
			break
		}
		text = text[n:]
		select {
		case <-tick.C:
		case <-answered:
			return
		}
	}
	<-answered
}

// Clients that hold a connection without using it do not hold it for long.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Config: impatient, Files: map[string]string{"www/large.txt": letters('l', 16<<20)}})
	for _, tc := range []struct {
		name   string
		least  time.Duration // it must not come earlier
		client func(c *client) error
	}{
		{"header_timeout ends a head that does not come", 300 * time.Millisecond, func(c *client) error {
			must(t, c.send("GET /hello HT"))
			return c.want408()
		}},
		{"header_timeout is not put off by single bytes", 300 * time.Millisecond, func(c *client) error {
			c.dribble("GET /hello HTTP/1.1\r\nX: "+strings.Repeat("x", 1000), 1)
			return c.want408()
		}},
		{"header_timeout is that of a second request too", 300 * time.Millisecond, func(c *client) error {
			if err := c.want("/hello", 200, "hello\n"); err != nil {
				return err
			}
			must(t, c.send("G"))
			return c.want408()
		}},
		{"keepalive_timeout ends a connection that has been used", 400 * time.Millisecond, func(c *client) error {
			if err := c.want("/hello", 200, "hello\n"); err != nil {
				return err
			}
			return c.awaitEnd(time.Now().Add(patience))
		}},
		{"keepalive_timeout ends a connection that was never used", 400 * time.Millisecond, func(c *client) error {
			return c.awaitEnd(time.Now().Add(patience))
		}},
		{"min_rate ends a body that dribbles", 500 * time.Millisecond, func(c *client) error {
			must(t, c.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"))
			c.dribble(strings.Repeat("x", 100000), 2) // 100 a second
			return c.want408()
		}},
		{"min_rate ends a body that does not come", 500 * time.Millisecond, func(c *client) error {
			must(t, c.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"))
			return c.want408()
		}},
		{"min_rate lets a body pass that is fast enough", 0, func(c *client) error {
			body := letters('b', 50000)
			must(t, c.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n"))
			c.dribble(body, 1000) // 50,000 a second, so this takes 1 s
			a, err := c.receive()
			if err != nil || a.code != 200 || a.body != body {
				return fmt.Errorf("answer: %+v, %v; want 200 and the body", a, err)
			}
			return nil
		}},
		{"min_rate ends a response that nobody reads", 500 * time.Millisecond, func(c *client) error {
			must(t, c.smallBuffer())
			must(t, c.send(get("/files/large.txt")))
			if !harness.Poll(patience, func() bool { return c.broken() }) {
				return fmt.Errorf("not ended")
			}
			return nil
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			c := connect(t, "tcp", s.Addr("http"))
			if err := tc.client(c); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took < tc.least {
				t.Errorf("ended after %v, want %v at least", took, tc.least)
			} else if limit := stretch(3 * time.Second); took > limit {
				t.Errorf("ended after %v, want %v at most", took, limit)
			}
		})
	}
	t.Run("min_rate lets a response pass that is read fast enough", func(t *testing.T) {
		t.Parallel()
		c := connect(t, "tcp", s.Addr("http"))
		must(t, c.smallBuffer())
		must(t, c.send(get("/files/large.txt")))
		readSlowly(t, c, 64<<10, 25) // 3 MB a second
	})
}

// want408 wants a whole 408 and the end.
func (c *client) want408() error {
	a, err := c.receive()
	if err != nil || a.code != 408 || !a.closes || a.body == "" {
		return fmt.Errorf("answer: %+v, %v; want a whole 408 with Connection: close", a, err)
	}
	return c.awaitEnd(time.Now().Add(patience))
}

// broken says whether the other side has reset the connection, without reading
// from it.
func (c *client) broken() (yes bool) {
	raw, err := c.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return true
	}
	raw.Control(func(fd uintptr) {
		events := []unix.PollFd{{Fd: int32(fd)}}
		_, err = unix.Poll(events, 0)
		yes = err == nil && events[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
	})
	return yes
}

// readSlowly reads so many bytes every 20 ms, so many times.
func readSlowly(t *testing.T, c *client, bytes, times int) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := range times {
		if n, err := c.r.Discard(bytes); err != nil {
			t.Fatalf("after %d bytes: %v", i*bytes+n, err)
		}
		<-tick.C
	}
}
