package site

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"srvctl/tests/harness"
)

// limits.connections holds for the host, not for a worker: whoever comes when it
// is reached is told so and counted, and those who come later are served.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	const limit = 50
	s := harness.Start(t, harness.Options{Config: hello + "limits: {connections: 50}\n"})
	crowd := make([]*client, limit)
	for i := range crowd {
		crowd[i] = connect(t, "tcp", s.Addr("http"))
		must(t, crowd[i].want("/hello", 200, "hello\n"))
	}
	const turnedAway = 10
	for i := range turnedAway {
		c := connect(t, "tcp", s.Addr("http"))
		if i%2 == 1 { // most clients talk first
			c.send(get("/hello"))
		}
		a, err := c.receive()
		if err != nil || a.code != 503 || !a.closes || a.body == "" {
			t.Fatalf("connection %d gets %+v, %v; want a whole 503 with Connection: close", limit+1+i, a, err)
		}
		if err := c.awaitEnd(time.Now().Add(patience)); err != nil {
			t.Errorf("connection %d: %v", limit+1+i, err)
		}
	}
	const counter = `srvctl_connections_refused_total{reason="connections_limit"}`
	if n := readMetrics(t, s)[counter]; n != turnedAway {
		t.Errorf("%s = %v, want %d", counter, n, turnedAway)
	}
	for i, c := range crowd { // the others did not notice
		if err := c.want("/hello", 200, "hello\n"); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	if st := look(t, s); st.Connections != limit {
		t.Errorf("status says %d connections, want %d", st.Connections, limit)
	}
	for _, c := range crowd[:limit/2] {
		c.Close()
	}
	awaitConnections(t, s, limit-limit/2)
	for range limit / 2 {
		must(t, connect(t, "tcp", s.Addr("http")).want("/hello", 200, "hello\n"))
	}
}

// limits.open_files is what a worker may open, whoever starts the server.
func TestOpenFiles(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Config: hello + "limits: {open_files: 777, connections: 100}\n"})
	for _, w := range s.Workers() {
		limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", w.PID))
		must(t, err)
		if !regexp.MustCompile(`(?m)^Max open files +777 `).Match(limits) {
			t.Errorf("limits.open_files is 777; limits of a worker:\n%s", limits)
		}
	}
}

// A worker without descriptors says so, keeps those it has, answers those it
// cannot keep, and takes new ones as soon as there is room.
func TestDescriptorsUsedUp(t *testing.T) {
	t.Parallel()
	s := harness.Prepare(t, harness.Options{
		Config: strings.Replace(hello, "workers: 2", "workers: 1", 1) + "limits: {open_files: 64}\n",
	})
	s.WriteFile("few", "#!/bin/sh\nulimit -n 64\nexec "+s.Binary+" \"$@\"\n")
	s.Binary = filepath.Join(s.Dir, "few")
	must(t, os.Chmod(s.Binary, 0o755))
	s.Launch()
	s.AwaitReady()
	worker := s.Workers()[0]

	served, refused := 0, 0
	var crowd []*client
	for range 200 {
		c := connect(t, "tcp", s.Addr("http"))
		crowd = append(crowd, c)
		must(t, c.send(get("/hello")))
		c.SetReadDeadline(time.Now().Add(patience))
		a, err := c.receive()
		switch {
		case err == nil && a.code == 200:
			served++
		case err == nil && a.code == 503 && a.closes:
			refused++
		default:
			t.Fatalf("connection %d, after %d served and %d refused: %+v, %v", len(crowd), served, refused, a, err)
		}
		if refused == 3 {
			break
		}
	}
	if served < 10 || served > 64 || refused != 3 {
		t.Errorf("%d connections served and %d refused with 64 descriptors", served, refused)
	}
	awaitStatus(t, s, "told by status", func(st status) bool {
		for _, d := range st.Degraded {
			if strings.Contains(d.Text, "limits.open_files") {
				return true
			}
		}
		return false
	})
	if !strings.Contains(s.Stderr(), "accepting pauses") {
		t.Error("the log does not say that accepting pauses")
	}
	if n := readMetrics(t, s)[`srvctl_connections_refused_total{reason="descriptors"}`]; n < 3 {
		t.Errorf("srvctl_connections_refused_total for want of descriptors is %v, want 3", n)
	}
	must(t, crowd[0].want("/hello", 200, "hello\n"))

	for _, c := range crowd {
		c.Close()
	}
	wantPage(t, s, "/hello", 200, "hello\n")
	awaitStatus(t, s, "the shortage is over", func(st status) bool {
		for _, d := range st.Degraded {
			if d.Key == "accept" {
				return false
			}
		}
		return true
	})
	if now := s.Workers(); len(now) != 1 || now[0].PID != worker.PID {
		t.Errorf("the worker was %v, now %v: want it to survive", worker, now)
	}
}

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
