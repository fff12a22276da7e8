package http1_test

import (
	"strings"
	"testing"
	"time"

	"srvctl/proto/http1"
)

// TestNoAllocation asserts what a worker's loop relies on: once the Fields
// array has grown, nothing here allocates.
func TestNoAllocation(t *testing.T) {
	many := []byte(get + host + strings.Repeat("Name: value\r\n", 99) + "\r\n")
	in := []byte(browser)
	refused := []byte(get + host + host)
	chunks := []byte("5\r\nhello\r\n5;ext\r\nworld\r\n0\r\nA: b\r\n\r\n")
	path := []byte("/a/../b%20c//d")
	date := []byte("Sun, 06 Nov 1994 08:49:37 GMT")
	now := time.Unix(1_800_000_000, 0)
	buf := make([]byte, 0, 4096)
	var h http1.Head
	h.Parse(many, &usual)
	d := http1.Chunked{KeepTrailers: true, Trailers: make([]byte, 0, 64)}
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"Parse", func() { h.Reset(); h.Parse(in, &usual) }},
		{"Parse 100 fields", func() { h.Reset(); h.Parse(many, &usual) }},
		{"Parse in pieces", func() {
			h.Reset()
			for end := range in {
				h.Parse(in[:end], &usual)
			}
		}},
		{"Parse refused", func() { h.Reset(); h.Parse(refused, &usual) }},
		{"Lookup", func() { h.Reset(); h.Parse(in, &usual); h.Lookup(in, "cookie") }},
		{"Decode", func() {
			d.Reset()
			for p, done := chunks, false; !done; {
				var n int
				_, n, done, _ = d.Decode(p)
				p = p[n:]
			}
		}},
		{"NormalizePath", func() { http1.NormalizePath(buf, path) }},
		{"ParseDate", func() { http1.ParseDate(date) }},
		{"Append", func() {
			out := http1.AppendStatusLine(buf, 404)
			out = http1.AppendField(out, "Content-Type", "text/html\r\n")
			out = http1.AppendFieldBytes(out, "Content-Type", path)
			out = http1.AppendContentLength(out, 1<<40)
			out = http1.AppendDate(out, now)
			out = http1.AppendChunkHeader(out, 1<<20)
			http1.AppendLastChunk(out, nil)
		}},
	} {
		c.f() // warm up
		if n := testing.AllocsPerRun(100, c.f); n != 0 {
			t.Errorf("%s allocates %v times", c.name, n)
		}
	}
}

// TestFieldsArrayIsBounded: it grows to Limits.HeaderCount, no further, and
// is the same after Reset.
func TestFieldsArrayIsBounded(t *testing.T) {
	lim := http1.Limits{RequestLine: 100, HeaderBytes: 32 << 10, HeaderCount: 37}
	in := []byte(get + host + strings.Repeat("A: b\r\n", 36) + "\r\n")
	var h http1.Head
	if n, r := h.Parse(in, &lim); n != len(in) {
		t.Fatalf("Parse = %d %v", n, r)
	}
	if cap(h.Fields) != 37 {
		t.Errorf("room for %d fields, want 37", cap(h.Fields))
	}
	array := &h.Fields[0]
	h.Reset()
	h.Parse([]byte(minimal), &lim)
	if &h.Fields[0] != array || len(h.Fields) != 1 {
		t.Errorf("the array was not reused: %d fields", len(h.Fields))
	}
}
