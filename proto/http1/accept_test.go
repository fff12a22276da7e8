package http1_test

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"srvctl/proto/http1"
)

var update = flag.Bool("update", false, "rewrite the goldens in testdata")

const headsFile = "testdata/heads.txt"

// golden is a case of heads.txt: a comment, the lines of a head, and what
// Parse makes of it.
type golden struct{ name, lines, want string }

// input returns the bytes of the case: its lines, with CRLF. A line may hold
// escapes as in a Go string; a last line without '|' ends without CRLF.
func (g golden) input(t testing.TB) []byte {
	t.Helper()
	var b []byte
	for line := range strings.Lines(g.lines) {
		line = strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "|")
		s, err := strconv.Unquote(`"` + strings.ReplaceAll(strings.TrimPrefix(line, " "), `"`, `\"`) + `"`)
		if err != nil {
			t.Fatalf("%s: %s: %q: %v", headsFile, g.name, line, err)
		}
		b = append(b, s+"\r\n"...)
	}
	return b
}

// goldens reads heads.txt. Its head is returned too.
func goldens(t testing.TB) (intro string, all []golden) {
	t.Helper()
	data, err := os.ReadFile(headsFile)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(data), "\n## ")
	for _, p := range parts[1:] {
		name, body, _ := strings.Cut(p, "\n")
		lines, want, _ := strings.Cut(body, "=>\n")
		all = append(all, golden{name, lines, strings.TrimSuffix(want, "\n") + "\n"})
	}
	return parts[0], all
}

