package serve_test

import (
	"fmt"
	"strings"
	"testing"

	"srvctl/worker/serve"
	"srvctl/worker/serve/servetest"
)

func TestEchoOfTheHead(t *testing.T) {
	const head = "PUT /a%20b?q HTTP/1.1\nHost: a\nCookie: x=1;  y=\"2 3\"; \nX-Bin: \xff\ncookie: z\n"
	for _, tt := range []struct{ what, want string }{
		{"headers", "Host: a\nCookie: x=1;  y=\"2 3\";\nX-Bin: \xff\ncookie: z\n"},
		{"cookies", "x=1\ny=\"2 3\"\nz\n"},
		{"request", "PUT /a%20b?q HTTP/1.1\r\nHost: a\r\nCookie: x=1;  y=\"2 3\";\r\nX-Bin: \xff\r\ncookie: z\r\n\r\n"},
		{"body", ""},
	} {
		var c servetest.Carrier
		res := c.Do(serve.NewEcho(tt.what), head)
		if res.Status != 200 || res.Body != tt.want || res.Length != int64(len(tt.want)) {
			t.Errorf("echo of %s: got %d %q, want %q", tt.what, res.Status, res.Body, tt.want)
		}
	}
}

// pieces is a body of n bytes, in which no part is like another, in deliveries
// of up to size bytes.
func pieces(n, size int) (whole string, body []string) {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8)*31 ^ byte(i>>16)*17
	}
	whole = string(b)
	for rest := whole; len(rest) > 0; {
		k := min(size, len(rest))
		body = append(body, rest[:k])
		rest = rest[k:]
	}
	return whole, body
}

func TestEchoOfBodies(t *testing.T) {
	for _, n := range []int{0, 1, 4 << 10, 4<<10 + 1, 16 << 10, 100_000, 256 << 10, 256<<10 + 1, 3 << 20} {
		whole, body := pieces(n, 50_000)
		for _, chunked := range []bool{false, true} {
			for _, what := range []string{"body", "request"} {
				head := fmt.Sprintf("POST / HTTP/1.1\nHost: a\nContent-Type: text/html; x=y\nContent-Length: %d\n", n)
				length := int64(n)
				if chunked {
					head = "POST / HTTP/1.1\nHost: a\nContent-Type: text/html; x=y\nTransfer-Encoding: chunked\n"
					if n > 256<<10 {
						length = -1
					}
				}
				want, contentType := whole, "text/html; x=y"
				if what == "request" {
					top := strings.ReplaceAll(head, "\n", "\r\n") + "\r\n"
					want, contentType = top+whole, "text/plain; charset=utf-8"
					if length >= 0 {
						length += int64(len(top))
					}
				}
				var c servetest.Carrier
				res := c.Do(serve.NewEcho(what), head, body...)
				if res.Status != 200 || res.Cut || res.Body != want || res.Length != length || res.Field("Content-Type") != contentType {
					t.Errorf("echo of %s, %d bytes, chunked %v: got %d, %d bytes (announced %d), %s; want %d bytes (announced %d), %s; equal: %v",
						what, n, chunked, res.Status, len(res.Body), res.Length, res.Field("Content-Type"), len(want), length, contentType, res.Body == want)
				}
				if used := serve.EchoMemory(); used != 0 {
					t.Fatalf("%d bytes of the budget are still taken", used)
				}
			}
		}
	}
}

const chunkedPost = "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n"

func TestEchoAnswersWhileTheBodyArrives(t *testing.T) {
	var c servetest.Carrier
	whole, body := pieces(300_000, 64<<10)
	r := c.Start(serve.NewEcho("body"), chunkedPost, append(body[:4:4], servetest.Open)...)
	c.Turn()
	if r.Answered() {
		t.Fatal("answered with 256 KiB held, want it to wait for the end")
	}
	r.Deliver(body[4], servetest.Open)
	if got := r.Response(); got.Body != whole || got.Length != -1 {
		t.Errorf("%d bytes came back (announced %d) before the end, want all %d", len(got.Body), got.Length, len(whole))
	}
	r.Deliver()
	if !r.Done() || r.Response().Cut {
		t.Error("the end of the body did not end the answer")
	}
	r.End()
}

func TestEchoIsReadAsFastAsItsReader(t *testing.T) {
	var c servetest.Carrier
	whole, body := pieces(4<<20, 64<<10)
	r := c.Start(serve.NewEcho("body"), chunkedPost, body...)
	r.Read(0)
	taken := 64 - r.Waiting()
	if taken != 16 {
		t.Errorf("%d deliveries of 64 KiB taken from a client that does not read, want 16", taken)
	}
	for i := 0; !r.Done() && i < 1000; i++ {
		r.Read(20_000)
		if held := serve.EchoMemory(); held > 1<<20+64<<10 {
			t.Fatalf("%d bytes held", held)
		}
	}
	r.End()
	if got := r.Response(); got.Body != whole || got.Cut {
		t.Errorf("%d bytes came back, cut %v; want all %d", len(got.Body), got.Cut, len(whole))
	}
}

