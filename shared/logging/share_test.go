package logging_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"srvctl/shared/logging"
)

// writerVariable makes the test binary a writer of the tests with several
// processes; its value is the writer's number.
const writerVariable = "SRVCTL_TEST_LOG_WRITER"

const (
	writers     = 4
	writerLines = 2000
)

func mainOrWriter(m *testing.M) {
	if dir := os.Getenv(diskVariable); dir != "" {
		if err := diskChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	number, err := strconv.Atoi(os.Getenv(writerVariable))
	if err != nil {
		os.Exit(m.Run())
	}
	a := logging.NewAccess(os.NewFile(3, "log"), "json")
	appendNumbered(a, number)
	a.Close()
}

// appendNumbered appends lines of various lengths, numbered by DurationUS. A
// line that is dropped because the loop of the test is quicker than the writer
// is appended again.
func appendNumbered(a *logging.Access, writer int) {
	r := testRecord()
	r.Worker = writer
	for i := range writerLines {
		r.DurationUS = int64(i)
		r.Referer = bytes.Repeat([]byte("r"), i%700)
		for dropped := a.Dropped(); ; dropped++ {
			if a.Append(r); a.Dropped() == dropped {
				break
			}
			runtime.Gosched()
		}
		if i%97 == 0 {
			a.Flush()
		}
	}
}

// checkNumbered checks that the lines are whole, complete, and in the order of
// each writer.
func checkNumbered(t *testing.T, lines []string) {
	t.Helper()
	next := map[int]int{}
	for i, line := range lines {
		var f struct {
			Worker int `json:"worker"`
			Number int `json:"duration_us"`
		}
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("line %d is torn: %v: %q", i, err, line)
		}
		if f.Number != next[f.Worker] {
			t.Fatalf("line %d: writer %d is at %d, want %d", i, f.Worker, f.Number, next[f.Worker])
		}
		next[f.Worker]++
	}
	if len(lines) != writers*writerLines {
		t.Errorf("%d lines, want %d", len(lines), writers*writerLines)
	}
}

// startWriters starts processes that append to f, which is their descriptor 3.
func startWriters(t *testing.T, f *os.File) (wait func()) {
	t.Helper()
	var all []*exec.Cmd
	for i := range writers {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), writerVariable+"="+strconv.Itoa(i))
		c.ExtraFiles = []*os.File{f}
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return func() {
		for _, c := range all {
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestProcessesShareAFile(t *testing.T) {
	f := newFile(t)
	startWriters(t, f)()
	checkNumbered(t, readLines(t, f.Name()))
}

// Each has opened the file itself, as after a reopen.
func TestGoroutinesShareAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	var all sync.WaitGroup
	for i := range writers {
		f := openFile(t, path)
		all.Go(func() {
			a := logging.NewAccess(f, "json")
			appendNumbered(a, i)
			a.Close()
		})
	}
	all.Wait()
	checkNumbered(t, readLines(t, path))
}

func TestProcessesShareAPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	wait := startWriters(t, w)
	w.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	wait()
	checkNumbered(t, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"))
}
