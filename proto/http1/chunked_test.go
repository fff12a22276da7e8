package http1_test

import (
	"fmt"
	"strings"
	"testing"

	"srvctl/proto/http1"
)

// body is all that a caller can see of a decoded chunked body.
type body struct {
	data     string
	trailers string
	used     int // bytes of the input; the place of the refused byte
	done     bool
	reason   http1.Reason
}

// decode feeds the pieces, each placed at the end of the fence, until the body
// ends or is refused.
func decode(t testing.TB, f fence, pieces ...[]byte) (b body) {
	t.Helper()
	d := http1.Chunked{KeepTrailers: true}
	for _, p := range pieces {
		p = f.place(p)
		for len(p) > 0 {
			data, n, done, r := d.Decode(p)
			b.data += string(data)
			b.used += n
			b.trailers = string(d.Trailers)
			if b.done, b.reason = done, r; done || r != http1.OK {
				// The answer stays.
				if data, n, again, s := d.Decode(p[n:]); len(data) != 0 || n != 0 || again != done || s != r {
					t.Fatalf("Decode after %v = %q %d %v %v", b, data, n, again, s)
				}
				return b
			}
			if n == 0 {
				t.Fatalf("Decode(%q) makes no progress", p)
			}
			p = p[n:]
		}
	}
	return b
}

// checkChunkSplits decodes in cut in two at every offset, then byte by byte,
// and demands the same answer each time.
func checkChunkSplits(t testing.TB, f fence, in []byte, want body) {
	t.Helper()
	for cut := range len(in) + 1 {
		if got := decode(t, f, in[:cut], in[cut:]); got != want {
			t.Fatalf("Decode(%q) cut at %d = %+v, want %+v", in, cut, got, want)
		}
	}
	pieces := make([][]byte, len(in))
	for i := range in {
		pieces[i] = in[i : i+1]
	}
	if got := decode(t, f, pieces...); got != want {
		t.Fatalf("Decode(%q) byte by byte = %+v, want %+v", in, got, want)
	}
}

