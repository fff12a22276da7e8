package static_test

import (
	"os"
	"strings"
	"testing"

	"srvctl/worker/serve"
	"srvctl/worker/serve/servetest"
	"srvctl/worker/static"
)

// repeated returns a function that serves one request again and again.
func repeated(h *static.Handler, head string) func() {
	x := &serve.Exchange{}
	servetest.Parse(x, &servetest.Carrier{}, head)
	x.ResolvePath()
	x.Req.Rest = 1
	fields := make([]byte, 0, 1024)
	return func() {
		if f := x.Res.File; f != nil {
			f.Release()
		}
		x.Res = serve.Response{Status: 200, Fields: fields}
		h.Serve(x)
	}
}

const browser = "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\nAccept: text/html,application/xhtml+xml\n" +
	"Accept-Language: en-US,en;q=0.5\nAccept-Encoding: gzip, deflate, br, zstd\nReferer: http://a/\nConnection: keep-alive"

func TestAHitAllocatesNothing(t *testing.T) {
	root := makefs(t, "f=0123456789", "big="+strings.Repeat("x", 100_000))
	h := newHandler(t, static.Options{Root: root, Index: []string{"f"}})
	for _, head := range []string{
		req("GET /f", browser), req("HEAD /f"), req("GET /"), req("GET /f", "If-None-Match: "+tag), req("GET /f", "If-Modified-Since: "+modified),
		req("GET /f", "Range: bytes=2-3"), req("GET /f", "Range: bytes=90-"), req("GET /f", `If-Match: "x"`), req("GET /big"),
		req("GET /big", "Range: bytes=-5"), req("POST /f"),
	} {
		if n := testing.AllocsPerRun(100, repeated(h, head)); n != 0 {
			t.Errorf("%q: %v allocations, want 0", head, n)
		}
	}
}

func BenchmarkHit(b *testing.B) {
	root := makefs(b, "f=0123456789", "big="+strings.Repeat("x", 100_000))
	h := newHandler(b, static.Options{Root: root})
	for name, head := range map[string]string{
		"wrk":     req("GET /f"),
		"browser": req("GET /f", browser),
		"304":     req("GET /f", browser, "If-None-Match: "+tag),
		"206":     req("GET /f", browser, "Range: bytes=2-3"),
		"open":    req("GET /big", browser),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for serve := repeated(h, head); b.Loop(); {
				serve()
			}
		})
	}
}

// BenchmarkMiss looks at the disk each time: for a file that is held and has
// not changed, for one that is not held, for one that is sent from the disk.
// The file is one of the package's, because a new one would count as changing.
func BenchmarkMiss(b *testing.B) {
	root, err := os.Getwd()
	must(b, err)
	for name, o := range map[string]static.CacheOptions{
		"unchanged": {Revalidate: -1},
		"read":      {Revalidate: -1, Bytes: -1},
		"open":      {Revalidate: -1, FileSize: -1, OpenFiles: -1},
	} {
		h := newHandler(b, static.Options{Root: root, Cache: static.NewCache(o)})
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for serve := repeated(h, req("GET /handler.go")); b.Loop(); {
				serve()
			}
		})
	}
}
