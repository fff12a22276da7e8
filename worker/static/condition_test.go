package static_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"srvctl/worker/serve/servetest"
	"srvctl/worker/static"
)

const (
	tag      = `"17ccd493bd5b0715-a"`
	modified = "Mon, 06 May 2024 07:08:09 GMT"
	before   = "Mon, 06 May 2024 07:08:08 GMT"
	after    = "Mon, 06 May 2024 07:08:10 GMT"
)

// each runs a test with the file in memory and with the file open.
func each(t *testing.T, root string, test func(name string, h *static.Handler)) {
	for name, size := range map[string]int64{"in memory": 64 << 10, "open": -1} {
		test(name, newHandler(t, static.Options{Root: root, Cache: static.NewCache(static.CacheOptions{FileSize: size})}))
	}
}

func TestConditions(t *testing.T) {
	root := makefs(t, "f=0123456789")
	each(t, root, func(name string, h *static.Handler) {
		var c servetest.Carrier
		for _, tt := range []struct {
			fields string
			want   int
		}{
			{"If-None-Match: " + tag, 304},
			{"if-none-match: " + tag, 304},
			{"If-None-Match: W/" + tag, 304},
			{"If-None-Match: *", 304},
			{`If-None-Match: "x", ` + tag, 304},
			{`If-None-Match: "x",,W/` + tag + `, "y"`, 304},
			{"If-None-Match: \"x\"\nIf-None-Match: " + tag, 304},
			{`If-None-Match: "a,b", "c"`, 200},
			{`If-None-Match: "x"`, 200},
			{"If-None-Match: " + tag[:len(tag)-1], 200},
			{"If-None-Match: " + strings.Trim(tag, `"`), 200},
			{"If-None-Match: ", 200},
			{`If-None-Match: "*"`, 200},
			{"If-None-Match: *, *", 200},
			{"If-None-Match: w/" + tag, 200}, // W is case-sensitive
			{"If-None-Match: nonsense, " + tag, 200},
			{"If-Modified-Since: " + modified, 304},
			{"If-Modified-Since: " + after, 304},
			{"If-Modified-Since: " + before, 200},
			{"If-Modified-Since: Monday, 06-May-24 07:08:09 GMT", 304},
			{"If-Modified-Since: Mon May  6 07:08:09 2024", 304},
			{"If-Modified-Since: yesterday", 200},
			{"If-Modified-Since: " + after + "\nIf-Modified-Since: " + after, 200}, // two are none
			{"If-None-Match: \"x\"\nIf-Modified-Since: " + after, 200},             // the tag rules
			{"If-Modified-Since: " + before + "\nIf-None-Match: " + tag, 304},
			{"If-Match: " + tag, 200},
			{"If-Match: *", 200},
			{`If-Match: "x", ` + tag, 200},
			{`If-Match: "x"`, 412},
			{"If-Match: W/" + tag, 412}, // strong comparison
			{"If-Match: nonsense", 412},
			{"If-Match: \"x\"\nIf-Match: " + tag, 200},
			{"If-Unmodified-Since: " + modified, 200},
			{"If-Unmodified-Since: " + after, 200},
			{"If-Unmodified-Since: " + before, 412},
			{"If-Unmodified-Since: yesterday", 200},
			{"If-Match: " + tag + "\nIf-Unmodified-Since: " + before, 200}, // the tag rules
			{"If-Match: \"x\"\nIf-Unmodified-Since: " + after, 412},
			{"If-Match: " + tag + "\nIf-None-Match: " + tag, 304}, // both hold
			{"If-Match: \"x\"\nIf-None-Match: " + tag, 412},
			{"If-Unmodified-Since: " + before + "\nIf-Modified-Since: " + after, 412},
			{"If-None-Match: " + tag + "\nRange: bytes=0-1", 304},
			{"If-Match: " + tag + "\nRange: bytes=0-1", 206},
			{"If-Match: \"x\"\nRange: bytes=90-", 412},
			{"If-Nothing: x", 200},
			{"Content: x\nIf-Mutch: \"x\"", 200},
		} {
			for _, method := range []string{"GET", "HEAD"} {
				want := tt.want
				if want == 206 && method == "HEAD" {
					want = 200
				}
				res := c.Do(beneath("/", h), req(method+" /f", tt.fields))
				if res.Status != want {
					t.Errorf("%s: %s with %q: %d, want %d", name, method, tt.fields, res.Status, want)
				}
				if want == 304 && (res.Body != "" || res.Field("ETag") != tag) {
					t.Errorf("%s: %s with %q: ETag %s, body %q", name, method, tt.fields, res.Field("ETag"), res.Body)
				}
			}
		}
	})
}