func TestGoldenHeads(t *testing.T) {
	f := newFence(t, 4096)
	intro, all := goldens(t)
	if *update {
		var b strings.Builder
		b.WriteString(intro)
		for _, g := range all {
			in := g.input(t)
			fmt.Fprintf(&b, "\n## %s\n%s=>\n%s", g.name, g.lines, parseWhole(t, f, in, usual).golden())
		}
		if err := os.WriteFile(headsFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		_, all = goldens(t)
	}
	for _, g := range all {
		t.Run(g.name, func(t *testing.T) {
			in := g.input(t)
			got := parseWhole(t, f, in, usual)
			if got.golden() != g.want {
				t.Fatalf("Parse(%q) =\n%s\nwant\n%s", in, got.golden(), g.want)
			}
			if got.reason != http1.OK || got.n == 0 {
				t.Fatalf("Parse(%q) = %v: %s is for heads that are accepted", in, got, headsFile)
			}
			checkSplits(t, f, in, usual, got)
		})
	}
}

func (r result) golden() string {
	return fmt.Sprintf("%s%5d end (%v)\n", r.text, r.n, r.reason)
}

// hosts are values of Host, by themselves and as authority of a target.
var hosts = []struct {
	host string
	ok   bool
}{
	{"h", true},
	{"example.org", true},
	{"EXAMPLE.org.", true},
	{"xn--bcher-kva.example", true},
	{"a_b.example", true},
	{"h:80", true},
	{"h:0", true},
	{"h:65535", true},
	{"h:", true},
	{"h:00080", true},
	{"127.0.0.1:8080", true},
	{"a!$&'()*+;=~-b", true},
	{"[::]", true},
	{"[::1]", true},
	{"[::1]:80", true},
	{"[1::]", true},
	{"[1:2:3:4:5:6:7:8]", true},
	{"[1:2:3:4:5:6:7::]", true},
	{"[::2:3:4:5:6:7:8]", true},
	{"[2001:DB8::abcd]", true},
	{"[::ffff:192.0.2.1]", true},
	{"[1:2:3:4:5:6:192.0.2.1]", true},
	{"[::192.0.2.255]", true},

	{"h:65536", false},
	{"h:000080", false},
	{"h:99999999999999999999", false},
	{"h:80x", false},
	{"h:-1", false},
	{"a,b", false},
	{"a/b", false},
	{"a?b", false},
	{"a#b", false},
	{"a@b", false},
	{"a b", false},
	{"a%41", false},
	{"a<b", false},
	{"a\"b", false},
	{"a|b", false},
	{"\xff", false},
	{":", false},
	{"[]", false},
	{"[", false},
	{"[:]", false},
	{"[:::]", false},
	{"[1]", false},
	{"[1:2:3:4:5:6:7]", false},
	{"[1:2:3:4:5:6:7:8:9]", false},
	{"[1:2:3:4:5:6:7:8::]", false},
	{"[::1:2:3:4:5:6:7:8]", false},
	{"[1::2::3]", false},
	{"[12345::]", false},
	{"[g::]", false},
	{"[1:]", false},
	{"[:1]", false},
	{"[1::2:]", false},
	{"[::1%eth0]", false},
	{"[v1.a]", false},
	{"[::1.2.3]", false},
	{"[::1.2.3.4.5]", false},
	{"[::1.2.3.256]", false},
	{"[::1.2.3.04]", false},
	{"[::1.2.3.]", false},
	{"[1.2.3.4]", false},
	{"[1:2:3:4:5:6:7:1.2.3.4]", false},
	{"[::1.2.3.4:5]", false},
	{"[::1]80", false},
	{"[[::1]]", false},
	{"::1", false},
}

func TestHosts(t *testing.T) {
	f := newFence(t, 4096)
	for _, c := range hosts {
		in := []byte(get + "Host: " + c.host + "\r\n\r\n")
		got := parseWhole(t, f, in, usual)
		if ok := got.reason == http1.OK; ok != c.ok {
			t.Errorf("Parse(%q) = %v, want acceptance %v", in, got, c.ok)
		}
		if strings.ContainsAny(c.host, "/?# \"") {
			continue // ends the authority of a target
		}
		in = []byte("GET http://" + c.host + " HTTP/1.1\r\nHost: " + c.host + "\r\n\r\n")
		got = parseWhole(t, f, in, usual)
		if ok := got.reason == http1.OK; ok != c.ok {
			t.Errorf("Parse(%q) = %v, want acceptance %v", in, got, c.ok)
		}
	}
}

func TestLookup(t *testing.T) {
	in := []byte(get + "Host: h\r\nAccept: a\r\nACCEPT: b\r\nX_Y: 1\r\nX-Y: 2\r\nEmpty:\r\n\r\n")
	var h http1.Head
	if n, r := h.Parse(in, &usual); n != len(in) {
		t.Fatalf("Parse(%q) = %d %v", in, n, r)
	}
	for _, c := range []struct {
		name, want string
		ok         bool
	}{
		{"host", "h", true},
		{"accept", "a", true}, // the first of two
		{"x_y", "1", true},    // '_' is no '-'
		{"x-y", "2", true},
		{"empty", "", true},
		{"accep", "", false},
		{"accept2", "", false},
		{"", "", false},
	} {
		got, ok := h.Lookup(in, c.name)
		if string(got) != c.want || ok != c.ok {
			t.Errorf("Lookup(%q) = %q, %v, want %q, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

// TestEveryByte puts every byte in every part of a head and compares with the
// grammar written out.
func TestEveryByte(t *testing.T) {
	f := newFence(t, 4096)
	token := func(c byte) bool {
		return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
	}
	for _, part := range []struct {
		name, before, after string
		ok                  func(c byte) bool
	}{
		{"method", "GE", "T / HTTP/1.1\r\nHost: h\r\n\r\n", func(c byte) bool { return token(c) }},
		{"target", "GET /abcdef", "gh HTTP/1.1\r\nHost: h\r\n\r\n", func(c byte) bool { return c > ' ' && c != 0x7f && c != '#' }},
		{"query", "GET /?abcdef", "gh HTTP/1.1\r\nHost: h\r\n\r\n", func(c byte) bool { return c > ' ' && c != 0x7f && c != '#' }},
		{"name", "GET / HTTP/1.1\r\nHost: h\r\nAbc", "def: g\r\n\r\n", func(c byte) bool { return token(c) || c == ':' }},
		{"value", "GET / HTTP/1.1\r\nHost: h\r\nA: abcdefgh", "ij\r\n\r\n", func(c byte) bool { return c >= ' ' && c != 0x7f || c == '\t' }},
		{"host", "GET / HTTP/1.1\r\nHost: h", "h\r\n\r\n", func(c byte) bool {
			return token(c) && strings.IndexByte("#%^`|", c) < 0 || strings.IndexByte("()=;", c) >= 0
		}},
	} {
		for c := range 256 {
			in := []byte(part.before + string([]byte{byte(c)}) + part.after)
			got := parseWhole(t, f, in, usual)
			if want := part.ok(byte(c)); (got.n == len(in)) != want || (got.reason == http1.OK) != want {
				t.Errorf("byte %#02x in %s: Parse(%q) = %v, want acceptance %v", c, part.name, in, got, want)
			}
		}
	}
}
