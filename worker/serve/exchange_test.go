package serve_test

import (
	"bytes"
	"strings"
	"testing"

	"srvctl/proto/http1"
	"srvctl/worker/serve"
	"srvctl/worker/serve/servetest"
)

// begin readies x for a request with that target, and returns its buffer.
func begin(t *testing.T, x *serve.Exchange, target string) []byte {
	t.Helper()
	servetest.Parse(x, &servetest.Carrier{}, "GET "+target+" HTTP/1.1\nHost: h\nCookie: a=b\n\n")
	return x.Req.Buf
}

// What the handler sees survives the carrier's buffer.
func TestKeep(t *testing.T) {
	for _, target := range []string{"/plain/path?q", "/de%63oded", "//merged/./x", "/"} {
		x := &serve.Exchange{}
		for range 2 { // also with the memory of the first use
			buf := begin(t, x, target)
			if r := x.ResolvePath(); r != http1.OK {
				t.Fatalf("%s: %v", target, r)
			}
			path := string(x.Req.Path)
			x.Keep(len(buf))
			x.Keep(len(buf)) // again does nothing
			copy(buf, bytes.Repeat([]byte("~"), len(buf)))
			cookie, _ := x.Req.Header("cookie")
			if string(x.Req.Path) != path || string(cookie) != "a=b" || string(x.Req.HostBytes()) != "h" {
				t.Errorf("%s: path %q, cookie %q, host %q after the buffer was used again; want %q, a=b, h",
					target, x.Req.Path, cookie, x.Req.HostBytes(), path)
			}
			x.End()
		}
	}
}

func TestResolvePathRefuses(t *testing.T) {
	x := &serve.Exchange{}
	begin(t, x, "/a/../../etc")
	if r := x.ResolvePath(); r != http1.PathAboveRoot {
		t.Errorf("ResolvePath() = %v, want %v", r, http1.PathAboveRoot)
	}
}

// One request with a lot to remember does not make the exchange large for ever.
func TestLargeMemoryIsNotKept(t *testing.T) {
	x := &serve.Exchange{}
	begin(t, x, "/")
	x.Scratch = append(x.Scratch, make([]byte, 1<<20)...)
	x.End()
	begin(t, x, "/")
	if cap(x.Scratch) != 0 {
		t.Errorf("Scratch keeps %d bytes", cap(x.Scratch))
	}
	x.Scratch = append(x.Scratch, make([]byte, 1000)...)
	x.End()
	begin(t, x, "/")
	if len(x.Scratch) != 0 || cap(x.Scratch) < 1000 {
		t.Errorf("Scratch has %d bytes and room for %d; want it empty and kept", len(x.Scratch), cap(x.Scratch))
	}
}

// closer counts what is let go of.
type closer struct{ n int }

func (c *closer) Read(*serve.Exchange, []byte) (int, error) { return 0, nil }
func (c *closer) Close()                                    { c.n++ }
func (c *closer) FD() int                                   { return -1 }
func (c *closer) Resident(off, n int64) bool                { return true }
func (c *closer) Intact() bool                              { return true }
func (c *closer) Load(off, n int64)                         {}
func (c *closer) Release()                                  { c.n++ }

// Whatever an answer holds is let go of once: when the exchange ends, when the
// carrier overrides it, or at once when it comes too late.
func TestAnswersAreLetGoOf(t *testing.T) {
	late := func(x *serve.Exchange) { x.Bytes(nil) }
	for _, test := range []struct {
		name   string
		before func(x *serve.Exchange)
		after  func(x *serve.Exchange)
	}{
		{"ended", nil, func(x *serve.Exchange) { x.End(); x.End() }},
		{"overridden", nil, func(x *serve.Exchange) { x.Override(413); x.End() }},
		{"second answer", late, func(x *serve.Exchange) {}},
		{"client gone", func(x *serve.Exchange) { x.Abandon() }, func(x *serve.Exchange) { x.End() }},
	} {
		for name, answer := range map[string]func(x *serve.Exchange, c *closer){
			"file":   func(x *serve.Exchange, c *closer) { x.SendFile(c, 0, 10) },
			"source": func(x *serve.Exchange, c *closer) { x.Stream(c, -1) },
		} {
			x, c := &serve.Exchange{}, &closer{}
			begin(t, x, "/")
			if test.before != nil {
				test.before(x)
			}
			answer(x, c)
			test.after(x)
			if c.n != 1 {
				t.Errorf("%s, %s: let go of %d times, want once", name, test.name, c.n)
			}
		}
	}
}

