package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseOptions(t *testing.T) {
	o, err := parseOptions([]string{"-rows", "fixed,connect", "-contenders", "srvctl:/x,nginx", "-rounds", "3"}, io.Discard)
	if err != nil || len(o.rows) != 2 || o.rows[1].name != "connect" || o.contenders[0] != "srvctl:/x" || o.rounds != 3 {
		t.Errorf("parseOptions = %+v, %v", o, err)
	}
	o, err = parseOptions([]string{"-smoke"}, io.Discard)
	if err != nil || o.rounds != 1 || o.duration != time.Second || len(o.rows) != len(rows)-1 {
		t.Errorf("parseOptions(-smoke) = %+v, %v", o, err)
	}
	for _, bad := range []string{"-rows=fixd", "-contenders=ngnix", "-rounds=0", "-duration=1500ms", "more"} {
		var complaint bytes.Buffer
		if _, err := parseOptions([]string{bad}, &complaint); err == nil || complaint.Len() == 0 {
			t.Errorf("parseOptions(%s) = %v, said %q; want a refusal that is told", bad, err, &complaint)
		}
	}
}

func TestParseFigures(t *testing.T) {
	f, err := parseFigures([]byte("Running 1s test\n\nFIGURES {\"requests\":7,\"microseconds\":9,\"p50\":3,\"status\":2,\"timeout\":1}\nmore"))
	if err != nil || f.Requests != 7 || f.P50 != 3 || f.errors() != 3 {
		t.Errorf("parseFigures = %+v, %v", f, err)
	}
	for _, bad := range []string{"", "\nFIGURES nan\n", "\nFIGURES {\"requests\":0,\"microseconds\":1}\n"} {
		if f, err := parseFigures([]byte(bad)); err == nil {
			t.Errorf("parseFigures(%q) = %+v, want an error", bad, f)
		}
	}
}

func TestStatistics(t *testing.T) {
	if got := median([]float64{9, 1, 2}); got != 2 {
		t.Errorf("median of three = %v, want 2", got)
	}
	if got := median([]float64{4, 1, 2, 9}); got != 3 {
		t.Errorf("median of four = %v, want 3", got)
	}
	if got := spread([]float64{8, 10, 12}); got != 0.4 {
		t.Errorf("spread = %v, want 0.4", got)
	}
	// A minute in which all were twice as slow changes no ratio.
	if got := ratio([]float64{1, 2, 1}, []float64{2, 4, 2}); got != 0.5 {
		t.Errorf("ratio = %v, want 0.5", got)
	}
}

func TestGoals(t *testing.T) {
	at := func(row, who string, cpu, rate float64) result {
		return result{Row: row, Contender: who, Rounds: []sample{{CPU: cpu, Rate: rate}}}
	}
	o, err := parseOptions([]string{"-rows", "fixed,pipeline"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	rep := report{Results: []result{
		at("fixed", "srvctl", 0.97, 1), at("fixed", "nginx", 1, 1), at("fixed", "floor", 0.8, 1),
		at("pipeline", "srvctl", 1, 51), at("pipeline", "nginx", 1, 10),
	}}
	var out bytes.Buffer
	missed := writeGoals(&out, o, rep)
	want := `goal fixed     cpu 0.97 of nginx's, want <= 1.00: met; wanted <= 0.95
goal fixed     cpu 1.21 of floor's, want <= 1.10: MISSED
goal pipeline  req/s 5.10 of nginx's, want >= 5.00: met
`
	if missed != 1 || out.String() != want {
		t.Errorf("missed %d:\n%swant 1:\n%s", missed, out.String(), want)
	}
}

func TestFilesHaveTheirBytes(t *testing.T) {
	dir := t.TempDir()
	r, _ := findRow("file10k")
	if err := makeFiles(dir, []row{r}); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, r.path))
	if err != nil || len(raw) != r.size || !bytes.HasSuffix(raw, []byte("the end\n")) {
		t.Errorf("%s holds %d bytes, %v; want %d with a mark at the end", r.path, len(raw), err, r.size)
	}
}

// One line per way in which a contender might not do the work.
func TestVerifyRefuses(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Type: text/plain; charset=utf-8\r\n"
	answerWithin = 200 * time.Millisecond
	fixed, _ := findRow("fixed")
	connect, _ := findRow("connect")
	for _, tc := range []struct {
		name, answer string
		row          row
		want         string // in the error; "" = none
	}{
		{"as wanted", head + "Content-Length: 14\r\n\r\n" + text, fixed, ""},
		{"not found", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", fixed, "status 404"},
		{"another body", head + "Content-Length: 14\r\n\r\nHello, world!\n", fixed, "another body"},
		{"longer", head + "Content-Length: 15\r\n\r\n" + text + "x", fixed, "Content-Length 15"},
		{"bytes after the end", head + "Content-Length: 14\r\n\r\n" + text + "x", fixed, "1 bytes more"},
		{"chunked", head + "Transfer-Encoding: chunked\r\n\r\ne\r\n" + text + "\r\n0\r\n\r\n", fixed, "Content-Length -1"},
		{"type", "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Type: text/html\r\nContent-Length: 14\r\n\r\n" + text, fixed, "Content-Type"},
		{"no date", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\n" + text, fixed, "no Date"},
		{"closes", head + "Connection: close\r\nContent-Length: 14\r\n\r\n" + text, fixed, "closes"},
		{"does not close", head + "Connection: close\r\nContent-Length: 14\r\n\r\n" + text, connect, "goes on"},
	} {
		t.Run(strings.ReplaceAll(tc.name, " ", "-"), func(t *testing.T) {
			c := &contender{heads: map[string]int{}}
			c.port = scripted(t, tc.answer)
			c.closing = c.port
			err := c.verify(tc.row)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("verify = %v, want %q", err, tc.want)
			}
		})
	}
}

// scripted gives every request the same answer and never closes.
func scripted(t *testing.T, answer string) (port int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		buf := make([]byte, 4096)
		for {
			if _, err := conn.Read(buf); err != nil {
				return
			}
			if _, err := io.WriteString(conn, answer); err != nil {
				return
			}
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}
