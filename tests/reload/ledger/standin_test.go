package ledger_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"srvctl/tests/reload/ledger"
)

// standin is a small server that can be told to misbehave.
type standin struct {
	t    *testing.T
	l    net.Listener
	log  *os.File
	do   func(s *standin, q question) // answers a request, in its own way
	wg   sync.WaitGroup
	mu   sync.Mutex
	open map[net.Conn]bool
	n    int // requests so far
}

// question is a request as the stand-in sees it.
type question struct {
	c      net.Conn
	r      *bufio.Reader
	n      int // the how manieth of the server
	method string
	target string
	body   string
	closes bool
}

// start starts a stand-in that answers by do.
func start(t *testing.T, do func(s *standin, q question)) *standin {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.OpenFile(filepath.Join(t.TempDir(), "access.log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	s := &standin{t: t, l: l, log: log, do: do, open: map[net.Conn]bool{}}
	s.wg.Go(s.accept)
	t.Cleanup(func() {
		s.l.Close()
		s.hangUp()
		s.wg.Wait()
		s.log.Close()
	})
	return s
}

func (s *standin) addr() string { return s.l.Addr().String() }

func (s *standin) accept() {
	for {
		c, err := s.l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.open[c] = true
		s.mu.Unlock()
		s.wg.Go(func() { s.serve(c) })
	}
}

func (s *standin) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		c.Close()
	}
}

func (s *standin) serve(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		delete(s.open, c)
		s.mu.Unlock()
	}()
	r := bufio.NewReader(c)
	for {
		q, err := read(r)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.n++
		q.n = s.n
		s.mu.Unlock()
		q.c = c
		s.do(s, q)
	}
}

func read(r *bufio.Reader) (q question, err error) {
	q.r = r
	line, err := r.ReadString('\n')
	if err != nil {
		return q, err
	}
	q.method, line, _ = strings.Cut(strings.TrimSpace(line), " ")
	q.target, _, _ = strings.Cut(line, " ")
	length, chunked := 0, false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return q, err
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "":
			q.body, err = body(r, length, chunked)
			return q, err
		case "Content-Length":
			length, _ = strconv.Atoi(value)
		case "Transfer-Encoding":
			chunked = true
		case "Connection":
			q.closes = value == "close"
		}
	}
}

func body(r *bufio.Reader, length int, chunked bool) (string, error) {
	if !chunked {
		b := make([]byte, length)
		_, err := io.ReadFull(r, b)
		return string(b), err
	}
	var all string
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		size, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
		if err != nil {
			return "", err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(r, b); err != nil || size == 0 {
			return all, err
		}
		all += string(b[:size])
	}
}

// content is the right answer's body.
func (q question) content() string {
	switch path, _, _ := strings.Cut(q.target, "?"); {
	case strings.HasPrefix(path, "/n/"):
		return strings.TrimPrefix(path, "/n/") + "\n"
	case path == "/echo":
		return q.body
	default:
		return ledger.File()
	}
}

// write adds a line to the access log.
func (s *standin) write(q question) {
	fmt.Fprintf(s.log, `{"time":"x","method":%q,"path":%q,"status":200,"worker":0}`+"\n", q.method, q.target)
}

// text is the right answer; chunked now and then.
func (q question) text(closes bool) string {
	fields := ""
	if closes {
		fields = "Connection: close\r\n"
	}
	body := q.content()
	if q.n%3 == 0 && q.method != "HEAD" && len(body) > 1 {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n1\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", fields, body[:1], len(body)-1, body[1:])
	}
	text := fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n", fields, len(body))
	if q.method != "HEAD" {
		text += body
	}
	return text
}

// honest answers as it should be.
func honest(s *standin, q question) {
	s.write(q)
	io.WriteString(q.c, q.text(q.closes))
	if q.closes {
		q.linger()
	}
}

// linger ends a connection so that its client can read all of it.
func (q question) linger() {
	q.c.(*net.TCPConn).CloseWrite()
	io.Copy(io.Discard, q.r)
	q.c.Close()
}

// reset ends a connection by RST.
func (q question) reset() {
	q.c.(*net.TCPConn).SetLinger(0)
	q.c.Close()
}

// each misbehaves at every nth request and is honest otherwise.
func each(n int, do func(s *standin, q question)) func(s *standin, q question) {
	return func(s *standin, q question) {
		if q.n%n == 0 {
			do(s, q)
			return
		}
		honest(s, q)
	}
}

// account lets a ledger ask until there are so many answers or faults, and
// returns its account.
func (s *standin) account(o ledger.Options, answers int64) ledger.Report {
	s.t.Helper()
	o.Addr = s.addr()
	if o.Idle == 0 {
		o.Idle = 10 * time.Second
	}
	l := ledger.Start(o)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for l.Answered() < answers && l.Troubles() < 3 {
		<-tick.C
	}
	l.Stop()
	rep, err := l.Account(s.log.Name())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("\n%v", rep)
	return rep
}
