package http1_test

import (
	"testing"

	"srvctl/proto/http1"
)

// small is what a load generator or a health check sends: 100 bytes.
const small = "GET /index.html HTTP/1.1\r\n" +
	"Host: localhost:8080\r\n" +
	"User-Agent: curl/8.14.1\r\n" +
	"Accept: */*\r\n" +
	"Cookie: a=b\r\n" +
	"\r\n"

// browser is what a browser sends: 702 bytes, 10 fields.
const browser = "GET /wp-content/uploads/2026/03/a-picture-with-a-long-name.jpg HTTP/1.1\r\n" +
	"Host: www.example.com\r\n" +
	"User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
	"Accept-Language: ja,en-us;q=0.7,en;q=0.3\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Referer: https://www.example.com/a/page/that/links/here\r\n" +
	"Cache-Control: max-age=0\r\n" +
	"Connection: keep-alive\r\n" +
	"If-None-Match: \"5f3a-1c9d\"\r\n" +
	"Cookie: visits=2; last_visit=1763800000; __utma=123456789.123456789.1234567890.1234567890.1234567890.1; __utmz=123456789.1234567890.1.1.utmcsr=(direct)|utmcmd=(none); session=0123456789abcdef0123456789abcde\r\n" +
	"\r\n"

// minimal is what wrk sends.
const minimal = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"

func BenchmarkParse(b *testing.B) {
	for _, c := range []struct{ name, in string }{
		{"minimal", minimal},
		{"small", small},
		{"browser", browser},
	} {
		b.Run(c.name, func(b *testing.B) {
			in := []byte(c.in)
			var h http1.Head
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				h.Reset()
				if n, r := h.Parse(in, &usual); n != len(in) {
					b.Fatal(n, r)
				}
			}
		})
	}
}

// BenchmarkParseBytewise is the slowest way a head can arrive.
func BenchmarkParseBytewise(b *testing.B) {
	in := []byte(browser)
	var h http1.Head
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		h.Reset()
		for end := range in {
			h.Parse(in[:end], &usual)
		}
		if n, r := h.Parse(in, &usual); n != len(in) {
			b.Fatal(n, r)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	in := []byte(browser)
	var h http1.Head
	h.Parse(in, &usual)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := h.Lookup(in, "if-modified-since"); ok {
			b.Fatal("found")
		}
	}
}

func BenchmarkNormalizePath(b *testing.B) {
	for _, c := range []struct{ name, in string }{
		{"plain", "/wp-content/uploads/2026/03/a-picture-with-a-long-name.jpg"},
		{"short", "/index.html"},
		{"wellknown", "/.well-known/acme-challenge/0123456789"},
		{"encoded", "/a%20folder/with/../some%2dthings//to/do/./"},
	} {
		b.Run(c.name, func(b *testing.B) {
			in := []byte(c.in)
			var dst [256]byte
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if _, r := http1.NormalizePath(dst[:0], in); r != http1.OK {
					b.Fatal(r)
				}
			}
		})
	}
}
