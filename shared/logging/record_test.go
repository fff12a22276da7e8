package logging_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"srvctl/shared/logging"
)

func TestMain(m *testing.M) {
	time.Local = time.FixedZone("", 2*3600+1800)
	mainOrWriter(m)
}

func TestJSONLine(t *testing.T) {
	const want = `{"time":"2026-11-22T21:19:01.123+02:30","client":"192.0.2.17","method":"GET","scheme":"http",` +
		`"host":"www.example.com","path":"/articles/2026/november/index.html?page=2","protocol":"HTTP/1.1",` +
		`"status":200,"bytes":5321,"duration_us":87,"site":"example.com","route":"GET,HEAD /*","cache":"",` +
		`"user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",` +
		`"referer":"https://www.example.com/articles/","request_id":"","worker":3}` + "\n"
	if got := string(logging.FormatLine("json", testRecord(), logging.PipeBytes)); got != want {
		t.Errorf("json line:\n%s\nwant\n%s", got, want)
	}
}

func TestCombinedLine(t *testing.T) {
	r := testRecord()
	r.User = []byte("ann")
	unread := &logging.Record{Time: r.Time, Client: []byte("192.0.2.17"), Status: 400}
	for _, test := range []struct {
		name   string
		record *logging.Record
		want   string
	}{
		{"all", r, `192.0.2.17 - ann [22/Nov/2026:21:19:01 +0230] "GET /articles/2026/november/index.html?page=2 HTTP/1.1" 200 5321 ` +
			`"https://www.example.com/articles/" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"` + "\n"},
		{"request line not read", unread, `192.0.2.17 - - [22/Nov/2026:21:19:01 +0230] "-" 400 0 "-" "-"` + "\n"},
	} {
		if got := string(logging.FormatLine("combined", test.record, logging.PipeBytes)); got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
}

// The second is kept and the milliseconds are not.
func TestTimeMovesOn(t *testing.T) {
	f := newFile(t)
	a := logging.NewAccess(f, "json")
	r := testRecord()
	start := time.Date(2026, 12, 31, 21, 29, 59, 0, time.UTC)
	for _, d := range []time.Duration{0, 7 * time.Millisecond, 999 * time.Millisecond, time.Second, 500 * time.Millisecond} {
		r.Time = start.Add(d)
		a.Append(r)
	}
	a.Close()
	var got []string
	for _, line := range readLines(t, f.Name()) {
		got = append(got, line[len(`{"time":"`):len(`{"time":"2026-12-31T23:59:59.000`)])
	}
	want := "2026-12-31T23:59:59.000 2026-12-31T23:59:59.007 2026-12-31T23:59:59.999 2027-01-01T00:00:00.000 2026-12-31T23:59:59.500"
	if strings.Join(got, " ") != want {
		t.Errorf("times %v, want %s", got, want)
	}
}

func TestEscapes(t *testing.T) {
	for _, test := range []struct{ name, in, json, combined string }{
		{"plain", "/a b", "/a b", "/a b"},
		{"quote and backslash", `/a"b\c`, `/a\"b\\c`, `/a\x22b\x5Cc`},
		{"new line", "/a\r\nb", `/a\r\nb`, `/a\x0D\x0Ab`},
		{"tab, NUL, escape, DEL", "\t\x00\x1b\x7f", `\t\u0000\u001b\u007f`, `\x09\x00\x1B\x7F`},
		{"UTF-8", "/caf\u00e9/\u65e5\u672c/\U0001f600", "/caf\u00e9/\u65e5\u672c/\U0001f600", `/caf\xC3\xA9/\xE6\x97\xA5\xE6\x9C\xAC/\xF0\x9F\x98\x80`},
		{"not UTF-8", "/\xe9\xff", `/\ufffd\ufffd`, `/\xE9\xFF`},
		{"half a character at the end", "/\xe6\x97", `/\ufffd\ufffd`, `/\xE6\x97`},
		{"overlong and surrogate", "\xc0\xaf\xed\xa0\x80", `\ufffd\ufffd\ufffd\ufffd\ufffd`, `\xC0\xAF\xED\xA0\x80`},
		{"C1 controls", "\u0080\u0085\u009f\u00a0", "\\u0080\\u0085\\u009f\u00a0", `\xC2\x80\xC2\x85\xC2\x9F\xC2\xA0`},
		{"line separators", "\u2028\u2029", `\u2028\u2029`, `\xE2\x80\xA8\xE2\x80\xA9`},
	} {
		// In front and behind, so that the escape falls on every place of a word.
		for pad := range 17 {
			before, after := strings.Repeat("x", pad), strings.Repeat("y", 16-pad)
			r := &logging.Record{Path: []byte(before + test.in + after)}
			if got := logging.FormatLine("json", r, logging.PipeBytes); !bytes.Contains(got, []byte(`"path":"`+before+test.json+after+`",`)) {
				t.Errorf("%s: json %s, want %s", test.name, got, test.json)
			}
			if got := logging.FormatLine("combined", r, logging.PipeBytes); !bytes.Contains(got, []byte(` `+before+test.combined+after+` `)) {
				t.Errorf("%s: combined %s, want %s", test.name, got, test.combined)
			}
		}
	}
}

// Every single byte is treated like its class, at the start, in the middle and
// at the end of a word of eight.
func TestEscapeEveryByte(t *testing.T) {
	for c := range 256 {
		for place := range 20 {
			s := bytes.Repeat([]byte{'a'}, 20)
			s[place] = byte(c)
			line := logging.FormatLine("combined", &logging.Record{UserAgent: s}, logging.PipeBytes)
			escaped := bytes.Contains(line, []byte(`\x`))
			if want := c < 32 || c > 126 || c == '"' || c == '\\'; escaped != want {
				t.Fatalf("byte %#x at %d: escaped = %v, want %v", c, place, escaped, want)
			}
		}
	}
}

func TestLongLinesAreCut(t *testing.T) {
	hostile := func(s string) *logging.Record {
		b := bytes.Repeat([]byte(s), 40_000/len(s))
		return &logging.Record{
			Client: b, Method: b, Scheme: b, Host: b, Path: b, Protocol: b, Site: b, Route: b, Cache: b,
			UserAgent: b, Referer: b, RequestID: b, User: b,
			Status: 1 << 62, Bytes: -1 << 63, DurationUS: -1 << 63, Worker: -1 << 62,
		}
	}
	for _, s := range []string{"a", "\x00", "\"", "\u65e5", "\U0001f600", "\xff", "\u2028"} {
		for _, format := range []string{"json", "combined"} {
			for _, limit := range []int{logging.PipeBytes, logging.LineBytes} {
				line := logging.FormatLine(format, hostile(s), limit)
				if len(line) > limit || len(line) < limit/3 {
					t.Errorf("%q, %s: %d bytes, want at most %d and a good part of it", s, format, len(line), limit)
				}
				if format == "json" {
					checkJSON(t, line)
				} else {
					checkCombined(t, line)
				}
				if !bytes.Contains(line, []byte(`..." `)) && !bytes.Contains(line, []byte(`...",`)) {
					t.Errorf("%q, %s: no mark of the cut in %s", s, format, line)
				}
			}
		}
	}
}

// A long path with short company is not cut for being long.
func TestLineIsUsedUp(t *testing.T) {
	r := testRecord()
	r.Path = bytes.Repeat([]byte("/"), 3000)
	if line := logging.FormatLine("json", r, logging.PipeBytes); !bytes.Contains(line, r.Path) {
		t.Errorf("a path of 3000 bytes was cut: %s", line)
	}
}

func checkJSON(t *testing.T, line []byte) {
	t.Helper()
	checkOneLine(t, line)
	if !json.Valid(line) {
		t.Fatalf("not JSON: %q", line)
	}
	if !utf8.Valid(line) {
		t.Fatalf("not UTF-8: %q", line)
	}
	var fields map[string]any
	if err := json.Unmarshal(line, &fields); err != nil || len(fields) != 17 {
		t.Fatalf("%d fields, want 17 (%v): %q", len(fields), err, line)
	}
	for _, r := range string(line[:len(line)-1]) {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			t.Fatalf("control character %U in %q", r, line)
		}
	}
}

