package http1_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"srvctl/proto/http1"
)

// fuzzLimits are small, so that short inputs reach them.
var fuzzLimits = http1.Limits{RequestLine: 200, HeaderBytes: 600, HeaderCount: 8}

// FuzzHead looks for a head that is accepted here, but refused or read in
// another way by net/http, and for one whose answer depends on how it arrived.
func FuzzHead(f *testing.F) {
	_, all := goldens(f)
	for _, g := range all {
		f.Add(append(g.input(f), "5\r\nhello\r\n0\r\n\r\n"...))
	}
	for _, c := range refusals {
		in, _ := cutMark(f, c.in)
		f.Add(in)
	}
	for _, c := range hosts {
		f.Add([]byte("GET http://" + c.host + " HTTP/1.1\r\nHost: " + c.host + "\r\n\r\n"))
	}
	f.Add([]byte(browser))
	fence := newFence(f, 64<<10)
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 32<<10 {
			t.Skip("larger than the fence is meant for")
		}
		for _, lim := range []http1.Limits{usual, fuzzLimits} {
			want := parseWhole(t, fence, in, lim)
			if len(in) < 1000 {
				checkSplits(t, fence, in, lim, want)
			}
		}
		var h http1.Head
		if n, _ := h.Parse(in, &usual); n > 0 {
			checkAgainstNetHTTP(t, in, &h, n)
		}
	})
}

// checkAgainstNetHTTP demands that net/http reads the head and the body of an
// accepted request as we do. What it may refuse is in excused.
func checkAgainstNetHTTP(t *testing.T, in []byte, h *http1.Head, n int) {
	t.Helper()
	src := bytes.NewReader(in[h.MethodName.Off:]) // ReadRequest skips no empty line
	r := bufio.NewReaderSize(src, 64<<10)
	req, err := http.ReadRequest(r)
	if err != nil {
		if !excused(in, h) {
			t.Fatalf("Parse accepts %q, net/http says %v", in, err)
		}
		return
	}
	if got := len(in) - src.Len() - r.Buffered(); got != n {
		t.Errorf("Parse(%q) takes %d bytes, net/http %d", in, n, got)
	}
	if got, want := string(h.MethodName.Of(in)), req.Method; got != want {
		t.Errorf("Parse(%q): method %q, net/http says %q", in, got, want)
	}
	if got, want := string(h.Target.Of(in)), req.RequestURI; got != want {
		t.Errorf("Parse(%q): target %q, net/http says %q", in, got, want)
	}
	if got, want := string(h.Host.Of(in)), req.Host; got != want {
		t.Errorf("Parse(%q): host %q, net/http says %q", in, got, want)
	}
	if got, want := string(h.Query.Of(in)), req.URL.RawQuery; got != want {
		t.Errorf("Parse(%q): query %q, net/http says %q", in, got, want)
	}
	if got, err := url.PathUnescape(string(h.Path.Of(in))); err != nil || got != req.URL.Path {
		// The absolute form without a path: ours is "/", which RFC 9112
		// section 3.2.1 makes of it.
		if req.URL.Path != "" || got != "/" {
			t.Errorf("Parse(%q): path %q, net/http says %q", in, got, req.URL.Path)
		}
	}
	if got, want := int(h.Minor), req.ProtoMinor; got != want {
		t.Errorf("Parse(%q): HTTP/1.%d, net/http says %d", in, got, want)
	}
	if got, want := h.Persistent(), !req.Close; got != want {
		t.Errorf("Parse(%q): persistent %v, net/http says %v", in, got, want)
	}
	checkFields(t, in, h, req)
	checkFraming(t, in, h, n, req, func() int { return len(in) - src.Len() - r.Buffered() })
}

// excused reports whether net/http may refuse a head that we accept: it
// decodes the path while it reads the head, which NormalizePath does later;
// and it reads the Trailer field, which only announces names here.
func excused(in []byte, h *http1.Head) bool {
	if _, err := url.PathUnescape(string(h.Path.Of(in))); err != nil {
		return true
	}
	_, trailer := h.Lookup(in, "trailer")
	return trailer && h.Chunked
}

// checkFields compares all values of all names. net/http moves Host,
// Transfer-Encoding and Trailer out of the header, and adds Cache-Control to
// a Pragma: no-cache.
func checkFields(t *testing.T, in []byte, h *http1.Head, req *http.Request) {
	t.Helper()
	got := make(http.Header)
	for _, f := range h.Fields {
		key := textproto.CanonicalMIMEHeaderKey(string(f.Name.Of(in)))
		got[key] = append(got[key], string(f.Value.Of(in)))
	}
	skip := map[string]bool{"Host": true, "Transfer-Encoding": true, "Trailer": true, "Cache-Control": got["Pragma"] != nil}
	for key := range req.Header {
		if !skip[key] && got[key] == nil {
			t.Errorf("Parse(%q): net/http has a field %q: %q", in, key, req.Header[key])
		}
	}
	for key, values := range got {
		if !skip[key] && strings.Join(values, "\n") != strings.Join(req.Header[key], "\n") {
			t.Errorf("Parse(%q): field %q is %q, net/http says %q", in, key, values, req.Header[key])
		}
	}
}

// checkFraming compares the length and coding of the body, and the body.
func checkFraming(t *testing.T, in []byte, h *http1.Head, n int, req *http.Request, used func() int) {
	t.Helper()
	chunked := len(req.TransferEncoding) == 1 && req.TransferEncoding[0] == "chunked"
	if h.Chunked != chunked {
		t.Fatalf("Parse(%q): chunked %v, net/http says %q", in, h.Chunked, req.TransferEncoding)
	}
	if !chunked {
		if h.ContentLength != req.ContentLength {
			t.Errorf("Parse(%q): length %d, net/http says %d", in, h.ContentLength, req.ContentLength)
		}
		return
	}
	compareChunked(t, in[n:], req, func() int { return used() - n })
}

