package http1_test

import (
	"testing"

	"srvctl/proto/http1"
)

func TestSmoke(t *testing.T) {
	lim := &http1.Limits{RequestLine: 8192, HeaderBytes: 32768, HeaderCount: 100}
	var h http1.Head
	in := []byte("GET /a?b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nA:  b \t\r\n\r\nrest")
	n, r := h.Parse(in, lim)
	t.Log(n, r, h)
	var hh http1.Head
	for i := range in {
		if n, r := hh.Parse(in[:i:i], lim); n != 0 || r != 0 {
			t.Log(i, n, r, hh)
			break
		}
	}
	var d http1.Chunked
	p := []byte("3;x\r\nabc\r\n0\r\nX: y\r\n\r\nZ")
	for done := false; !done; {
		var data []byte
		var k int
		data, k, done, r = d.Decode(p)
		t.Logf("%q %d %v %v", data, k, done, r)
		p = p[k:]
		if r != 0 {
			break
		}
	}
	out, r := http1.NormalizePath(nil, []byte("/a//b/../c%20d/./e/.."))
	t.Logf("%q %v", out, r)
}