func TestRanges(t *testing.T) {
	root := makefs(t, "f=0123456789", "empty=")
	each(t, root, func(name string, h *static.Handler) {
		var c servetest.Carrier
		for _, tt := range []struct {
			fields string
			status int
			body   string
			field  string // Content-Range
		}{
			{"Range: bytes=0-0", 206, "0", "bytes 0-0/10"},
			{"Range: bytes=2-4", 206, "234", "bytes 2-4/10"},
			{"Range: bytes=0-9", 206, "0123456789", "bytes 0-9/10"},
			{"Range: bytes=0-99", 206, "0123456789", "bytes 0-9/10"},
			{"Range: bytes=9-", 206, "9", "bytes 9-9/10"},
			{"Range: bytes=3-", 206, "3456789", "bytes 3-9/10"},
			{"Range: bytes=-3", 206, "789", "bytes 7-9/10"},
			{"Range: bytes=-10", 206, "0123456789", "bytes 0-9/10"},
			{"Range: bytes=-99", 206, "0123456789", "bytes 0-9/10"},
			{"Range: BYTES=1-1", 206, "1", "bytes 1-1/10"},
			{"Range: bytes= 1-1", 206, "1", "bytes 1-1/10"},
			{"Range: bytes=0-99999999999999999999", 206, "0123456789", "bytes 0-9/10"},
			{"Range: bytes=-99999999999999999999", 206, "0123456789", "bytes 0-9/10"},
			{"Range: bytes=10-", 416, "", "bytes */10"},
			{"Range: bytes=10-20", 416, "", "bytes */10"},
			{"Range: bytes=99999999999999999999-", 416, "", "bytes */10"},
			{"Range: bytes=-0", 416, "", "bytes */10"},
			{"Range: bytes=4-2", 200, "0123456789", ""},
			{"Range: bytes=", 200, "0123456789", ""},
			{"Range: bytes=-", 200, "0123456789", ""},
			{"Range: bytes=1", 200, "0123456789", ""},
			{"Range: bytes=a-b", 200, "0123456789", ""},
			{"Range: bytes=+1-2", 200, "0123456789", ""},
			{"Range: bytes=1 -2", 200, "0123456789", ""},
			{"Range: bytes=1--2", 200, "0123456789", ""},
			{"Range: bytes=--2", 200, "0123456789", ""},
			{"Range: items=0-1", 200, "0123456789", ""},
			{"Range: bytes 0-1", 200, "0123456789", ""},
			{"Range: bytes=0-1,3-4", 200, "0123456789", ""}, // several ranges
			{"Range: bytes=0-1\nRange: bytes=0-1", 200, "0123456789", ""},
			{"Range: bytes=1-1\nIf-Range: " + tag, 206, "1", "bytes 1-1/10"},
			{"Range: bytes=1-1\nIf-Range: \"x\"", 200, "0123456789", ""},
			{"Range: bytes=1-1\nIf-Range: W/" + tag, 200, "0123456789", ""},
			{"Range: bytes=1-1\nIf-Range: " + modified, 206, "1", "bytes 1-1/10"},
			{"Range: bytes=1-1\nIf-Range: " + after, 200, "0123456789", ""},
			{"Range: bytes=1-1\nIf-Range: " + before, 200, "0123456789", ""},
			{"Range: bytes=1-1\nIf-Range: nonsense", 200, "0123456789", ""},
			{"Range: bytes=1-1\nIf-Range: " + tag + "\nIf-Range: " + tag, 200, "0123456789", ""},
			{"Range: bytes=90-\nIf-Range: \"x\"", 200, "0123456789", ""},
			{"If-Range: " + tag, 200, "0123456789", ""},
		} {
			res := c.Do(beneath("/", h), req("GET /f", tt.fields))
			body := res.Body
			if res.Status == 416 {
				body = ""
			}
			if res.Status != tt.status || body != tt.body || res.Field("Content-Range") != tt.field || res.Cut {
				t.Errorf("%s: %q: got %d %q, Content-Range %q; want %d %q %q", name, tt.fields, res.Status, body, res.Field("Content-Range"), tt.status, tt.body, tt.field)
			}
			if res.Status == 206 && (res.Field("ETag") != tag || res.Field("Accept-Ranges") != "bytes" || res.Field("Content-Type") == "") {
				t.Errorf("%s: %q: fields %q", name, tt.fields, res.Fields)
			}
			if res := c.Do(beneath("/", h), req("HEAD /f", tt.fields)); res.Status != 200 || res.Length != 10 {
				t.Errorf("%s: HEAD with %q: got %d, length %d; want the range ignored", name, tt.fields, res.Status, res.Length)
			}
			if res := c.Do(beneath("/", h), req("GET /empty", tt.fields)); res.Status != 200 || res.Body != "" {
				t.Errorf("%s: an empty file with %q: got %d, want the range ignored", name, tt.fields, res.Status)
			}
		}
	})
}