// FuzzChunked looks for a chunked body that is accepted here, but refused or
// read in another way by net/http, and for one whose answer depends on how it
// arrived.
func FuzzChunked(f *testing.F) {
	for _, c := range chunkedBodies {
		f.Add([]byte(c.in))
	}
	for _, c := range chunkRefusals {
		in, _ := cutMark(f, c.in)
		f.Add(in)
	}
	fence := newFence(f, 64<<10)
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 32<<10 {
			t.Skip("larger than the fence is meant for")
		}
		if len(in) < 1000 {
			checkChunkSplits(t, fence, in, decode(t, fence, in))
		}
		const head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		src := bytes.NewReader(append([]byte(head), in...))
		r := bufio.NewReaderSize(src, 64<<10)
		req, err := http.ReadRequest(r)
		if err != nil {
			t.Fatal(err)
		}
		compareChunked(t, in, req, func() int { return len(in) - src.Len() - r.Buffered() })
	})
}

// compareChunked demands that net/http reads the chunked body in as we do,
// when we accept it.
func compareChunked(t *testing.T, in []byte, req *http.Request, used func() int) {
	t.Helper()
	d := http1.Chunked{KeepTrailers: true}
	var data []byte
	p := in
	for done := false; !done; {
		run, n, ok, r := d.Decode(p)
		data = append(data, run...)
		p = p[n:]
		if done = ok; r != http1.OK || !done && len(p) == 0 {
			return // refused or incomplete: net/http may be more lenient
		}
	}
	want, err := io.ReadAll(req.Body)
	if err != nil {
		t.Fatalf("Decode accepts %q, net/http says %v", in, err)
	}
	if !bytes.Equal(data, want) {
		t.Errorf("Decode(%q) = %q, net/http says %q", in, data, want)
	}
	if got := len(in) - len(p); got != used() {
		t.Errorf("Decode(%q) takes %d bytes, net/http %d", in, got, used())
	}
	header, err := textproto.NewReader(bufio.NewReader(strings.NewReader(string(d.Trailers) + "\r\n"))).ReadMIMEHeader()
	if err != nil {
		t.Fatalf("Decode(%q): trailers %q: %v", in, d.Trailers, err)
	}
	for key, values := range header {
		if strings.Join(values, "\n") != strings.Join(req.Trailer[key], "\n") {
			t.Errorf("Decode(%q): trailer %q is %q, net/http says %q", in, key, values, req.Trailer[key])
		}
	}
	for key, values := range req.Trailer {
		if len(values) != len(header[key]) {
			t.Errorf("Decode(%q): net/http has a trailer %q: %q", in, key, values)
		}
	}
}

// FuzzNormalizePath compares with the rules written down naively.
func FuzzNormalizePath(f *testing.F) {
	for _, c := range pathCases {
		f.Add(c.raw)
	}
	fence := newFence(f, 64<<10)
	f.Fuzz(func(t *testing.T, raw string) {
		if len(raw) > 32<<10 {
			t.Skip("larger than the fence is meant for")
		}
		want, reason := naivePath(raw)
		got, r := http1.NormalizePath(nil, fence.place([]byte(raw)))
		if (r == http1.OK) != (reason == http1.OK) || string(got) != want {
			t.Fatalf("NormalizePath(%q) = %q, %v, want %q, %v", raw, got, r, want, reason)
		}
		checkPath(t, fence, raw, want, r) // which of two reasons comes first is not compared
		if r != http1.OK || raw == "*" {
			return
		}
		for _, seg := range strings.Split(want, "/") {
			if seg == "." || seg == ".." {
				t.Errorf("NormalizePath(%q) = %q has a dot segment", raw, got)
			}
		}
		if strings.Contains(want, "//") || want[0] != '/' {
			t.Errorf("NormalizePath(%q) = %q", raw, got)
		}
		// Clean stays clean, but for what must not be decoded twice.
		if !strings.ContainsAny(want, `%`) {
			checkPath(t, fence, want, want, http1.OK)
		}
	})
}

// naivePath is NormalizePath in the plainest terms.
func naivePath(raw string) (string, http1.Reason) {
	if raw == "*" {
		return raw, http1.OK
	}
	if !strings.HasPrefix(raw, "/") {
		return "", http1.PathNotAbsolute
	}
	if strings.Contains(raw, `\`) {
		return "", http1.PathBackslash
	}
	for _, esc := range []string{"%2f", "%2F", "%5c", "%5C"} {
		if strings.Contains(raw, esc) {
			return "", http1.PathEncodedSlash
		}
	}
	if strings.Contains(raw, "%00") {
		return "", http1.PathNUL
	}
	path, err := url.PathUnescape(raw)
	if err != nil {
		return "", http1.PathBadEscape
	}
	var keep []string
	segs := strings.Split(path[1:], "/")
	for i, seg := range segs {
		switch seg {
		case "", ".":
		case "..":
			if len(keep) == 0 {
				return "", http1.PathAboveRoot
			}
			keep = keep[:len(keep)-1]
		default:
			keep = append(keep, seg)
			continue
		}
		if i == len(segs)-1 {
			keep = append(keep, "") // what ends in a directory ends in a slash
		}
	}
	return "/" + strings.Join(keep, "/"), http1.OK
}
