package logging_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"srvctl/shared/logging"
)

// start is the time in a synctest bubble.
const start = "2000-01-01T02:30:00.000+02:30"

func TestLoggerLines(t *testing.T) {
	var nobody *netip.Addr
	for _, test := range []struct {
		name       string
		log        func(l *logging.Logger)
		json, text string
	}{
		{"fields in their order",
			func(l *logging.Logger) {
				l.Info("worker exited", "uptime", 3*time.Second, "err", errors.New("signal: killed"), "addr", netip.MustParseAddr("::1"), "pid", 42, "slot", 0, "generation", 7, "again", true)
			},
			`"level":"info","msg":"worker exited","process":"master","slot":0,"generation":7,"pid":42,"addr":"::1","err":"signal: killed","again":true,"uptime":"3s"}`,
			`level=info msg="worker exited" process=master slot=0 generation=7 pid=42 addr=::1 err="signal: killed" again=true uptime=3s`},
		{"levels",
			func(l *logging.Logger) { l.Warn("a"); l.Debug("not seen") },
			`"level":"warn","msg":"a","process":"master"}`,
			`level=warn msg=a process=master`},
		{"no error",
			func(l *logging.Logger) { l.Error("a", "err", nil) },
			`"level":"error","msg":"a","process":"master"}`,
			`level=error msg=a process=master`},
		{"one line whatever is in it",
			func(l *logging.Logger) { l.Info("a\nb", "k", "\"\x1b[2J\xff\u2028", "k e\ny", "") },
			`"level":"info","msg":"a\nb","process":"master","k":"\"\u001b[2J\ufffd\u2028","k e\ny":""}`,
			`level=info msg="a\nb" process=master k="\"\u001b[2J\ufffd\u2028" k_e\ny=""`},
		{"values of all kinds",
			func(l *logging.Logger) {
				l.Info("a", "b", []byte("x"), "c", 1.5, "d", math.Inf(1), "e", []int{1, 2}, "f", uint8(3), "g", nobody, "h", nil, "i", make(chan int) == nil, "j", time.Unix(0, 0))
			},
			`"level":"info","msg":"a","process":"master","b":"x","c":1.5,"d":"+Inf","e":[1,2],"f":3,"g":"<nil>","h":null,"i":false,"j":"1970-01-01T02:30:00.000+02:30"}`,
			`level=info msg=a process=master b=x c=1.5 d=+Inf e=[1,2] f=3 g=<nil> h=null i=false j=1970-01-01T02:30:00.000+02:30`},
		{"a field cannot stand in for the line's own; a value without a key",
			func(l *logging.Logger) { l.Info("a", "msg", "b", 5, 6, "alone") },
			`"level":"info","msg":"a","process":"master","5":6,"extra":"alone","field_msg":"b"}`,
			`level=info msg=a process=master 5=6 extra=alone field_msg=b`},
		{"With",
			func(l *logging.Logger) { l.With("slot", 3).Info("a", "x", 1) },
			`"level":"info","msg":"a","process":"master","slot":3,"x":1}`,
			`level=info msg=a process=master slot=3 x=1`},
	} {
		synctest.Test(t, func(t *testing.T) {
			for format, want := range map[string]string{
				"json": `{"time":"` + start + `",` + test.json + "\n",
				"text": "time=" + start + " " + test.text + "\n",
			} {
				var out bytes.Buffer
				l := logging.New(logging.Options{Level: "info", Format: format, Out: &out, Process: "master", Slot: 9})
				test.log(l)
				if out.String() != want {
					t.Errorf("%s, %s:\n%swant\n%s", test.name, format, out.String(), want)
				}
				if format == "json" && !json.Valid(out.Bytes()) {
					t.Errorf("%s: not JSON: %s", test.name, out.String())
				}
				l.Close()
			}
		})
	}
}

func TestWorkerFields(t *testing.T) {
	var out bytes.Buffer
	logging.New(logging.Options{Out: &out, Process: "worker", Slot: 0, Generation: 2}).Info("ready")
	want := fmt.Sprintf(`"process":"worker","slot":0,"generation":2,"pid":%d}`, os.Getpid())
	if !strings.Contains(out.String(), want) {
		t.Errorf("%s lacks %s", out.String(), want)
	}
}

