package http1_test

import (
	"strings"
	"testing"

	"srvctl/proto/http1"
)

// pathCases are rule 19: a path is decoded once and cleaned, or refused.
var pathCases = []struct {
	raw, want string // want is not looked at for a refusal
	reason    http1.Reason
}{
	// Nothing to do: the path itself, not a copy (see the test).
	{"/", "/", http1.OK},
	{"/a", "/a", http1.OK},
	{"/a/", "/a/", http1.OK},
	{"/a/b/c.html", "/a/b/c.html", http1.OK},
	{"/...", "/...", http1.OK},
	{"/.a/..b/c./d..", "/.a/..b/c./d..", http1.OK},
	{"/.well-known/x", "/.well-known/x", http1.OK},
	{"/a.b/c..d/.../e", "/a.b/c..d/.../e", http1.OK},
	{"/caf\u00e9/\xff", "/caf\u00e9/\xff", http1.OK},
	{"/a;v=1/b:c@d", "/a;v=1/b:c@d", http1.OK},
	{"/~user/+x/=y", "/~user/+x/=y", http1.OK},
	{"*", "*", http1.OK},

	// Decoding.
	{"/%61", "/a", http1.OK},
	{"/%7e%7E", "/~~", http1.OK},
	{"/a%20b", "/a b", http1.OK},
	{"/%c3%a9", "/\u00e9", http1.OK},
	{"/%C3%A9/x", "/\u00e9/x", http1.OK},
	{"/%ff", "/\xff", http1.OK},
	{"/a%3Fb%23c", "/a?b#c", http1.OK},
	{"/%25", "/%", http1.OK},
	{"/%252e%252e/a", "/%2e%2e/a", http1.OK}, // once
	{"/%252f", "/%2f", http1.OK},
	{"/%2500", "/%00", http1.OK},
	{"/%0a%0d%09", "/\n\r\t", http1.OK},
	{"/%c0%ae%c0%ae/a", "/\xc0\xae\xc0\xae/a", http1.OK}, // overlong UTF-8 is no dot
	{"/\uff0e\uff0e/a", "/\uff0e\uff0e/a", http1.OK},     // nor is a fullwidth one

	// Slashes.
	{"//", "/", http1.OK},
	{"//a", "/a", http1.OK},
	{"/a//b", "/a/b", http1.OK},
	{"/a///b////", "/a/b/", http1.OK},
	{"//example.org/a", "/example.org/a", http1.OK},

	// Dot segments.
	{"/.", "/", http1.OK},
	{"/./", "/", http1.OK},
	{"/a/.", "/a/", http1.OK},
	{"/a/./b", "/a/b", http1.OK},
	{"/././a/././", "/a/", http1.OK},
	{"/a/..", "/", http1.OK},
	{"/a/../", "/", http1.OK},
	{"/a/../b", "/b", http1.OK},
	{"/a/b/../c", "/a/c", http1.OK},
	{"/a/b/..", "/a/", http1.OK},
	{"/a/b/../..", "/", http1.OK},
	{"/a/b/../../c/d/../e/", "/c/e/", http1.OK},
	{"/a//../b", "/b", http1.OK}, // merged first, as nginx does
	{"/a/.//../b", "/b", http1.OK},
	{"/a/..b/../c", "/a/c", http1.OK},
	{"/%2e", "/", http1.OK},
	{"/a/%2e%2e/b", "/b", http1.OK},
	{"/a/.%2E/b", "/b", http1.OK},
	{"/a/%2e./b/%2e/c", "/b/c", http1.OK},
	{"/a/%2e%2e%2e", "/a/...", http1.OK},
	{"/a/..%20/b", "/a/.. /b", http1.OK},
	{"/a/..;/b", "/a/..;/b", http1.OK},

	// Refused.
	{"", "", http1.PathNotAbsolute},
	{"a", "", http1.PathNotAbsolute},
	{"../a", "", http1.PathNotAbsolute},
	{"%2fa", "", http1.PathNotAbsolute},
	{"**", "", http1.PathNotAbsolute},
	{"/..", "", http1.PathAboveRoot},
	{"/../", "", http1.PathAboveRoot},
	{"/../etc/passwd", "", http1.PathAboveRoot},
	{"/a/../..", "", http1.PathAboveRoot},
	{"/a/../../a", "", http1.PathAboveRoot},
	{"/./..", "", http1.PathAboveRoot},
	{"//..", "", http1.PathAboveRoot},
	{"/%2e%2e", "", http1.PathAboveRoot},
	{"/a/b/../../../c", "", http1.PathAboveRoot},
	{"/.%2e/%2e./etc/passwd", "", http1.PathAboveRoot},
	{"/a%00", "", http1.PathNUL},
	{"/a%00.html", "", http1.PathNUL},
	{"/a%2fb", "", http1.PathEncodedSlash},
	{"/a%2Fb", "", http1.PathEncodedSlash},
	{"/..%2f..%2fetc/passwd", "", http1.PathEncodedSlash},
	{"/a%5cb", "", http1.PathEncodedSlash},
	{"/..%5C..", "", http1.PathEncodedSlash},
	{"/a\\b", "", http1.PathBackslash},
	{"/..\\..\\x", "", http1.PathBackslash},
	{"/%", "", http1.PathBadEscape},
	{"/%2", "", http1.PathBadEscape},
	{"/%zz", "", http1.PathBadEscape},
	{"/%2g", "", http1.PathBadEscape},
	{"/%g2", "", http1.PathBadEscape},
	{"/% 20", "", http1.PathBadEscape},
	{"/%u002e", "", http1.PathBadEscape},
	{"/a%%20", "", http1.PathBadEscape},
	{"/%-1", "", http1.PathBadEscape},
	{"/%+2", "", http1.PathBadEscape},
}

func TestNormalizePath(t *testing.T) {
	f := newFence(t, 4096)
	for _, c := range pathCases {
		checkPath(t, f, c.raw, c.want, c.reason)
		if c.raw != "" && c.raw[0] == '/' {
			// The same far into a path, wherever eight bytes begin.
			for n := 1; n <= 17; n++ {
				dir := "/" + strings.Repeat("d", n)
				if c.reason == http1.PathAboveRoot {
					continue
				}
				checkPath(t, f, dir+c.raw, dir+c.want, c.reason)
			}
		}
	}
	seen := make(map[http1.Reason]bool)
	for _, c := range pathCases {
		seen[c.reason] = true
	}
	for r := http1.PathNotAbsolute; int(r) < http1.NumReasons; r++ {
		if !seen[r] {
			t.Errorf("no test refuses with %v", r)
		}
	}
}

func checkPath(t testing.TB, f fence, in, want string, reason http1.Reason) {
	t.Helper()
	raw := f.place([]byte(in))
	dst := []byte("before")
	got, r := http1.NormalizePath(dst, raw)
	if r != reason || r == http1.OK && string(got) != want {
		t.Errorf("NormalizePath(%q) = %q, %v, want %q, %v", in, got, r, want, reason)
		return
	}
	if r != http1.OK {
		if r.Status() != 400 || got != nil {
			t.Errorf("NormalizePath(%q) = %q, status %d", in, got, r.Status())
		}
		return
	}
	if string(dst) != "before" || string(raw) != in {
		t.Errorf("NormalizePath(%q) wrote to its arguments", in)
	}
	if same := &got[0] == &raw[0]; same != (in == want) {
		t.Errorf("NormalizePath(%q) = %q: raw itself %v, want %v", in, got, same, in == want)
	}
	if len(got) > len(raw) {
		t.Errorf("NormalizePath(%q) = %q is longer", in, got)
	}
}
