package logging_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"srvctl/shared/logging"
)

func newFile(t testing.TB) *os.File {
	t.Helper()
	return openFile(t, filepath.Join(t.TempDir(), "access.log"))
}

func openFile(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func readLines(t testing.TB, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	s := bufio.NewScanner(bytes.NewReader(text))
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		t.Errorf("the last line of %s has no end", path)
	}
	return lines
}

// A pipe that nobody reads costs lines, never the loop's time; when it is read
// again the log goes on, with whole lines.
func TestFullPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	a := logging.NewAccess(w, "json")
	record := testRecord()
	const appended = 10_000 // 4.5 MB: more than the pipe and all batches
	for i := range appended {
		record.DurationUS = int64(i)
		a.Append(record)
	}
	if a.Dropped() == 0 {
		t.Error("nothing was dropped")
	}
	var read atomic.Int64
	readc := make(chan struct{})
	go func() {
		defer close(readc)
		for s := bufio.NewScanner(r); s.Scan(); read.Add(1) {
			if !json.Valid(s.Bytes()) {
				t.Errorf("torn line: %q", s.Bytes())
			}
		}
	}()
	a.Close()
	<-readc
	if got := uint64(read.Load()) + a.Dropped(); got != appended {
		t.Errorf("%d read and %d dropped, want %d together", read.Load(), a.Dropped(), appended)
	}
}

// Nobody reads at all: Close gives up and counts.
func TestCloseWithAStuckPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	a := logging.NewAccess(w, "json")
	const appended = 10_000
	for range appended {
		a.Append(testRecord())
	}
	start := time.Now()
	a.Close()
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("Close took %v, want about 1 s", d)
	}
	line := logging.FormatLine("json", testRecord(), logging.PipeBytes)
	inPipe := uint64(64<<10/len(line)) + 1
	if n := a.Dropped(); n < appended-inPipe || n >= appended {
		t.Errorf("dropped %d of %d lines, want all but those in the pipe, at most %d", n, appended, inPipe)
	}
}

func TestBrokenPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	a := logging.NewAccess(w, "json")
	a.Append(testRecord())
	a.Close()
	if a.Dropped() != 1 {
		t.Errorf("dropped %d, want 1", a.Dropped())
	}
}

// Reopening while lines are written: each is in exactly one of the files.
func TestSwapLosesNothing(t *testing.T) {
	dir := t.TempDir()
	path := func(i int) string { return filepath.Join(dir, strconv.Itoa(i)) }
	const files = 20
	a := logging.NewAccess(openFile(t, path(0)), "json")
	r := testRecord()
	for i := range files * 1000 {
		if i > 0 && i%1000 == 0 {
			a.Swap(openFile(t, path(i/1000)))
		}
		if i%300 == 0 {
			a.Flush()
		}
		r.DurationUS = int64(i)
		for dropped := a.Dropped(); ; dropped++ {
			if a.Append(r); a.Dropped() == dropped {
				break
			}
			runtime.Gosched()
		}
	}
	a.Close()
	next := 0
	for i := range files {
		for _, line := range readLines(t, path(i)) {
			if want := fmt.Sprintf(`"duration_us":%d,`, next); !strings.Contains(line, want) {
				t.Fatalf("file %d: want %s in %s", i, want, line)
			}
			next++
		}
	}
	if next != files*1000 {
		t.Errorf("%d lines, want %d", next, files*1000)
	}
}

// The writer lets go of the old file without waiting for a line, or a rotated
// file's space would never come back. A pipe shows it: its reader sees the end.
func TestSwapClosesTheOldFile(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	a := logging.NewAccess(w, "json")
	defer a.Close()
	a.Append(testRecord())
	f := newFile(t)
	a.Swap(f)
	if text, err := io.ReadAll(r); err != nil || len(text) > 0 {
		t.Errorf("the old file ended with %q, %v; want nothing: the line was not flushed", text, err)
	}
	a.Close()
	if n := len(readLines(t, f.Name())); n != 1 {
		t.Errorf("%d lines in the new file, want 1", n)
	}
}

func TestFlushWrites(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	a := logging.NewAccess(w, "combined")
	a.Flush() // nothing there
	a.Append(testRecord())
	a.Flush()
	if line, err := bufio.NewReader(r).ReadBytes('\n'); err != nil || !combined.Match(line) {
		t.Errorf("read %q, %v; want a line before Close", line, err)
	}
	a.Close()
}

func TestAfterClose(t *testing.T) {
	f := newFile(t)
	a := logging.NewAccess(f, "json")
	a.Append(testRecord())
	a.Close()
	a.Close()
	a.Append(testRecord())
	a.Flush()
	a.Swap(newFile(t))
	if got := len(readLines(t, f.Name())); got != 1 || a.Dropped() != 1 {
		t.Errorf("%d lines and %d dropped, want 1 and 1", got, a.Dropped())
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	for _, format := range []string{"json", "combined"} {
		a := logging.NewAccess(newFile(t), format)
		r := testRecord()
		r.Path = []byte("/with/\"escapes\"/\x00\xff/\u65e5")
		if n := testing.AllocsPerRun(5000, func() { a.Append(r) }); n != 0 {
			t.Errorf("%s: Append allocates %v times, want 0", format, n)
		}
		a.Close()
	}
}
