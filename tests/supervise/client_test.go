package supervise

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"testing"
	"time"
)

// patience bounds whatever should not take long at all.
const patience = 20 * time.Second

// stretch is a limit for a machine that does nothing else, made longer by how
// many processes want each CPU of this one, and by the race detector.
func stretch(limit time.Duration) time.Duration {
	if os.Getenv("HARNESS_RACE") == "1" {
		limit *= 10
	}
	var load float64
	if raw, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Sscan(string(raw), &load)
	}
	return time.Duration(float64(limit) * max(1, 1.5*load/float64(runtime.NumCPU())))
}

// serving is a configuration with a page and an echo.
const serving = `
workers: 2
listeners: {http: {address: "@http@"}}
drain: {timeout: 15s, idle: 200ms}
sites:
  - routes:
      - {match: /hello, respond: {body: "hello\n"}}
      - {match: /debug/echo, echo: {what: body}}
`

func dial(network, addr string) (net.Conn, error) {
	c, err := net.DialTimeout(network, addr, patience)
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(time.Now().Add(patience))
}

// connect makes a connection that ends with the test.
func connect(t *testing.T, network, addr string) net.Conn {
	t.Helper()
	c, err := dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

const askHello = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

// hello asks for the page on a connection of its own.
func hello(network, addr string) error {
	c, err := dial(network, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, askHello); err != nil {
		return err
	}
	return answered(c, "hello\n")
}

// answered wants a whole answer with this body.
func answered(c net.Conn, want string) error {
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != 200 || string(body) != want {
		return fmt.Errorf("answer %d %.100q, want 200 %q", resp.StatusCode, body, want)
	}
	return nil
}

// slow is a request that takes as long as its sender likes.
type slow struct {
	net.Conn
	t *testing.T
}

const slowBody = "slowly, slowly, and then done"

// startSlow sends a head and a piece of the body.
func startSlow(t *testing.T, addr string) *slow {
	t.Helper()
	s := &slow{connect(t, "tcp", addr), t}
	s.write(fmt.Sprintf("POST /debug/echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(slowBody), slowBody[:1]))
	return s
}

func (s *slow) write(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s, text); err != nil {
		s.t.Errorf("slow request: %v", err)
	}
}

// finish sends the rest of the body byte after byte, in about 350 ms, and wants
// it back.
func (s *slow) finish() {
	s.t.Helper()
	tick := time.NewTicker(350 * time.Millisecond / time.Duration(len(slowBody)))
	defer tick.Stop()
	for i := 1; i < len(slowBody); i++ {
		<-tick.C
		s.write(slowBody[i : i+1])
	}
	if err := answered(s, slowBody); err != nil {
		s.t.Errorf("slow request: %v", err)
	}
}
