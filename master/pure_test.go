package master

import (
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestEveryStateIsDescribed(t *testing.T) {
	for s := range numSlotStates {
		if s.String() == "" || len(slotExits[s]) == 0 {
			t.Errorf("state %d has name %q and exits %v", s, s, slotExits[s])
		}
	}
	for p := range numPhases {
		if p.String() == "" {
			t.Errorf("phase %d has no name", p)
		}
	}
}

func TestWrongEdgePanics(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || !strings.Contains(r.(string), "slot 3 cannot go from vacant to serving") {
			t.Errorf("recovered %v, want the edge named", r)
		}
	}()
	(&slot{number: 3}).set(time.Now(), slotServing)
}

func TestExitText(t *testing.T) {
	for status, want := range map[syscall.WaitStatus]string{
		exitZero:     "exit code 0",
		exitCode(3):  "exit code 3",
		11:           "killed by SIGSEGV (bad memory access)",
		6 | 0x80:     "killed by SIGABRT (aborted), core dumped",
		40:           "killed by signal 40",
		exitCode(70): "exit code 70",
	} {
		if got := exitText(status); got != want {
			t.Errorf("exitText(%#x) = %q, want %q", int(status), got, want)
		}
	}
}

func TestTail(t *testing.T) {
	tl := newTail()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go tl.read(r)
	io.WriteString(w, "panic: boom\x1b[31m\n\n"+strings.Repeat("x", 3*tailLineMax)+"\n")
	for range 40 {
		io.WriteString(w, "frame\n")
	}
	io.WriteString(w, "the end, without a newline")
	w.Close()
	<-tl.donec
	lines := strings.Split(tl.Text(), "\n")
	if len(lines) != tailFirst+1+tailLast || lines[0] != "panic: boom[31m" || lines[tailFirst] != "..." || lines[len(lines)-1] != "the end, without a newline" {
		t.Errorf("Text = %d lines %q", len(lines), lines)
	}
	if len(lines[1]) > tailLineMax {
		t.Errorf("a line has %d bytes, want at most %d", len(lines[1]), tailLineMax)
	}
	if got := tl.Headline(); got != "panic: boom[31m" {
		t.Errorf("Headline = %q", got)
	}
}

func TestHeadline(t *testing.T) {
	tl := newTail()
	if got := tl.Headline() + tl.Text(); got != "" {
		t.Errorf("of nothing: %q", got)
	}
	tl.add("worker: no such folder")
	if got := tl.Headline(); got != "worker: no such folder" {
		t.Errorf("Headline = %q", got)
	}
}

func TestFilesNote(t *testing.T) {
	c := testConfig(4)
	c.Limits.Connections = 10000
	if note := filesNote(c, 20000); note != "" {
		t.Errorf("with plenty: %q", note)
	}
	if note := filesNote(c, 1024); !strings.Contains(note, "10516 open files") || !strings.Contains(note, "1024 are allowed") || !strings.Contains(note, "ulimit -n") {
		t.Errorf("with few: %q", note)
	}
	c.Limits.OpenFiles = 2048
	if note := filesNote(c, 2048); !strings.Contains(note, "raise limits.open_files") {
		t.Errorf("with a setting too low: %q", note)
	}
}

func TestLookupUser(t *testing.T) {
	for _, tt := range []struct {
		name, group string
		uid, gid    uint32
	}{
		{"root", "", 0, 0},
		{"0", "", 0, 0},
		{"12345", "", 12345, 12345},
		{"12345", "6", 12345, 6},
		{"root", "7", 0, 7},
	} {
		c, err := lookupUser(tt.name, tt.group)
		if err != nil || c.uid != tt.uid || c.gid != tt.gid {
			t.Errorf("lookupUser(%q, %q) = %+v, %v", tt.name, tt.group, c, err)
		}
	}
	for _, bad := range [][2]string{{"no-such-user-here", ""}, {"root", "no-such-group-here"}} {
		if c, err := lookupUser(bad[0], bad[1]); err == nil {
			t.Errorf("lookupUser(%q) = %+v, want an error", bad, c)
		}
	}
}

func TestReport(t *testing.T) {
	for text, want := range map[string]string{
		reportOK:              "",
		"start: no luck\n":    "start: no luck",
		"":                    "the server ended while it started, without a word",
		"ok\nok\n":            "ok\nok",
		"first\nand second\n": "first\nand second",
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
		w.Close()
		err = readReport(r, time.Minute)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("report %q = %v, want %q", text, err, want)
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := readReport(r, time.Millisecond); err == nil || !strings.Contains(err.Error(), "did not become ready within 1ms") {
		t.Errorf("no report = %v", err)
	}
}

func TestWorkerEnvironmentHasNoSecrets(t *testing.T) {
	t.Setenv("SRVCTL_TOKEN", "secret")
	t.Setenv("TZ", "UTC")
	env := strings.Join(workerEnviron(), " ")
	if strings.Contains(env, "secret") || !strings.Contains(env, "TZ=UTC") || !strings.Contains(env, "GOMAXPROCS=2") {
		t.Errorf("environment %q", env)
	}
}

func TestGone(t *testing.T) {
	if gone(os.Getpid(), 0) {
		t.Error("this process has gone")
	}
	if !gone(1<<22+5, 0) { // above the kernel's largest pid
		t.Error("a process that cannot be is there")
	}
}
