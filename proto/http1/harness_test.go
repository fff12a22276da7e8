package http1_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"srvctl/proto/http1"
)

// usual are the limits of the default configuration.
var usual = http1.Limits{RequestLine: 8 << 10, HeaderBytes: 32 << 10, HeaderCount: 100}

// fence is memory that ends where no memory is: whoever reads beyond an input
// placed at its end, be it one byte of an eight byte load, faults.
type fence []byte

// newFence returns room for size bytes in front of an unreadable page.
func newFence(t testing.TB, size int) fence {
	t.Helper()
	page := os.Getpagesize()
	room := (size + page - 1) / page * page
	mem, err := syscall.Mmap(-1, 0, room+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatalf("mmap: %v", err)
	}
	if err := syscall.Mprotect(mem[room:], syscall.PROT_NONE); err != nil {
		t.Fatalf("mprotect: %v", err)
	}
	t.Cleanup(func() { syscall.Munmap(mem) })
	return mem[:room:room]
}

// place returns a copy of b whose last byte is the last one that may be read.
func (f fence) place(b []byte) []byte {
	at := f[len(f)-len(b):]
	copy(at, b)
	return at
}

// result is all that a caller can see of a parsed or refused head.
type result struct {
	n      int
	reason http1.Reason
	text   string // of the offset, or of the head
}

func (r result) String() string { return fmt.Sprintf("%d %v %s", r.n, r.reason, r.text) }

// resultOf describes the head that Parse answered n and r for.
func resultOf(h *http1.Head, buf []byte, n int, r http1.Reason) result {
	switch {
	case r != http1.OK:
		return result{n, r, fmt.Sprintf("offset %d", h.Offset)}
	case n == 0:
		return result{n, r, "incomplete"}
	}
	return result{n, r, describe(h, buf)}
}

// describe writes out a head, a line for each thing it holds, with offsets.
func describe(h *http1.Head, buf []byte) string {
	var b strings.Builder
	part := func(name string, s http1.Span) {
		fmt.Fprintf(&b, "%5d %-7s %q\n", s.Off, name, s.Of(buf))
	}
	part("method", h.MethodName)
	part("target", h.Target)
	part("path", h.Path)
	if h.Query.Off != 0 {
		part("query", h.Query)
	}
	part("host", h.Host)
	for _, f := range h.Fields {
		fmt.Fprintf(&b, "%5d field   %q\n%5d value   %q\n", f.Name.Off, f.Name.Of(buf), f.Value.Off, f.Value.Of(buf))
	}
	fmt.Fprintf(&b, "      %s HTTP/1.%d, %s form", methodLabel(h.Method), h.Minor,
		[]string{"origin", "absolute", "asterisk", "authority"}[h.Form])
	switch {
	case h.Chunked:
		b.WriteString(", chunked body")
	case h.HasLength:
		fmt.Fprintf(&b, ", body of %d", h.ContentLength)
	default:
		b.WriteString(", no body")
	}
	for _, flag := range []struct {
		set  bool
		name string
	}{
		{h.Close, "close"},
		{h.KeepAlive, "keep-alive"},
		{h.Upgrade, "upgrade"},
		{h.ExpectContinue, "expects 100"},
		{h.Persistent(), "persistent"},
	} {
		if flag.set {
			b.WriteString(", " + flag.name)
		}
	}
	b.WriteString("\n")
	return b.String()
}

func methodLabel(m http1.Method) string {
	if m == http1.MethodOther {
		return "(other)"
	}
	return m.String()
}

// warm returns a Head that has room for more fields than any limit here: lines
// that are there in whole are then read by the fast path, the first one too.
func warm() http1.Head { return http1.Head{Fields: make([]http1.Field, 0, 128)} }

// parseWhole parses in as one piece, at the end of the fence, with a new Head
// and with a warm one, and demands the same answer of both.
func parseWhole(t testing.TB, f fence, in []byte, lim http1.Limits) result {
	t.Helper()
	buf := f.place(in)
	var cold http1.Head
	n, r := cold.Parse(buf, &lim)
	want := resultOf(&cold, buf, n, r)
	h := warm()
	n, r = h.Parse(buf, &lim)
	if got := resultOf(&h, buf, n, r); got != want {
		t.Fatalf("Parse(%q) with a used Head = %v, with a new one %v", in, got, want)
	}
	return want
}

// checkSplits parses in cut in two at every offset, then byte by byte, each
// piece at the end of the fence, and demands the answer want each time.
func checkSplits(t testing.TB, f fence, in []byte, lim http1.Limits, want result) {
	t.Helper()
	h := warm()
	for cut := range len(in) + 1 {
		h.Reset()
		buf := f.place(in[:cut])
		n, r := h.Parse(buf, &lim)
		if n == 0 && r == http1.OK {
			buf = f.place(in)
			n, r = h.Parse(buf, &lim)
		}
		if got := resultOf(&h, buf, n, r); got != want {
			t.Fatalf("Parse(%q) cut at %d = %v, want %v", in, cut, got, want)
		}
	}
	h.Reset()
	for end := range len(in) + 1 {
		buf := f.place(in[:end])
		n, r := h.Parse(buf, &lim)
		if n == 0 && r == http1.OK && end < len(in) {
			continue
		}
		if got := resultOf(&h, buf, n, r); got != want {
			t.Fatalf("Parse(%q) byte by byte = %v at %d, want %v", in, got, end, want)
		}
		// The answer stays, however much more arrives.
		if n != 0 || r != http1.OK {
			buf = f.place(in)
			n, r = h.Parse(buf, &lim)
			if got := resultOf(&h, buf, n, r); got != want {
				t.Fatalf("Parse(%q) again = %v, want %v", in, got, want)
			}
			return
		}
	}
}