func TestEchoOfAClientThatSendsAllFirst(t *testing.T) {
	var c servetest.Carrier
	whole, body := pieces(1<<20, 64<<10)
	r := c.Start(serve.NewEcho("body"), chunkedPost, body...)
	r.Read(0)
	if r.Waiting() != 0 {
		t.Fatalf("%d deliveries of a body of 1 MiB wait for the client to read", r.Waiting())
	}
	r.ReadAll()
	r.End()
	if got := r.Response(); got.Body != whole {
		t.Errorf("%d bytes came back, want all %d", len(got.Body), len(whole))
	}
}

func TestEchoWithoutMemory(t *testing.T) {
	defer serve.SetEchoMemory(192 << 10)()
	var c servetest.Carrier
	whole, body := pieces(1<<20, 64<<10)
	h := serve.NewEcho("body")
	a := c.Start(h, chunkedPost, body...)
	a.Read(0)
	if !a.Answered() || a.Waiting() == 0 {
		t.Errorf("answered %v, %d deliveries wait; want the answer begun and the body paused when memory ends", a.Answered(), a.Waiting())
	}
	if got := c.Do(h, chunkedPost, "x"); got.Status != 503 || got.Field("Retry-After") == "" {
		t.Errorf("without memory for one more: got %d, want 503", got.Status)
	}
	small := "POST / HTTP/1.1\nHost: a\nContent-Length: 1\n"
	if got := c.Do(h, small, "x"); got.Status != 200 || got.Body != "x" {
		t.Errorf("a small body without memory: got %d %q, want it back", got.Status, got.Body)
	}
	a.ReadAll()
	a.End()
	if got := a.Response(); got.Body != whole || got.Cut {
		t.Errorf("%d bytes came back, cut %v; want all %d", len(got.Body), got.Cut, len(whole))
	}
	if used := serve.EchoMemory(); used != 0 {
		t.Errorf("%d bytes of the budget are still taken", used)
	}
}

func TestEchoOfABodyThatFails(t *testing.T) {
	_, body := pieces(600_000, 64<<10)
	for _, n := range []int{1, 9} {
		var c servetest.Carrier
		r := c.Start(serve.NewEcho("body"), chunkedPost, append(body[:n:n], servetest.Open)...)
		c.Turn()
		r.Fail(serve.ErrMalformed)
		begun := n > 4
		if r.Answered() != begun || r.Response().Cut != begun {
			t.Errorf("after %d deliveries: answered %v, cut %v; want %v", n, r.Answered(), r.Response().Cut, begun)
		}
		if !begun && r.Response().Fields != "" {
			t.Errorf("fields %q left for the carrier's answer", r.Response().Fields)
		}
		r.End()
		if used := serve.EchoMemory(); used != 0 {
			t.Errorf("after %d deliveries: %d bytes of the budget are still taken", n, used)
		}
	}
}

func TestEchoOfAClientThatLeaves(t *testing.T) {
	_, body := pieces(600_000, 64<<10)
	for _, n := range []int{1, 9} {
		var c servetest.Carrier
		r := c.Start(serve.NewEcho("body"), chunkedPost, append(body[:n:n], servetest.Open)...)
		r.Read(0)
		r.Leave()
		r.End()
		if used := serve.EchoMemory(); used != 0 {
			t.Errorf("after %d deliveries: %d bytes of the budget are still taken", n, used)
		}
	}
}

func TestEchoOfHEAD(t *testing.T) {
	for head, length := range map[string]int64{
		"HEAD / HTTP/1.1\nHost: a\n":                                0,
		"HEAD / HTTP/1.1\nHost: a\nContent-Length: 9000\n":          9000,
		"HEAD / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n":    -1,
		"HEAD / HTTP/1.1\nHost: a\nContent-Length: 3\nX-Small: y\n": 3,
	} {
		var c servetest.Carrier
		_, body := pieces(int(max(length, 0)), 4096)
		if got := c.Do(serve.NewEcho("body"), head, body...); got.Status != 200 || got.Length != length || got.Body != "" {
			t.Errorf("%q: got %d, announced %d, body %q; want 200, %d", head, got.Status, got.Length, got.Body, length)
		}
	}
}

func TestEchoTypeCannotAddAField(t *testing.T) {
	var c servetest.Carrier
	got := c.Do(serve.NewEcho("body"), "POST / HTTP/1.1\nHost: a\nContent-Type: a\tb\nContent-Length: 1\n", "x")
	if want := "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nContent-Type: a\tb\r\n"; got.Fields != want {
		t.Errorf("fields %q, want %q", got.Fields, want)
	}
}
