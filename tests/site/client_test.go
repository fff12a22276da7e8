package site

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"testing"
	"time"

	"srvctl/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// patience bounds whatever should not take long at all.
const patience = 20 * time.Second

// longest bounds one request with its answer.
const longest = 3 * patience

// racing says that the server has the race detector in it, with which it takes
// several times as long and as much memory.
var racing = os.Getenv("HARNESS_RACE") == "1"

// stretch is a limit for a machine that does nothing else, made longer by how
// many processes want each CPU of this one.
func stretch(limit time.Duration) time.Duration {
	if racing {
		limit *= 10
	}
	var load float64
	if raw, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Sscan(string(raw), &load)
	}
	return time.Duration(float64(limit) * max(1, 1.5*load/float64(runtime.NumCPU())))
}

// times is how often something is done: in the short form, or with SOAK=1.
func times(short, long int) int {
	if harness.Soak() {
		return long
	}
	return short
}

// client is one connection to a server. Its methods return errors, so that any
// goroutine may use it.
type client struct {
	net.Conn
	r *bufio.Reader
}

// connect makes a connection that ends with the test.
func connect(t testing.TB, network, addr string) *client {
	t.Helper()
	c, err := dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func dial(network, addr string) (*client, error) {
	c, err := net.DialTimeout(network, addr, patience)
	if err != nil {
		return nil, err
	}
	return &client{c, bufio.NewReader(c)}, c.SetDeadline(time.Now().Add(longest))
}

// get is a request for a path.
func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: site.test\r\n\r\n" }

func (c *client) send(text string) error {
	if err := c.SetDeadline(time.Now().Add(longest)); err != nil {
		return err
	}
	_, err := io.WriteString(c, text)
	return err
}

// answer is a response that has come whole.
type answer struct {
	code   int
	closes bool // it says Connection: close
	header http.Header
	body   string
}

// receive reads the response to a GET.
func (c *client) receive() (answer, error) {
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Close, resp.Header, string(body)}, err
}

// ask asks for a path and reads the answer.
func (c *client) ask(path string) (answer, error) {
	if err := c.send(get(path)); err != nil {
		return answer{}, err
	}
	return c.receive()
}

// want asks for a path and wants this status and body.
func (c *client) want(path string, code int, body string) error {
	a, err := c.ask(path)
	if err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	if a.code != code || a.body != body {
		return fmt.Errorf("GET %s = %d %.200q, want %d %.200q", path, a.code, a.body, code, body)
	}
	return nil
}

// awaitEnd wants that nothing more comes but the end of the stream, by that
// time.
func (c *client) awaitEnd(by time.Time) error {
	c.SetReadDeadline(by)
	b, err := c.r.ReadByte()
	switch {
	case err == nil:
		return fmt.Errorf("%q comes where the connection should end", b)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("the connection does not end")
	case err != io.EOF:
		return fmt.Errorf("the connection should end: %w", err)
	}
	return nil
}

// smallBuffer makes a connection take little before it is read from. Reading is
// what empties it.
func (c *client) smallBuffer() error { return c.Conn.(*net.TCPConn).SetReadBuffer(16 << 10) }

// must ends the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantPage asks for a page over a connection of its own.
func wantPage(t testing.TB, s *harness.Server, path string, code int, body string) {
	t.Helper()
	c := connect(t, "tcp", s.Addr("http"))
	defer c.Close()
	must(t, c.want(path, code, body))
}

// letters is a body of n bytes in which every place tells where it is: lines of
// 16 bytes, a letter and the line's number.
func letters(letter byte, n int) string {
	b := make([]byte, (n+15)/16*16)
	for i := 0; i < len(b); i += 16 {
		b[i], b[i+15] = letter, '\n'
		for digit, v := i+14, i/16; digit > i; digit, v = digit-1, v/10 {
			b[digit] = byte('0' + v%10)
		}
	}
	return string(b[:n])
}
