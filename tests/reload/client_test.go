package reload

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// client is one connection for what the ledger does not do: requests that wait
// in the middle. Its methods return errors, so that any goroutine may use it.
type client struct {
	net.Conn
	r *bufio.Reader
}

// dial connects to a TCP address or "unix:" and a path.
func dial(addr string) (*client, error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", path
	}
	c, err := net.DialTimeout(network, addr, patience)
	if err != nil {
		return nil, err
	}
	return &client{c, bufio.NewReader(c)}, c.SetDeadline(time.Now().Add(3 * patience))
}

// connect is dial for a connection that ends with the test.
func connect(t testing.TB, addr string) *client {
	t.Helper()
	c, err := dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (c *client) send(text string) error {
	_, err := io.WriteString(c, text)
	return err
}

// receive reads an answer; closes says that it announces the connection's end.
func (c *client) receive() (body string, closes bool, err error) {
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return "", false, err
	}
	raw, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != 200 {
		err = fmt.Errorf("answer %s", resp.Status)
	}
	return string(raw), resp.Close, err
}

// ask asks for a path.
func (c *client) ask(path string) (body string, closes bool, err error) {
	if err := c.send("GET " + path + " HTTP/1.1\r\nHost: reload.test\r\n\r\n"); err != nil {
		return "", false, err
	}
	return c.receive()
}

// awaitEnd waits for the server's FIN; anything else is an error.
func (c *client) awaitEnd() error {
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

// version asks over a new connection which configuration answers.
func version(addr string) (string, error) {
	c, err := dial(addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	body, _, err := c.ask("/version")
	return strings.TrimSpace(body), err
}

// wantVersion wants every one of some new connections to be answered by this
// configuration.
func wantVersion(t *testing.T, addr, want string) {
	t.Helper()
	for range 10 {
		if got, err := version(addr); err != nil || got != want {
			t.Fatalf("version %q, %v; want %s", got, err, want)
		}
	}
}

// upload is a POST that waits in the middle of its body.
type upload struct{ *client }

// beginUpload sends the first half.
func beginUpload(t *testing.T, addr string) upload {
	t.Helper()
	c := connect(t, addr)
	must(t, c.send("POST /echo HTTP/1.1\r\nHost: reload.test\r\nContent-Length: 10\r\n\r\n01234"))
	return upload{c}
}

// finish sends the rest and reads the answer.
func (u upload) finish() (closes bool, err error) {
	if err := u.send("56789"); err != nil {
		return false, err
	}
	body, closes, err := u.receive()
	if err == nil && body != "0123456789" {
		err = fmt.Errorf("answer %q", body)
	}
	return closes, err
}