func TestSetLevel(t *testing.T) {
	var out bytes.Buffer
	l := logging.New(logging.Options{Level: "error", Out: &out})
	child := l.With("a", 1)
	child.Info("unseen")
	l.SetLevel("debug")
	child.Debug("seen")
	l.SetLevel("nonsense") // is info
	child.Debug("unseen")
	if s := out.String(); strings.Contains(s, "unseen") || !strings.Contains(s, `"msg":"seen"`) {
		t.Errorf("log: %s", s)
	}
}

// field returns the values of a key in all lines.
func field(t *testing.T, text, key string) (values []any) {
	t.Helper()
	for line := range strings.Lines(text) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		values = append(values, m[key])
	}
	return values
}

// What is written to a pipe is there when the call returns: a crash right
// after it cannot lose it.
func TestPipeIsWrittenAtOnce(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	l := logging.New(logging.Options{Out: w})
	defer l.Close()
	l.Info("hello")
	if n := l.Waiting(); n != 0 {
		t.Errorf("%d bytes wait", n)
	}
	if line, err := bufio.NewReader(r).ReadString('\n'); err != nil || !strings.Contains(line, "hello") {
		t.Errorf("read %q, %v", line, err)
	}
}

// A log that nobody reads costs lines and no time. When it is read again, it
// says how many.
func TestLoggerFullPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l := logging.New(logging.Options{Out: w})
	long := strings.Repeat("x", 1000)
	const lines = 2000 // 2 MB: more than pipe and queue
	for i := range lines {
		l.Info(fmt.Sprint("event ", i), "long", long)
	}
	if l.Dropped() == 0 {
		t.Error("nothing was dropped")
	}
	textc := make(chan string)
	go func() {
		text, _ := io.ReadAll(r)
		textc <- string(text)
	}()
	l.Close()
	w.Close()
	text := <-textc
	events, told := 0, 0
	for _, m := range field(t, text, "msg") {
		if strings.HasPrefix(m.(string), "event ") {
			events++
		} else if strings.HasPrefix(m.(string), "log lines dropped") {
			told++
		}
	}
	if uint64(events)+l.Dropped() != lines || told == 0 {
		t.Errorf("%d events read and %d dropped, want %d together; told %d times", events, l.Dropped(), lines, told)
	}
}

// Goroutines log while the file is reopened: no line is lost or torn.
func TestSetOutputLosesNothing(t *testing.T) {
	dir := t.TempDir()
	path := func(i int) string { return filepath.Join(dir, fmt.Sprint(i)) }
	l := logging.New(logging.Options{Out: openFile(t, path(0))})
	var all sync.WaitGroup
	const goroutines, lines, files = 4, 200, 10
	for g := range goroutines {
		all.Go(func() {
			for i := range lines {
				l.Info(fmt.Sprintf("event %d of %d", i, g), "goroutine", g)
			}
		})
	}
	for i := 1; i < files; i++ {
		l.SetOutput(openFile(t, path(i)))
	}
	all.Wait()
	l.Close()
	seen := map[any]bool{}
	for i := range files {
		text, err := os.ReadFile(path(i))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range field(t, string(text), "msg") {
			seen[m] = true
		}
	}
	if len(seen) != goroutines*lines || l.Dropped() != 0 {
		t.Errorf("%d lines and %d dropped, want %d and 0", len(seen), l.Dropped(), goroutines*lines)
	}
}

func TestLoggerAfterClose(t *testing.T) {
	f := newFile(t)
	l := logging.New(logging.Options{Out: f})
	l.Info("before")
	l.Close()
	l.Close()
	l.Error("after")
	if got := fmt.Sprint(field(t, strings.Join(readLines(t, f.Name()), "\n"), "msg")); got != "[before after]" {
		t.Errorf("log has %s", got)
	}
}

// brokenWriter fails.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestLoggerCountsFailures(t *testing.T) {
	l := logging.New(logging.Options{Out: brokenWriter{}})
	l.Info("a")
	if l.Dropped() != 1 {
		t.Errorf("dropped %d, want 1", l.Dropped())
	}
}
