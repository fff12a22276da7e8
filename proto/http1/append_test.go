package http1_test

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"

	"srvctl/proto/http1"
)

func TestAppendStatusLine(t *testing.T) {
	for _, c := range []struct {
		code int
		want string
	}{
		{200, "HTTP/1.1 200 OK\r\n"},
		{404, "HTTP/1.1 404 Not Found\r\n"},
		{100, "HTTP/1.1 100 Continue\r\n"},
		{431, "HTTP/1.1 431 Request Header Fields Too Large\r\n"},
		{599, "HTTP/1.1 599 \r\n"},
		{299, "HTTP/1.1 299 \r\n"},
		{999, "HTTP/1.1 999 \r\n"},
		{0, "HTTP/1.1 500 Internal Server Error\r\n"},
		{99, "HTTP/1.1 500 Internal Server Error\r\n"},
		{1000, "HTTP/1.1 500 Internal Server Error\r\n"},
		{-200, "HTTP/1.1 500 Internal Server Error\r\n"},
	} {
		if got := string(http1.AppendStatusLine([]byte("x"), c.code)); got != "x"+c.want {
			t.Errorf("AppendStatusLine(%d) = %q, want %q", c.code, got, c.want)
		}
	}
}

// TestStatusText knows the phrases that changed since RFC 7231: net/http keeps
// the old ones.
func TestStatusText(t *testing.T) {
	newer := map[int]string{
		413: "Content Too Large",
		414: "URI Too Long",
		416: "Range Not Satisfiable",
		418: "", // reserved, and no joke of ours
		422: "Unprocessable Content",
		510: "", // obsoleted
	}
	for code := -10; code < 1100; code++ {
		want, ok := newer[code]
		if !ok {
			want = http.StatusText(code)
		}
		if got := http1.StatusText(code); got != want {
			t.Errorf("StatusText(%d) = %q, want %q", code, got, want)
		}
	}
}

func TestAppendField(t *testing.T) {
	for _, c := range []struct{ value, want string }{
		{"", "X: \r\n"},
		{"text/html", "X: text/html\r\n"},
		{"a\tb \u00e9 \xff", "X: a\tb \u00e9 \xff\r\n"},
		{"a\r\nSet-Cookie: b", "X: a  Set-Cookie: b\r\n"},
		{"\r\n\r\n<html>", "X:     <html>\r\n"},
		{"\na\x00b\r", "X:  a b \r\n"},
		{"0123456789\r\n0123456789\x7f\x1b\x00", "X: 0123456789  0123456789   \r\n"},
	} {
		if got := string(http1.AppendField(nil, "X", c.value)); got != c.want {
			t.Errorf("AppendField(%q) = %q, want %q", c.value, got, c.want)
		}
		value := []byte(c.value)
		if got := string(http1.AppendFieldBytes([]byte("\r\n"), "X", value)); got != "\r\n"+c.want {
			t.Errorf("AppendFieldBytes(%q) = %q, want %q", c.value, got, c.want)
		}
		if string(value) != c.value {
			t.Errorf("AppendFieldBytes(%q) wrote to its value", c.value)
		}
	}
}

// TestNoByteAddsALine puts every byte at every place of a value of some length.
func TestNoByteAddsALine(t *testing.T) {
	for n := range 20 {
		for at := range n {
			for c := range 256 {
				value := []byte(strings.Repeat("v", n))
				value[at] = byte(c)
				line := http1.AppendFieldBytes(nil, "N", value)
				if bytes.Count(line, []byte("\n")) != 1 || bytes.Count(line, []byte("\r")) != 1 || bytes.IndexByte(line, 0) >= 0 {
					t.Fatalf("AppendFieldBytes(%q) = %q", value, line)
				}
			}
		}
	}
}

func TestAppendLines(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{string(http1.AppendContentLength(nil, 0)), "Content-Length: 0\r\n"},
		{string(http1.AppendContentLength(nil, 1<<63-1)), "Content-Length: 9223372036854775807\r\n"},
		{string(http1.AppendChunkHeader(nil, 1)), "1\r\n"},
		{string(http1.AppendChunkHeader(nil, 0xabc0)), "abc0\r\n"},
		{string(http1.AppendLastChunk(nil, nil)), "0\r\n\r\n"},
		{string(http1.AppendLastChunk(nil, []byte("A: b\r\n"))), "0\r\nA: b\r\n\r\n"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// TestResponseIsRead lets net/http read a response put together here.
func TestResponseIsRead(t *testing.T) {
	out := http1.AppendStatusLine(nil, 206)
	out = http1.AppendField(out, "Content-Type", "text/plain")
	out = http1.AppendFieldBytes(out, "X-Name", []byte("a\r\nb"))
	out = http1.AppendContentLength(out, 3)
	out = append(out, "\r\nabc"...)
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(out)), nil)
	if err != nil {
		t.Fatalf("ReadResponse(%q): %v", out, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 206 || resp.ContentLength != 3 || resp.Header.Get("X-Name") != "a  b" || len(resp.Header) != 3 {
		t.Errorf("ReadResponse(%q) = %+v", out, resp)
	}
}

func BenchmarkAppendHead(b *testing.B) {
	dst := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		out := http1.AppendStatusLine(dst, 200)
		out = http1.AppendField(out, "Server", "srvctl")
		out = http1.AppendField(out, "Content-Type", "text/html; charset=utf-8")
		out = http1.AppendContentLength(out, 12345)
		_ = append(out, "\r\n"...)
	}
}