func TestOverride(t *testing.T) {
	x := &serve.Exchange{}
	begin(t, x, "/")
	x.AddField("X-Secret", "of the answer that is dropped")
	x.Bytes([]byte("body"))
	x.Override(413)
	if x.Res.Status != 413 || !x.Res.Close || len(x.Res.Fields) != 0 || x.Res.Body != nil {
		t.Errorf("Override(413) left %+v", x.Res)
	}
}

func TestOffloadRefused(t *testing.T) {
	c := &servetest.Carrier{Full: true}
	r := c.Start(serve.HandlerFunc(func(x *serve.Exchange) {
		if x.Offload(func() { t.Error("refused work ran") }, func(*serve.Exchange) { t.Error("refused work came back") }) {
			t.Error("Offload took work that the pool refused")
		}
		if x.Pending() {
			t.Error("something is outstanding")
		}
		x.Busy()
	}), "GET / HTTP/1.1\nHost: h")
	c.Turn()
	if res := r.Response(); res.Status != 503 || res.Field("Retry-After") == "" {
		t.Errorf("answered %+v, want 503 with Retry-After", res)
	}
}

const day = "Thu, 01 Jan 1970 00:00:00 GMT"

func TestReady(t *testing.T) {
	const date = "Sun, 22 Nov 2026 12:00:00 GMT"
	plain := serve.NewReady(200, []byte("X: y\r\n"), []byte("hello"))
	top := "HTTP/1.1 200 OK\r\nServer: srvctl\r\nDate: " + date + "\r\nX: y\r\nContent-Length: 5\r\n"
	for _, test := range []struct {
		name          string
		r             *serve.Ready
		option, extra string
		head          bool
		want          string
	}{
		{"plain", plain, "", "", false, top + "\r\nhello"},
		{"HEAD", plain, "", "", true, top + "\r\n"},
		{"option", plain, "Connection: close\r\n", "", false, top + "Connection: close\r\n\r\nhello"},
		{"field", plain, "", "A: b\r\n", false, top + "A: b\r\n\r\nhello"},
		{"both, HEAD", plain, "Connection: close\r\n", "A: b\r\n", true, top + "A: b\r\nConnection: close\r\n\r\n"},
		{"no body", serve.NewReady(200, nil, nil), "", "", false, strings.Replace(strings.Replace(top, "X: y\r\n", "", 1), ": 5", ": 0", 1) + "\r\n"},
		{"304", serve.NewReady(304, nil, []byte("x")), "", "", false, "HTTP/1.1 304 Not Modified\r\nServer: srvctl\r\nDate: " + date + "\r\n\r\n"},
	} {
		out, rest := test.r.Append([]byte("before"), []byte(date), []byte(test.option), []byte(test.extra), test.head)
		if got := string(out) + string(rest); got != "before"+test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	if strings.Contains(top, day) || !bytes.Equal(plain.Body(), []byte("hello")) {
		t.Error("the shared response was changed")
	}
}

// A large body is not copied.
func TestReadyWithALargeBody(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 8<<10+1)
	r := serve.NewReady(200, nil, body)
	out, rest := r.Append(nil, []byte(day), nil, nil, false)
	if len(rest) != len(body) || &rest[0] != &r.Body()[0] || !bytes.HasSuffix(out, []byte("\r\n\r\n")) {
		t.Errorf("%d bytes copied, %d given as they are; want the head, and the body", len(out), len(rest))
	}
	body[0] = 'y'
	if rest[0] != 'x' {
		t.Error("the caller's body is used: it was to be copied")
	}
	if _, rest = r.Append(nil, []byte(day), nil, nil, true); rest != nil {
		t.Error("a body for HEAD")
	}
}

func TestReadyDoesNotAllocate(t *testing.T) {
	r := serve.NewReady(200, []byte("X: y\r\n"), []byte("hello"))
	dst, date := make([]byte, 0, 1024), []byte(day)
	if n := testing.AllocsPerRun(100, func() { dst, _ = r.Append(dst[:0], date, nil, nil, false) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// To go on would mean to answer another client.
func TestResumedTwice(t *testing.T) {
	c := &servetest.Carrier{}
	var r serve.Resumer
	c.Start(serve.HandlerFunc(func(x *serve.Exchange) { r = x.Suspend() }), "GET / HTTP/1.1\nHost: h")
	r.Resume(func(x *serve.Exchange) { x.Error(404) })
	r.Resume(func(x *serve.Exchange) { x.Error(404) })
	defer func() {
		if recover() == nil {
			t.Error("the second resumption was taken")
		}
	}()
	c.Turn()
}