// The time of a file that was modified just now may be that of two states.
func TestIfRangeWithATimeOfJustNow(t *testing.T) {
	root := makefs(t)
	must(t, os.WriteFile(filepath.Join(root, "f"), []byte("0123456789"), 0o644))
	each(t, root, func(name string, h *static.Handler) {
		var c servetest.Carrier
		res := c.Do(beneath("/", h), req("GET /f"))
		fields := "Range: bytes=1-1\nIf-Range: " + res.Field("Last-Modified")
		if res := c.Do(beneath("/", h), req("GET /f", fields)); res.Status != 200 {
			t.Errorf("%s: with its time: %d, want 200", name, res.Status)
		}
		fields = "Range: bytes=1-1\nIf-Range: " + res.Field("ETag")
		if res := c.Do(beneath("/", h), req("GET /f", fields)); res.Status != 206 {
			t.Errorf("%s: with its tag: %d, want 206", name, res.Status)
		}
	})
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-0", "bytes=-5", "bytes=5-", "bytes=9-1", "bytes=0-99999999999999999999", "bytes=,", "bytes=-", "items=0-1"} {
		f.Add([]byte(s), int64(10))
	}
	f.Fuzz(func(t *testing.T, v []byte, size int64) {
		if size < 0 {
			t.Skip("no file has a negative size")
		}
		switch status, off, n := static.ParseRange(v, size); status {
		case 200, 416:
		case 206:
			if off < 0 || n <= 0 || off > size-n {
				t.Errorf("%q of %d bytes: %d bytes from %d on", v, size, n, off)
			}
		default:
			t.Errorf("%q of %d bytes: status %d", v, size, status)
		}
	})
}

func FuzzConditional(f *testing.F) {
	root := makefs(f, "f=0123456789")
	h := newHandler(f, static.Options{Root: root})
	f.Add("If-Match", tag, "Range", "bytes=1-2")
	f.Add("If-None-Match", `W/"x", `+tag, "If-Modified-Since", modified)
	f.Add("If-Range", tag, "Range", "bytes=-2")
	f.Add("If-Unmodified-Since", before, "If-None-Match", "*")
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string) {
		head := req("GET /f", name1+": "+value1, name2+": "+value2)
		if !servetest.Parses(head) {
			t.Skip("not a request")
		}
		var c servetest.Carrier
		res := c.Do(beneath("/", h), head)
		switch res.Status {
		case 200:
			if res.Body != "0123456789" {
				t.Errorf("%q: body %q", head, res.Body)
			}
		case 206:
			if len(res.Body) == 0 || !strings.Contains("0123456789", res.Body) {
				t.Errorf("%q: body %q", head, res.Body)
			}
		case 304, 412, 416, 400:
		default:
			t.Errorf("%q: status %d", head, res.Status)
		}
	})
}
