package worker_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// port is a listener with a socket per slot, or one for all.
type port struct {
	t      testing.TB
	shared bool
	addr   string
	fds    []int
}

// newPort binds a listener with n sockets, which do not listen yet.
func newPort(t testing.TB, shared bool, n int) *port {
	p := &port{t: t, shared: shared}
	at := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		must(t, err)
		p.fds = append(p.fds, fd)
		must(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
		must(t, unix.Bind(fd, at))
		sa, err := unix.Getsockname(fd)
		must(t, err)
		at = sa.(*unix.SockaddrInet4)
	}
	p.addr = "127.0.0.1:" + strconv.Itoa(at.Port)
	t.Cleanup(p.close)
	return p
}

func (p *port) listens() *port {
	for _, fd := range p.fds {
		must(p.t, unix.Listen(fd, 4096))
	}
	return p
}

func (p *port) close() {
	for _, fd := range p.fds {
		unix.Close(fd)
	}
	p.fds = nil
}

func (p *port) dial() (*browser, error) {
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		return nil, err
	}
	p.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return newBrowser(p.t, c), nil
}

func (p *port) browser() *browser {
	p.t.Helper()
	b, err := p.dial()
	must(p.t, err)
	return b
}

// ask sends a request and tells whether the answer was whole, and the last.
func (b *browser) ask(path string) (closes bool, err error) {
	if _, err := io.WriteString(b, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		return false, err
	}
	return b.answer("hello\n")
}

func (b *browser) answer(want string) (closes bool, err error) {
	res, err := readResponse(b.r)
	if err != nil {
		return false, err
	}
	body, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != 200 || string(body) != want) {
		err = fmt.Errorf("%s with %q", res.Status, body)
	}
	return res.Close, err
}

// sees checks what comes next: the end of the stream, or a reset.
func (b *browser) sees(want error, why string) {
	b.t.Helper()
	got, err := b.r.ReadByte()
	if !errors.Is(err, want) {
		b.t.Errorf("client reads %q, %v; want %v: %s", got, err, want, why)
	}
}

// begins leaves a request under way: it is answered by finishes.
func (b *browser) begins() *browser {
	b.t.Helper()
	b.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nhel")
	return b
}

func (b *browser) finishes() (closes bool) {
	b.t.Helper()
	b.send("lo\n")
	closes, err := b.answer("hello\n")
	must(b.t, err)
	return closes
}

const tested = `
workers: 2
listeners: {http: {address: "127.0.0.1:0"}, alt: {address: "127.0.0.1:0"}}
drain: {timeout: 30s, idle: 300ms}
access_log: {output: access}
sites:
  - routes:
      - {match: /hello, respond: {body: "hello\n"}}
      - {match: /echo, echo: {what: body}}
      - {match: /ready, health: {kind: ready}}
`

func with(pairs ...string) string {
	s := tested
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(s, pairs[i]) {
			panic("the configuration of the tests has no " + pairs[i])
		}
		s = strings.Replace(s, pairs[i], pairs[i+1], 1)
	}
	return s
}
