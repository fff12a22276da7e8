package conf

// White box: the readers of single values have no face of their own outside.

import (
	"strings"
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want int64 // -1: refused
	}{
		{"0", 0}, {"512", 512}, {"8k", 8 << 10}, {"8K", 8 << 10}, {"8kB", 8 << 10}, {"8KB", 8 << 10}, {"8KiB", 8 << 10},
		{"8 KiB", 8 << 10}, {"1.5KiB", 1536}, {"1m", 1 << 20}, {"1MiB", 1 << 20}, {"2g", 2 << 30}, {"1TiB", 1 << 40},
		{"10B", 10}, {"10b", 10},
		{"", -1}, {"k", -1}, {"-1", -1}, {"1e3", -1}, {"0x10", -1}, {"inf", -1}, {"NaN", -1}, {"1KiBs", -1}, {"1 2", -1},
		{"8K iB", -1}, {"99999999999PiB", -1}, {"9223372036854775807", -1}, {strings.Repeat("9", 40), -1},
	} {
		got, wrong := parseSize(tt.in)
		if wrong.message != "" {
			got = -1
		}
		if got != tt.want {
			t.Errorf("parseSize(%q) = %d %q, want %d", tt.in, got, wrong.message, tt.want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for _, tt := range []struct {
		in      string
		want    time.Duration // -1: refused
		suggest string
	}{
		{"0", 0, ""}, {"0s", 0, ""}, {"250ms", 250 * time.Millisecond, ""}, {"10s", 10 * time.Second, ""},
		{"1h30m", 90 * time.Minute, ""}, {"7d", 168 * time.Hour, ""},
		{"10", -1, "10s"}, {"1.5", -1, "1.5s"}, {"10 s", -1, "10s"}, {"10S", -1, "10s"},
		{"", -1, ""}, {"s", -1, ""}, {"ten", -1, ""}, {"1w", -1, ""}, {"d", -1, ""}, {"-1d", -1, ""}, {"99999999d", -1, ""},
		{"inf", -1, ""}, {"nan", -1, ""},
	} {
		got, wrong := parseDuration(tt.in)
		if wrong.message != "" {
			got = -1
		}
		if got != tt.want || wrong.suggest != tt.suggest {
			t.Errorf("parseDuration(%q) = %v %q, suggests %q; want %v, %q", tt.in, got, wrong.message, wrong.suggest, tt.want, tt.suggest)
		}
	}
}

func TestParseRate(t *testing.T) {
	for _, tt := range []struct {
		in      string
		want    Rate
		suggest string
	}{
		{"100/s", Rate{100, time.Second}, ""}, {"10/m", Rate{10, time.Minute}, ""}, {"5 / h", Rate{5, time.Hour}, ""},
		{"100", Rate{}, "100/s"}, {"/s", Rate{}, ""}, {"-1/s", Rate{}, ""}, {"1.5/s", Rate{}, ""}, {"10/d", Rate{}, ""}, {"10/", Rate{}, ""},
	} {
		got, wrong := parseRate(tt.in)
		if got != tt.want || wrong.suggest != tt.suggest || (wrong.message == "") != (got != Rate{}) {
			t.Errorf("parseRate(%q) = %v %q, suggests %q; want %v, %q", tt.in, got, wrong.message, wrong.suggest, tt.want, tt.suggest)
		}
	}
}

func TestParseOctal(t *testing.T) {
	for in, want := range map[string]int64{"0660": 0o660, "660": 0o660, "0o600": 0o600, "0": 0, "888": -1, "-1": -1, "01777": -1, "": -1, "0x1": -1} {
		got, wrong := parseOctal(in)
		if wrong.message != "" {
			got = -1
		}
		if got != want {
			t.Errorf("parseOctal(%q) = %o, want %o", in, got, want)
		}
	}
}

func TestFormat(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 75 * time.Second: "1m15s", time.Minute: "1m", time.Hour: "1h", 90 * time.Minute: "1h30m",
		time.Hour + time.Second: "1h0m1s", 250 * time.Millisecond: "250ms",
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("formatDuration(%d) = %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 1: "1", 1000: "1000", 1024: "1KiB", 1536: "1536", 48 << 10: "48KiB", 1 << 40: "1TiB", 1 << 50: "1024TiB"} {
		if got := formatSize(n); got != want {
			t.Errorf("formatSize(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestExpand(t *testing.T) {
	env := map[string]string{"A": "1", "EMPTY": "", "REF": "${A}", "BAD": "\xff"}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	for _, tt := range []struct{ in, want, wrong string }{
		{"${A}", "1", ""}, {"a${A}b${A}c", "a1b1c", ""}, {"$A $ {A} $$", "$A $ {A} $$", ""},
		{"${EMPTY}", "", ""}, {"${EMPTY:-x}", "x", ""}, {"${A:-x}", "1", ""}, {"${NONE:-}", "", ""}, {"${NONE:-a b}", "a b", ""},
		{"$${A}", "${A}", ""}, {"$$${A}", "$${A}", ""}, {"${A}$${A}", "1${A}", ""},
		{"${REF}", "${A}", ""}, // what a variable holds is not looked at again
		{"${NONE}", "", "NONE is not set"}, {"${A", "", "without }"}, {"${}", "", "does not name a variable"},
		{"${1}", "", "does not name a variable"}, {"${A-x}", "", "does not name a variable"},
		{"${NONE:-${A}}", "", "cannot be nested"}, {"${BAD}", "", "not UTF-8"},
	} {
		got, wrong := expand(tt.in, lookup)
		if got != tt.want || !strings.Contains(wrong.message, tt.wrong) || (wrong.message == "") != (tt.wrong == "") {
			t.Errorf("expand(%q) = %q, %q; want %q, %q", tt.in, got, wrong.message, tt.want, tt.wrong)
		}
	}
}

func TestNearest(t *testing.T) {
	keys := []string{"workers", "listeners", "log", "limits", "access_log", "middleware", "pid_file"}
	for word, want := range map[string]string{
		"wrokers": "workers", "worker": "workers", "WORKERS": "workers", "listen": "listeners", "lmits": "limits",
		"acess-log": "access_log", "pid-file": "pid_file", "pidfile": "pid_file", "middelware": "middleware", "lgo": "log",
		"": "", "x": "", "colour": "", "123": "", strings.Repeat("workers", 20): "",
	} {
		if got := nearest(word, keys); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "a", 0}, {"a", "b", 1}, {"ab", "ba", 1}, {"abc", "ab", 1}, {"ab", "abc", 1}, {"abcd", "acbd", 1},
		{"timeout", "timout", 1}, {"abcdef", "uvwxyz", 5}, {"a", "abcdef", 5},
	} {
		if got := distance(tt.a, tt.b, 5); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := distance(tt.b, tt.a, 5); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}

func TestOverlaps(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{":80", ":80", true}, {":80", ":81", false}, {":80", "*:80", true}, {":0", ":0", false},
		{":80", "0.0.0.0:80", true}, {":80", "[::]:80", true}, {":80", "127.0.0.1:80", true}, {":80", "[::1]:80", true},
		{"0.0.0.0:80", "[::]:80", false}, {"0.0.0.0:80", "10.0.0.1:80", true}, {"0.0.0.0:80", "[::1]:80", false},
		{"[::]:80", "[::1]:80", true}, {"[::]:80", "10.0.0.1:80", false},
		{"10.0.0.1:80", "10.0.0.2:80", false}, {"10.0.0.1:80", "[::ffff:10.0.0.1]:80", true},
		{"localhost:80", "localhost:80", true}, {"localhost:80", "127.0.0.1:80", true}, {"localhost:80", "0.0.0.0:80", true},
		{"localhost:80", ":80", true}, {"localhost:80", "10.0.0.1:80", false}, {"a.example:80", "b.example:80", false},
		{"a.example:80", ":80", true}, {"unix:/a", "unix:/a", true}, {"unix:/a", "unix:/b", false}, {"unix:/a", ":80", false},
	} {
		a, wrongA := parseAddress(tt.a)
		b, wrongB := parseAddress(tt.b)
		if wrongA.message+wrongB.message != "" {
			t.Fatalf("parseAddress(%q, %q): %s %s", tt.a, tt.b, wrongA.message, wrongB.message)
		}
		if a.overlaps(b) != tt.want || b.overlaps(a) != tt.want {
			t.Errorf("%s and %s: overlap %v and %v, want %v", tt.a, tt.b, a.overlaps(b), b.overlaps(a), tt.want)
		}
	}
}

func TestParseSteps(t *testing.T) {
	for in, want := range map[string]string{
		"workers": "workers", "a.b": "a b", "sites[0].routes[12].match": "sites 0 routes 12 match",
		`mime_types[".foo"]`: "mime_types .foo", "a[0][1]": "a 0 1",
		"": "", ".": "-", "a.": "-", "a..b": "-", ".a": "-", "a[": "-", "a[x]": "-", "a[-1]": "-", "a[0]b": "-", `a["b]`: "-",
	} {
		steps, wrong := parseSteps(in)
		var parts []string
		for _, s := range steps {
			if s.index >= 0 {
				s.name = itoa(s.index)
			}
			parts = append(parts, s.name)
		}
		got := strings.Join(parts, " ")
		if wrong != "" {
			got = "-"
		}
		if got != want {
			t.Errorf("parseSteps(%q) = %q, want %q", in, got, want)
		}
	}
}
