package site

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"srvctl/tests/harness"
	"srvctl/tests/harness/proc"
)

const slow = `
workers: 1
listeners: {http: {address: "@http@"}}
limits: {body_bytes: 1GiB}
sites:
  - routes:
      - {match: /hello, respond: {body: "hello\n"}}
      - {match: /echo, echo: {what: body}}
      - {match: "/*", files: {root: .}}
`

const (
	slowSize = 64 << 20
	// slowMemory is what a worker may take for all that is below, beyond what
	// it had: some buffers, and what the Go runtime keeps of them.
	slowMemory = 8 << 20
	// slowReads is how often the slow client reads: as often others ask.
	slowReads = 100
)

// A reader that takes its time over a large file costs no memory, and nobody
// else any time.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	file := letters('s', slowSize)
	s := harness.Start(t, harness.Options{Config: slow, Files: map[string]string{"large": file}})
	others := newOthers(t, s)
	c := connect(t, "tcp", s.Addr("http"))
	must(t, c.send(get("/large")))
	h := sha256.New()
	body, length, err := c.begin()
	must(t, err)
	for err == nil {
		_, err = io.CopyN(h, body, slowSize/slowReads)
		others.ask()
	}
	if err != io.EOF || length != slowSize || [sha256.Size]byte(h.Sum(nil)) != sha256.Sum256([]byte(file)) {
		t.Errorf("the download of %d bytes ends with %v, or is not the file", length, err)
	}
	others.check()
}

// Nor does a client that sends a large body faster than it reads it back.
func TestSlowEcho(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Config: slow})
	others := newOthers(t, s)
	c := connect(t, "tcp", s.Addr("http"))
	sent := sha256.New()
	wrote := make(chan error, 1)
	go func() { wrote <- c.upload(io.TeeReader(io.LimitReader(&pattern{}, slowSize), sent)) }()
	h := sha256.New()
	body, _, err := c.begin()
	must(t, err)
	for err == nil {
		_, err = io.CopyN(h, body, slowSize/slowReads)
		others.ask()
	}
	if err := errors.Join(<-wrote, noEOF(err)); err != nil || !slices.Equal(sent.Sum(nil), h.Sum(nil)) {
		t.Errorf("the echo ends with %v, or is not what was sent", err)
	}
	others.check()
}

func noEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// begin reads the head of a response and leaves its body to the caller.
func (c *client) begin() (body io.Reader, length int64, err error) {
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return nil, 0, err
	}
	if resp.StatusCode != 200 {
		return nil, 0, errors.New(resp.Status)
	}
	return resp.Body, resp.ContentLength, nil
}

// upload sends a body in chunks.
func (c *client) upload(body io.Reader) error {
	err := c.send("POST /echo HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n")
	buf := make([]byte, 100_000)
	for err == nil {
		var n int
		n, err = io.ReadFull(body, buf)
		if n > 0 {
			if _, werr := fmt.Fprintf(c, "%x\r\n%s\r\n", n, buf[:n]); werr != nil {
				return werr
			}
		}
	}
	return c.send("0\r\n\r\n")
}

// pattern is bytes without an end that do not repeat soon.
type pattern struct{ state uint32 }

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		p.state = p.state*1664525 + 1013904223
		b[i] = byte(p.state >> 24)
	}
	return len(b), nil
}

// others is a client that wants quick answers meanwhile, and looks at the
// worker's memory.
type others struct {
	t      *testing.T
	c      *client
	worker int
	before int64
	most   int64
	took   []time.Duration
}

func newOthers(t *testing.T, s *harness.Server) *others {
	t.Helper()
	o := &others{t: t, c: connect(t, "tcp", s.Addr("http")), worker: s.Workers()[0].PID}
	must(t, o.c.want("/hello", 200, "hello\n"))
	o.before = o.memory()
	return o
}

func (o *others) memory() int64 {
	m, err := proc.ReadMemory(o.worker)
	must(o.t, err)
	return m.Resident()
}

func (o *others) ask() {
	began := time.Now()
	must(o.t, o.c.want("/hello", 200, "hello\n"))
	o.took = append(o.took, time.Since(began))
	o.most = max(o.most, o.memory())
}

// check wants that the answers came at once, most of them: the machine may be
// busy for a moment.
func (o *others) check() {
	slices.Sort(o.took)
	p90 := o.took[len(o.took)*9/10]
	grown := o.most - o.before
	o.t.Logf("others: %d answers, 90 %% within %v, the slowest after %v; the worker had %d KiB and took at most %d KiB more",
		len(o.took), p90, o.took[len(o.took)-1], o.before>>10, grown>>10)
	if limit := stretch(50 * time.Millisecond); p90 > limit {
		o.t.Errorf("a tenth of the others waits for more than %v, want %v", p90, limit)
	}
	limit := int64(slowMemory)
	if racing {
		limit *= 4
	}
	if grown > limit {
		o.t.Errorf("the worker takes %d KiB more, want at most %d", grown>>10, limit>>10)
	}
}

// Nor does a client that asks again and again and does not read: its requests
// wait in the kernel until it does.
func TestRequestsWithoutReading(t *testing.T) {
	t.Parallel()
	large := letters('p', 200_000)
	s := harness.Start(t, harness.Options{Config: slow, Files: map[string]string{"large": large}})
	others := newOthers(t, s)
	c := connect(t, "tcp", s.Addr("http"))
	const requests = 300 // 60 MB of answers
	for range requests {
		must(t, c.send(get("/large")+get("/hello")))
	}
	for range slowReads {
		others.ask()
	}
	for i := range requests {
		a, err := c.receive()
		if err == nil && a.body == large {
			a, err = c.receive()
		}
		if err != nil || a.code != 200 || a.body != "hello\n" {
			t.Fatalf("answers to the requests %d: %d, %d bytes, %v", i, a.code, len(a.body), err)
		}
		if i%10 == 0 {
			others.ask()
		}
	}
	others.check()
}
