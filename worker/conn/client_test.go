package conn_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"

	"srvctl/worker/conn"
)

// client is the other end of a connection. Its methods are the sentences that
// tests are made of.
type client struct {
	wire
	conn *conn.Conn
}

// events tells the connection what epoll would.
func (c *client) events() (busy bool) {
	if c.gone() {
		return false
	}
	if c.broken && !c.read {
		c.conn.Hangup()
		return true
	}
	if c.write && (c.room != 0 || c.broken) {
		c.conn.Writable()
		busy = true
	}
	if !c.gone() && c.read && (len(c.in) > 0 || c.eof || c.broken) {
		c.conn.Readable()
		busy = true
	}
	return busy
}

// sends brings bytes to the server and lets it work.
func (c *client) sends(s ...string) *client {
	c.t.Helper()
	for _, s := range s {
		c.in = append(c.in, s...)
		c.host.run()
	}
	return c
}

// blocks stops reading once n more bytes have come.
func (c *client) blocks(n int) *client {
	c.room = n
	return c
}

// takes n bytes more.
func (c *client) reads(n int) *client {
	c.t.Helper()
	c.room = max(c.room, 0) + n
	c.host.run()
	return c
}

// readsAll takes everything from now on.
func (c *client) readsAll() *client {
	c.t.Helper()
	c.room = -1
	c.host.run()
	return c
}

// leaves sends no more.
func (c *client) leaves() *client {
	c.t.Helper()
	c.eof = true
	c.host.run()
	return c
}

// hangsUp is gone, in both directions.
func (c *client) hangsUp() {
	c.t.Helper()
	c.broken = true
	c.host.run()
}

// gets checks that exactly these responses have come since the last look. See
// summary for how a response is written; "HEAD " in front says what it is an
// answer to.
func (c *client) gets(want ...string) *client {
	c.t.Helper()
	got, rest := summaries(c.out, want, c.shut || c.gone())
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		c.t.Errorf("client got\n\t%s\nwant\n\t%s\nfrom %q",
			strings.Join(got, "\n\t"), strings.Join(want, "\n\t"), abridged(c.out))
	}
	if len(rest) > 0 {
		c.t.Errorf("client got %q behind the responses", abridged(rest))
	}
	c.out = c.out[:0]
	return c
}

// getsBytes checks that exactly these bytes have come since the last look.
func (c *client) getsBytes(why, want string) *client {
	c.t.Helper()
	if got := string(c.out); got != want {
		c.t.Errorf("%s: client got %q, want %q", why, got, want)
	}
	c.out = c.out[:0]
	return c
}

func (c *client) is(state string, why string) *client {
	c.t.Helper()
	got := c.conn.State().String()
	if c.gone() { // and maybe at work for another client
		got = c.ending
	}
	if got != state {
		c.t.Errorf("connection is %s, want %s: %s", got, state, why)
	}
	return c
}

// summaries parses responses, as many as want has and one more.
func summaries(out []byte, want []string, ended bool) (got []string, rest []byte) {
	r := bufio.NewReader(bytes.NewReader(out))
	for i := 0; ; i++ {
		if _, err := r.Peek(1); err != nil {
			return got, nil
		}
		method := "GET"
		if i < len(want) && strings.HasPrefix(want[i], "HEAD ") {
			method = "HEAD"
		}
		s, err := summary(r, method, ended)
		if err != nil {
			rest, _ = io.ReadAll(r)
			return append(got, err.Error()), rest
		}
		got = append(got, s)
	}
}

// summary reads one response and returns its status, what is special about it,
// and its body: "200 hello", "200 close chunked hello", "200 keep-alive",
// "200 to-end hello" when the end of the stream ends the body. A body that is
// the pattern is written as [length].
func summary(r *bufio.Reader, method string, ended bool) (string, error) {
	res, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		return "", fmt.Errorf("no response: %w", err)
	}
	s := fmt.Sprint(res.StatusCode)
	if method == "HEAD" {
		s = "HEAD " + s
	}
	if res.StatusCode >= 200 && (res.Header.Get("Date") != date || res.Header.Get("Server") != "srvctl") {
		return "", fmt.Errorf("Date or Server is not right: %v", res.Header)
	}
	switch {
	case res.Close: // net/http takes the field away
		s += " close"
	case res.Header.Get("Connection") != "":
		s += " " + res.Header.Get("Connection")
	}
	if len(res.TransferEncoding) > 0 {
		s += " chunked"
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return "", fmt.Errorf("%s with body %q: %w", s, abridged(body), err)
	}
	if res.ContentLength < 0 && len(res.TransferEncoding) == 0 && method != "HEAD" {
		s += " to-end"
		if !ended {
			return "", fmt.Errorf("%s: but it goes on", s)
		}
	}
	switch {
	case method == "HEAD" && res.ContentLength >= 0:
		s += fmt.Sprintf(" (%d)", res.ContentLength)
	case len(body) > 0:
		s += " " + abridged(body)
	}
	return s, nil
}

// abridged is b itself when it is short.
func abridged(b []byte) string {
	switch {
	case len(b) > 16 && bytes.Equal(b, pattern(len(b))):
		return fmt.Sprintf("[%d]", len(b))
	case len(b) > 2000:
		return string(b[:1000]) + " ... " + string(b[len(b)-1000:])
	}
	return string(b)
}

var patterned []byte

// pattern is n bytes that are the same in every test and say where they are.
func pattern(n int) []byte {
	for len(patterned) < n {
		patterned = fmt.Appendf(patterned, "%07d\n", len(patterned))
	}
	return patterned[:n]
}