var combined = regexp.MustCompile(`^[ -~]* - [ -~]* \[\d\d/[A-Z][a-z][a-z]/-?\d+:\d\d:\d\d:\d\d [+-]\d{4}\] "[^"]*" -?\d+ -?\d+ "[^"]*" "[^"]*"\n$`)

func checkCombined(t *testing.T, line []byte) {
	t.Helper()
	checkOneLine(t, line)
	if !combined.Match(line) {
		t.Fatalf("not the combined format: %q", line)
	}
}

func checkOneLine(t *testing.T, line []byte) {
	t.Helper()
	if i := bytes.IndexByte(line, '\n'); i != len(line)-1 || i < 0 {
		t.Fatalf("not one line: %q", line)
	}
}

func fuzzSeeds(f *testing.F) {
	f.Add([]byte("192.0.2.1"), []byte("GET"), []byte("/"), []byte("curl/8"), []byte(""), 200, int64(0))
	f.Add([]byte("::1"), []byte("\x00\x01"), []byte("/\"\\\r\n\xff"), []byte("\u2028\u0085"), []byte("\xe6\x97"), -1, int64(-1<<63))
	f.Add([]byte{}, []byte{}, []byte{}, bytes.Repeat([]byte("\x1b"), 3000), bytes.Repeat([]byte("\u65e5"), 3000), 1<<31, int64(1<<62))
}

func fuzzRecord(client, method, path, agent, referer []byte, status int, size int64) *logging.Record {
	return &logging.Record{
		Time: time.Unix(size%(1<<36), size), Client: client, Method: method, Path: path, UserAgent: agent, Referer: referer,
		Scheme: method, Host: client, Protocol: method, Site: path, Route: path, Cache: agent, RequestID: referer, User: agent,
		Status: status, Bytes: size, DurationUS: -size, Worker: status,
	}
}

func FuzzAccessJSON(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, client, method, path, agent, referer []byte, status int, size int64) {
		r := fuzzRecord(client, method, path, agent, referer, status, size)
		line := logging.FormatLine("json", r, logging.PipeBytes)
		checkJSON(t, line)
		if len(line) > logging.PipeBytes {
			t.Fatalf("%d bytes: %q", len(line), line)
		}
		// What JSON can hold comes back as it was.
		var fields struct {
			Path string `json:"path"`
		}
		json.Unmarshal(line, &fields)
		if utf8.Valid(path) && !strings.HasSuffix(fields.Path, "...") && fields.Path != string(path) {
			t.Fatalf("path %q came back as %q", path, fields.Path)
		}
	})
}

func FuzzCombined(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, client, method, path, agent, referer []byte, status int, size int64) {
		r := fuzzRecord(client, method, path, agent, referer, status, size)
		line := logging.FormatLine("combined", r, logging.PipeBytes)
		checkCombined(t, line)
		if len(line) > logging.PipeBytes {
			t.Fatalf("%d bytes: %q", len(line), line)
		}
	})
}
