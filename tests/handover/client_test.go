package handover

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// client is one connection. Its methods return errors, so that any goroutine
// may use it.
type client struct {
	net.Conn
	r *bufio.Reader
}

func dial(addr string) (*client, error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", path
	}
	c, err := net.DialTimeout(network, addr, patience)
	if err != nil {
		return nil, err
	}
	return &client{c, bufio.NewReader(c)}, nil
}

// connect is dial for a connection that ends with the test.
func connect(t testing.TB, addr string) *client {
	t.Helper()
	c, err := dial(addr)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// errEnds says that the answer was right, and the last.
var errEnds = errors.New("answered with Connection: close")

// ask asks for a path and wants this answer, and that the connection stays.
func (c *client) ask(path, want string) error {
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: handover.test\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != 200 || string(raw) != want) {
		err = fmt.Errorf("%s %q, want %q", resp.Status, raw, want)
	}
	if err == nil && resp.Close {
		err = errEnds
	}
	return err
}