var chunkedBodies = []struct {
	name, in       string
	data, trailers string
	rest           string
}{
	{"empty", "0\r\n\r\n", "", "", ""},
	{"one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello", "", ""},
	{"two chunks", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", "", ""},
	{"sizes in hexadecimal of both cases", "a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", "01234567890123456789a", "", ""},
	{"zeros in front", "0005\r\nhello\r\n0000000000000000\r\n\r\n", "hello", "", ""},
	{"data that looks like framing", "7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n\r\n", "", ""},
	{"extensions", "5;a\r\nhello\r\n0;b=c;d=\"e f\";g = h\r\n\r\n", "hello", "", ""},
	{"an extension with a tab and UTF-8", "1;\t\xc3\xbc\r\nx\r\n0\r\n\r\n", "x", "", ""},
	{"a signature as an extension", "5;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\nhello\r\n0\r\n\r\n", "hello", "", ""},
	{"what follows stays", "1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n", "x", "", "GET / HTTP/1.1\r\n"},
	{"trailers", "1\r\nx\r\n0\r\nDigest: abc\r\nX-Y:z\r\n\r\n", "x", "Digest: abc\r\nX-Y:z\r\n", ""},
	{"an empty trailer", "0\r\nA:\r\n\r\n", "", "A:\r\n", ""},
	{"a trailer with a long name", "0\r\n" + strings.Repeat("n", 300) + ": v\r\n\r\n", "", strings.Repeat("n", 300) + ": v\r\n", ""},
	{"a trailer with a long name that ends like a forbidden one", "0\r\n" + strings.Repeat("n", 256) + "host: v\r\n\r\n", "", strings.Repeat("n", 256) + "host: v\r\n", ""},
	{"a trailer whose name begins like a forbidden one", "0\r\nContent-Length-X: 1\r\nHos: t\r\nHost-: h\r\n\r\n", "", "Content-Length-X: 1\r\nHos: t\r\nHost-: h\r\n", ""},
	{"32 trailers", "0\r\n" + strings.Repeat("a:b\r\n", 32) + "\r\n", "", strings.Repeat("a:b\r\n", 32), ""},
	{"trailers at their limit", "0\r\na:" + strings.Repeat("b", 4090) + "\r\n\r\n", "", "a:" + strings.Repeat("b", 4090) + "\r\n", ""},
	{"an extension at its limit", "1;" + strings.Repeat("e", 256) + "\r\nx\r\n0\r\n\r\n", "x", "", ""},
}

func TestChunkedBodies(t *testing.T) {
	f := newFence(t, 8192)
	for _, c := range chunkedBodies {
		t.Run(c.name, func(t *testing.T) {
			want := body{c.data, c.trailers, len(c.in) - len(c.rest), true, http1.OK}
			if got := decode(t, f, []byte(c.in)); got != want {
				t.Fatalf("Decode(%q) = %+v, want %+v", c.in, got, want)
			}
			checkChunkSplits(t, f, []byte(c.in), want)
		})
	}
}

// chunkRefusals are rule 10: chunked bodies that must be refused. The caret
// stands before the byte to be refused.
var chunkRefusals = []struct {
	name, in string
	status   int
	reason   http1.Reason
}{
	{"size empty", "‸\r\nhello\r\n0\r\n\r\n", 400, http1.BadChunkSize},
	{"size with 0x", "0‸x5\r\nhello\r\n0\r\n\r\n", 400, http1.BadChunkSize},
	{"size with plus", "‸+5\r\nhello\r\n0\r\n\r\n", 400, http1.BadChunkSize},
	{"size with minus", "‸-5\r\nhello\r\n0\r\n\r\n", 400, http1.BadChunkSize},
	{"size with an underscore", "1‸_0\r\n", 400, http1.BadChunkSize},
	{"size with a letter", "5‸g\r\n", 400, http1.BadChunkSize},
	{"size with a space in front", "‸ 5\r\nhello\r\n0\r\n\r\n", 400, http1.BadChunkSize},
	{"size with a space behind", "5‸ \r\nhello\r\n0\r\n\r\n", 400, http1.BadChunkSize},
	{"size with a tab behind", "5‸\t\r\nhello\r\n0\r\n\r\n", 400, http1.BadChunkSize},
	{"space before the extension", "5‸ ;a\r\nhello\r\n0\r\n\r\n", 400, http1.BadChunkSize},
	{"extension without size", "‸;a\r\nhello\r\n0\r\n\r\n", 400, http1.BadChunkSize},
	{"size of 17 digits", "0000000000000000‸5\r\nhello\r\n", 400, http1.BadChunkSize},
	{"size of 2^63", "800000000000000‸0\r\n", 413, http1.ChunkTooLarge},
	{"size of 2^64-1", "fffffffffffffff‸f\r\n", 413, http1.ChunkTooLarge},
	{"size ends with LF", "5‸\nhello\r\n0\r\n\r\n", 400, http1.BareLF},
	{"size ends with CR", "5\r‸hello\r\n0\r\n\r\n", 400, http1.BareCR},
	{"size ends with CR CR LF", "5\r‸\r\nhello\r\n0\r\n\r\n", 400, http1.BareCR},
	{"last size ends with LF", "0‸\n\r\n", 400, http1.BareLF},
	{"extension ends with LF", "5;a‸\nhello\r\n0\r\n\r\n", 400, http1.BareLF},
	{"extension with CR", "5;a\r‸b\r\nhello\r\n0\r\n\r\n", 400, http1.BareCR},
	{"extension of the last chunk ends with LF", "0;a‸\nGET / HTTP/1.1\r\n", 400, http1.BareLF},
	{"extension with NUL", "5;a‸\x00b\r\nhello\r\n0\r\n\r\n", 400, http1.BadChunkByte},
	{"extension with DEL", "5;abcdefghijklmnop‸\x7f\r\nhello\r\n0\r\n\r\n", 400, http1.BadChunkByte},
	{"extension beyond its limit", "1;" + strings.Repeat("e", 256) + "‸e\r\nx\r\n0\r\n\r\n", 400, http1.ChunkExtTooLong},
	{"data longer than its size", "5\r\nhello‸!\r\n0\r\n\r\n", 400, http1.BadChunkEnd},
	{"data shorter than its size", "5\r\nhell\r‸\n0\r\n\r\n", 400, http1.BareLF},
	{"data ends with LF", "5\r\nhello‸\n0\r\n\r\n", 400, http1.BareLF},
	{"data ends with CR", "5\r\nhello\r‸0\r\n\r\n", 400, http1.BareCR},
	{"body ends with LF", "0\r\n‸\n", 400, http1.BareLF},
	{"body ends with CR", "0\r\n\r‸X", 400, http1.BareCR},

	{"trailer without colon", "0\r\nabc\r‸\n\r\n", 400, http1.MissingColon},
	{"trailer without name", "0\r\n‸: x\r\n\r\n", 400, http1.EmptyName},
	{"trailer with a space in its name", "0\r\nA‸ : x\r\n\r\n", 400, http1.SpaceInName},
	{"trailer with a bad byte in its name", "0\r\nA‸(: x\r\n\r\n", 400, http1.BadNameByte},
	{"trailer with CR in its name", "0\r\nA\r‸: x\r\n\r\n", 400, http1.BareCR},
	{"trailer with LF in its name", "0\r\nA‸\n: x\r\n\r\n", 400, http1.BareLF},
	{"trailer with NUL in its value", "0\r\nA: ‸\x00\r\n\r\n", 400, http1.BadValueByte},
	{"trailer ends with LF", "0\r\nA: x‸\n\r\n", 400, http1.BareLF},
	{"trailer with CR in its value", "0\r\nA: x\r‸y\r\n\r\n", 400, http1.BareCR},
	{"trailer with leading space", "0\r\n‸ A: x\r\n\r\n", 400, http1.LeadingSpace},
	{"trailer folded", "0\r\nA: x\r\n‸\ty\r\n\r\n", 400, http1.ObsFold},
	{"trailer Content-Length", "0\r\nContent-Length‸: 5\r\n\r\n", 400, http1.ForbiddenTrailer},
	{"trailer Transfer-Encoding", "0\r\nA: b\r\ntransfer-ENCODING‸: chunked\r\n\r\n", 400, http1.ForbiddenTrailer},
	{"trailer Host", "0\r\nHOST‸: h\r\n\r\n", 400, http1.ForbiddenTrailer},
	{"trailer Authorization", "0\r\nAuthorization‸: Basic eDp5\r\n\r\n", 400, http1.ForbiddenTrailer},
	{"trailer Proxy-Authentication-Info", "0\r\nProxy-Authentication-Info‸: x\r\n\r\n", 400, http1.ForbiddenTrailer},
	{"33 trailers", "0\r\n" + strings.Repeat("a:b\r\n", 32) + "‸a:b\r\n\r\n", 431, http1.TooManyTrailers},
	{"trailers beyond their limit", "0\r\na:" + strings.Repeat("b", 4091) + "\r\n\r‸\n", 431, http1.TrailersTooLarge},
}

func TestChunkRefusals(t *testing.T) {
	f := newFence(t, 8192)
	seen := make(map[http1.Reason]bool)
	for _, c := range chunkRefusals {
		seen[c.reason] = true
		t.Run("10 "+c.name, func(t *testing.T) {
			in, off := cutMark(t, c.in)
			got := decode(t, f, in)
			if got.reason != c.reason || got.used != off || got.done {
				t.Fatalf("Decode(%q) = %+v, want %v at %d", in, got, c.reason, off)
			}
			if s := c.reason.Status(); s != c.status {
				t.Errorf("%v.Status() = %d, want %d", c.reason, s, c.status)
			}
			checkChunkSplits(t, f, in, got)
		})
	}
	for r := http1.BadChunkSize; r < http1.PathNotAbsolute; r++ {
		if !seen[r] && r != http1.ChunkOverhead {
			t.Errorf("no test refuses with %v", r)
		}
	}
}

// TestChunkOverhead tells senders that stream byte by byte from those who send
// nothing but framing.
func TestChunkOverhead(t *testing.T) {
	run := func(chunk string) (n int, r http1.Reason) {
		var d http1.Chunked
		for ; n < 100_000; n++ {
			for p := []byte(chunk); len(p) > 0; {
				_, used, _, r := d.Decode(p)
				if r != http1.OK {
					return n, r
				}
				p = p[used:]
			}
		}
		return n, http1.OK
	}
	for _, c := range []struct {
		name, chunk string
		refused     bool
	}{
		{"byte by byte", "1\r\nx\r\n", false},
		{"byte by byte with a short extension", "1;a=bcdefgh\r\nx\r\n", false},
		{"byte by byte with all zeros", "0000000000000001\r\nx\r\n", true},
		{"byte by byte with extensions", "1;" + strings.Repeat("e", 20) + "\r\nx\r\n", true},
		{"extensions paid for by data", "80;" + strings.Repeat("e", 256) + "\r\n" + strings.Repeat("x", 128) + "\r\n", false},
		{"signatures on small chunks", "40;" + strings.Repeat("e", 81) + "\r\n" + strings.Repeat("x", 64) + "\r\n", false},
	} {
		n, r := run(c.chunk)
		if c.refused != (r == http1.ChunkOverhead) || !c.refused && r != http1.OK {
			t.Errorf("%s: %d chunks, then %v; want refusal %v", c.name, n, r, c.refused)
		}
		if c.refused && n < 100 {
			t.Errorf("%s: refused after %d chunks, want some patience", c.name, n)
		}
	}
}

// TestDataDoesNotPayAhead: a large chunk does not earn the right to send
// framing for nothing behind it.
func TestDataDoesNotPayAhead(t *testing.T) {
	var d http1.Chunked
	for p := append([]byte("100000\r\n"), make([]byte, 1<<20)...); len(p) > 0; {
		_, n, _, r := d.Decode(p)
		if r != http1.OK {
			t.Fatal(r)
		}
		p = p[n:]
	}
	for sent := 0; sent < 32<<10; {
		for p := []byte("\r\n1;" + strings.Repeat("e", 200) + "\r\nx"); len(p) > 0; {
			_, n, _, r := d.Decode(p)
			if r == http1.ChunkOverhead {
				return
			}
			if r != http1.OK || n == 0 {
				t.Fatal(n, r)
			}
			sent += n
			p = p[n:]
		}
	}
	t.Error("32 KiB of framing behind a large chunk were accepted")
}

func TestChunkedDropsTrailers(t *testing.T) {
	var d http1.Chunked
	in := []byte("0\r\nA: b\r\n\r\n")
	if _, n, done, r := d.Decode(in); n != len(in) || !done || r != http1.OK || d.Trailers != nil {
		t.Errorf("Decode(%q) = %d %v %v, trailers %q", in, n, done, r, d.Trailers)
	}
	d.KeepTrailers = true
	for range 2 {
		d.Reset()
		if _, n, done, r := d.Decode(in); n != len(in) || !done || r != http1.OK || string(d.Trailers) != "A: b\r\n" {
			t.Errorf("Decode(%q) = %d %v %v, trailers %q", in, n, done, r, d.Trailers)
		}
	}
}

// TestChunkedRoundTrip decodes what the append functions write.
func TestChunkedRoundTrip(t *testing.T) {
	f := newFence(t, 1<<20)
	for _, sizes := range [][]int{{}, {1}, {15, 16, 17}, {4095, 4096, 65536, 1}, {1, 255, 256, 70000}} {
		var wire []byte
		var data strings.Builder
		for i, n := range sizes {
			chunk := strings.Repeat(fmt.Sprint(i%10), n)
			data.WriteString(chunk)
			wire = http1.AppendChunkHeader(wire, n)
			wire = append(wire, chunk...)
			wire = append(wire, "\r\n"...)
		}
		for _, trailers := range []string{"", "A: b\r\nC: d\r\n"} {
			in := http1.AppendLastChunk(wire[:len(wire):len(wire)], []byte(trailers))
			want := body{data.String(), trailers, len(in), true, http1.OK}
			if got := decode(t, f, in); got != want {
				t.Errorf("sizes %v, trailers %q: %d bytes, %v; want %d", sizes, trailers, len(got.data), got.reason, data.Len())
			}
		}
	}
}

func BenchmarkChunked(b *testing.B) {
	for _, c := range []struct {
		name   string
		size   int
		chunks int
	}{{"1B", 1, 64}, {"64B", 64, 64}, {"16KiB", 16 << 10, 4}} {
		b.Run(c.name, func(b *testing.B) {
			var in []byte
			for range c.chunks {
				in = http1.AppendChunkHeader(in, c.size)
				in = append(in, make([]byte, c.size)...)
				in = append(in, "\r\n"...)
			}
			in = http1.AppendLastChunk(in, nil)
			var d http1.Chunked
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				d.Reset()
				for p, done := in, false; !done; {
					var n int
					var r http1.Reason
					if _, n, done, r = d.Decode(p); r != http1.OK {
						b.Fatal(r)
					}
					p = p[n:]
				}
			}
		})
	}
}
