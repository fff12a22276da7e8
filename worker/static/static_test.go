package static_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"srvctl/worker/serve"
	"srvctl/worker/serve/servetest"
	"srvctl/worker/static"
)

// makefs makes files beneath a new folder: "name", with the name as content,
// "name=content", "folder/", or "link -> target", in which ROOT is the folder.
func makefs(t testing.TB, list ...string) (root string) {
	t.Helper()
	root = filepath.Join(t.TempDir(), "root")
	must(t, os.Mkdir(root, 0o755))
	for _, entry := range list {
		put(t, root, entry)
	}
	return root
}

func put(t testing.TB, root, entry string) {
	t.Helper()
	name, target, isLink := strings.Cut(entry, " -> ")
	name, content, hasContent := strings.Cut(name, "=")
	if !hasContent {
		content = name
	}
	full := filepath.Join(root, name)
	must(t, os.MkdirAll(filepath.Dir(full), 0o755))
	switch {
	case isLink:
		must(t, os.Symlink(strings.ReplaceAll(target, "ROOT", root), full))
	case strings.HasSuffix(name, "/"):
		must(t, os.MkdirAll(full, 0o755))
	default:
		must(t, os.WriteFile(full, []byte(content), 0o644))
		// Long ago, so that it is not taken for a file that still changes.
		old := time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC)
		must(t, os.Chtimes(full, old, old))
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newHandler(t testing.TB, o static.Options) *static.Handler {
	t.Helper()
	h, err := static.New(o)
	must(t, err)
	t.Cleanup(h.Close)
	return h
}

// beneath is a route "prefix*", or without a "*" when prefix is "".
func beneath(prefix string, h serve.Handler) serve.Handler {
	return serve.HandlerFunc(func(x *serve.Exchange) {
		if r := x.ResolvePath(); r != 0 {
			x.Error(400)
			return
		}
		if prefix != "" {
			x.Req.Rest = min(len(prefix), len(x.Req.Path))
		}
		h.Serve(x)
	})
}

// req makes a request head from "GET /path" and fields.
func req(line string, fields ...string) string {
	return line + " HTTP/1.1\nHost: a\n" + strings.Join(append(fields, ""), "\n")
}

func TestAnswers(t *testing.T) {
	root := makefs(t,
		"index.html", "a.txt=hello", "empty=", "dir/index.html", "dir/b.JS", "bare/x", "second/index.htm", "folderindex/index.html/",
		"folderindex/index.htm", "a b/ü?#.txt", "new.foo", "dir.d/", "link.txt -> a.txt", "linkdir -> dir", "up/link -> ../a.txt",
		".hidden", "big="+strings.Repeat("x", 100_000))
	tests := []struct {
		prefix, line string
		status       int
		want         string // Location, Allow, or the body
		contentType  string
	}{
		{"", "GET /a.txt", 200, "hello", "text/plain; charset=utf-8"},
		{"", "GET /a.txt?x=y", 200, "hello", "text/plain; charset=utf-8"},
		{"", "GET /empty", 200, "", "application/octet-stream"},
		{"", "GET /", 200, "index.html", "text/html; charset=utf-8"},
		{"/", "GET /", 200, "index.html", "text/html; charset=utf-8"},
		{"/", "GET /dir/", 200, "dir/index.html", "text/html; charset=utf-8"},
		{"/", "GET /dir", 301, "/dir/", ""},
		{"/", "GET /dir?a=b&c", 301, "/dir/?a=b&c", ""},
		{"/", "HEAD /dir", 301, "/dir/", ""},
		{"/", "GET /a%20b", 301, "/a%20b/", ""},
		{"/", "GET /a%20b/%C3%BC%3F%23.txt", 200, "a b/ü?#.txt", "text/plain; charset=utf-8"},
		{"/", "GET /dir/b.JS", 200, "dir/b.JS", "text/javascript; charset=utf-8"},
		{"/", "GET /bare/", 403, "", ""},
		{"/", "GET /dir.d", 301, "/dir.d/", ""},
		{"/", "GET /second/", 200, "second/index.htm", "text/html; charset=utf-8"},
		{"/", "GET /folderindex/", 200, "folderindex/index.htm", "text/html; charset=utf-8"},
		{"/", "GET /a.txt/", 404, "", ""},
		{"/", "GET /a.txt/index.html", 404, "", ""},
		{"/", "GET /none", 404, "", ""},
		{"/", "GET /none/", 404, "", ""},
		{"/", "GET /none/none", 404, "", ""},
		{"/", "GET /" + strings.Repeat("n", 300), 404, "", ""},
		{"/", "GET /" + strings.Repeat("n/", 3000), 404, "", ""},
		{"/", "GET /new.foo", 200, "new.foo", "application/x-foo"},
		{"/", "GET /link.txt", 200, "hello", "text/plain; charset=utf-8"},
		{"/", "GET /linkdir/b.JS", 200, "dir/b.JS", "text/javascript; charset=utf-8"},
		{"/", "GET /linkdir", 301, "/linkdir/", ""},
		{"/", "GET /up/link", 200, "hello", "application/octet-stream"},
		{"/", "GET /.hidden", 200, ".hidden", "application/octet-stream"},
		{"/", "HEAD /a.txt", 200, "", "text/plain; charset=utf-8"},
		{"/", "HEAD /big", 200, "", "application/octet-stream"},
		{"/", "GET /big", 200, strings.Repeat("x", 100_000), "application/octet-stream"},
		{"/", "POST /a.txt", 405, "GET, HEAD, OPTIONS", ""},
		{"/", "DELETE /none", 405, "GET, HEAD, OPTIONS", ""},
		{"/", "OPTIONS /a.txt", 204, "GET, HEAD, OPTIONS", ""},
		{"/p/", "GET /p/a.txt", 200, "hello", "text/plain; charset=utf-8"},
		{"/p/", "GET /p/", 200, "index.html", "text/html; charset=utf-8"},
		{"/p/", "GET /p", 301, "/p/", ""},
		{"/p/", "GET /p?q", 301, "/p/?q", ""},
		{"/p/", "GET /p/dir", 301, "/p/dir/", ""},
		{"/p/", "GET /p/p/a.txt", 404, "", ""},
	}
	for name, mode := range static.Modes {
		h := newHandler(t, static.Options{Root: root, Index: []string{"index.html", "index.htm"}, Types: map[string]string{"FOO": "application/x-foo"}})
		h.Use(mode)
		var c servetest.Carrier
		for range 2 { // from the disk, then from the cache
			for _, tt := range tests {
				res := c.Do(beneath(tt.prefix, h), req(tt.line))
				got := res.Body
				switch res.Status {
				case 301:
					got = res.Field("Location")
				case 405, 204:
					got = res.Field("Allow")
				case 403, 404:
					got = ""
				}
				if res.Status != tt.status || got != tt.want || res.Cut {
					t.Errorf("%s: %q on %q: got %d %.100q, want %d %.100q", name, tt.line, tt.prefix, res.Status, got, tt.status, tt.want)
				}
				if tt.contentType != "" && res.Field("Content-Type") != tt.contentType {
					t.Errorf("%s: %q: Content-Type %q, want %q", name, tt.line, res.Field("Content-Type"), tt.contentType)
				}
			}
		}
	}
}

func TestFields(t *testing.T) {
	root := makefs(t, "a.css=hello")
	for size, name := range map[int64]string{64 << 10: "in memory", -1: "open"} {
		h := newHandler(t, static.Options{Root: root, CacheControl: "max-age=60", Cache: static.NewCache(static.CacheOptions{FileSize: size})})
		const want = "Content-Type: text/css; charset=utf-8\r\nLast-Modified: Mon, 06 May 2024 07:08:09 GMT\r\n" +
			"ETag: \"17ccd493bd5b0715-5\"\r\nAccept-Ranges: bytes\r\nCache-Control: max-age=60\r\n"
		var c servetest.Carrier
		for _, method := range []string{"GET", "HEAD"} {
			res := c.Do(beneath("/", h), req(method+" /a.css"))
			if got := strings.TrimSuffix(res.Fields, "Content-Length: 5\r\n"); got != want || res.Length != 5 {
				t.Errorf("%s, %s: length %d, fields\n%s\nwant\n%s", name, method, res.Length, got, want)
			}
		}
		res := c.Do(beneath("/", h), req("GET /a.css", `If-None-Match: "17ccd493bd5b0715-5"`))
		const want304 = "Last-Modified: Mon, 06 May 2024 07:08:09 GMT\r\nETag: \"17ccd493bd5b0715-5\"\r\nCache-Control: max-age=60\r\n"
		if res.Status != 304 || res.Fields != want304 || res.Body != "" {
			t.Errorf("%s: got %d %q %q, want 304\n%s", name, res.Status, res.Fields, res.Body, want304)
		}
	}
}

func TestTypes(t *testing.T) {
	for ext, typ := range static.Types {
		if ext != strings.ToLower(ext) || ext[0] != '.' || strings.Contains(ext[1:], ".") || strings.Count(typ, "/") != 1 ||
			strings.HasPrefix(typ, "text/") != strings.HasSuffix(typ, "; charset=utf-8") {
			t.Errorf("%s: %s", ext, typ)
		}
	}
}

func TestRootThatIsNotThere(t *testing.T) {
	root := makefs(t, "file")
	for _, path := range []string{root + "/none", root + "/file"} {
		if h, err := static.New(static.Options{Root: path}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("root %s: %v, %v; want an error that names it", path, h, err)
		}
	}
}
