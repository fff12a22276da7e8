package logging

// White box: the disk and the pipe are made to fail on purpose.

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// A disk takes what fits and refuses the rest, as file systems do: in the
// middle of a line if need be.
type disk struct {
	bytes.Buffer
	room  int
	calls int
}

func (d *disk) write(_ int, p []byte) (int, error) {
	d.calls++
	n := min(d.room, len(p))
	d.Write(p[:n])
	d.room -= n
	if n == 0 {
		return -1, unix.ENOSPC
	}
	return n, nil
}

func diskOutput(d *disk) *output {
	return &output{regular: true, ending: new(atomic.Bool), write: d.write, free: func(int) (uint64, bool) { return 0, false }}
}

func put(t *testing.T, o *output, batch string, wantLost int) {
	t.Helper()
	if lost := o.put([]byte(batch)); lost != wantLost {
		t.Errorf("put(%q) lost %d lines, want %d", batch, lost, wantLost)
	}
}

func TestFullDisk(t *testing.T) {
	for room := range len("one\ntwo\nthree\n") + 1 {
		d := &disk{room: room}
		o := diskOutput(d)
		lost := o.put([]byte("one\ntwo\nthree\n"))
		whole := strings.Count("one\ntwo\nthree\n"[:room], "\n")
		torn := 0
		if len(o.rest) > 0 {
			torn = 1
		}
		if whole+torn+lost != 3 {
			t.Errorf("room %d: %d whole, %d torn, %d lost, want 3 together", room, whole, torn, lost)
		}
		put(t, o, "four\n", 1) // still full; the torn line waits
		d.room = 1000
		put(t, o, "five\nsix\n", 0)
		for line := range strings.Lines(d.String()) {
			if !strings.Contains("one\n two\n three\n five\n six\n", line) {
				t.Errorf("room %d: torn line %q in %q", room, line, d.String())
			}
		}
		if n := strings.Count(d.String(), "\n"); n != whole+torn+2 {
			t.Errorf("room %d: %d lines in %q, want %d", room, n, d.String(), whole+torn+2)
		}
	}
}

// The rest of a torn line that itself does not fit is not forgotten.
func TestDiskFillsTwice(t *testing.T) {
	d := &disk{room: 2}
	o := diskOutput(d)
	put(t, o, "abcdef\nx\n", 1)
	d.room = 2
	put(t, o, "y\n", 1)
	d.room = 100
	put(t, o, "z\n", 0)
	if d.String() != "abcdef\nz\n" {
		t.Errorf("disk has %q", d.String())
	}
}

// With little space left nothing is written at all, so that nothing is torn.
func TestReserveIsKept(t *testing.T) {
	d := &disk{room: 1 << 20}
	o := diskOutput(d)
	space := uint64(reserve + 3)
	o.free = func(int) (uint64, bool) { return space, true }
	put(t, o, "one\n", 1)
	space++
	put(t, o, "two\n", 0)
	if d.String() != "two\n" || d.calls != 1 {
		t.Errorf("disk has %q after %d writes", d.String(), d.calls)
	}
}

func TestInterruptedWriteIsRepeated(t *testing.T) {
	d := &disk{room: 100}
	o := diskOutput(d)
	interrupted := false
	o.write = func(fd int, p []byte) (int, error) {
		if interrupted = !interrupted; interrupted {
			return -1, unix.EINTR
		}
		return d.write(fd, p[:1]) // and short
	}
	put(t, o, "one\ntwo\n", 0)
	if d.String() != "one\ntwo\n" {
		t.Errorf("disk has %q", d.String())
	}
}

// A stuck reader gets its time once in all, not once for each batch; less when
// the process wants to end.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := true
		var got bytes.Buffer
		o := &output{ending: new(atomic.Bool)}
		o.ready = func(_ int, wait time.Duration) bool {
			if full {
				time.Sleep(wait) // virtual
			}
			return !full
		}
		o.write = func(_ int, p []byte) (int, error) { return got.Write(p) }
		takes := func(batch string, wantLost int, want time.Duration) {
			t.Helper()
			start := time.Now()
			put(t, o, batch, wantLost)
			if d := time.Since(start); d != want {
				t.Errorf("put(%q) took %v, want %v", batch, d, want)
			}
		}
		takes("one\ntwo\n", 2, patience)
		takes("three\n", 1, 0)
		full = false
		takes("four\n", 0, 0)
		full = true
		time.AfterFunc(time.Second/2, func() { o.ending.Store(true) })
		takes("five\n", 1, hurry)
		if got.String() != "four\n" {
			t.Errorf("written %q", got.String())
		}
	})
}

// A kernel that does not know the flag for this kind of file is asked once.
func TestWithoutNowait(t *testing.T) {
	var got bytes.Buffer
	asked := 0
	o := &output{nowait: true, ending: new(atomic.Bool)}
	o.now = func(int, []byte) (int, error) { asked++; return -1, unix.EOPNOTSUPP }
	o.ready = func(int, time.Duration) bool { return true }
	o.write = func(_ int, p []byte) (int, error) { return got.Write(p) }
	put(t, o, "one\n", 0)
	put(t, o, "two\n", 0)
	if asked != 1 || got.String() != "one\ntwo\n" {
		t.Errorf("asked %d times, written %q", asked, got.String())
	}
}

// A socket may take part of a line; the reader gets the whole all the same.
func TestStreamTakesPartOfALine(t *testing.T) {
	var got bytes.Buffer
	o := &output{nowait: true, ending: new(atomic.Bool)}
	o.ready = func(int, time.Duration) bool { return true }
	turn := 0
	o.now = func(_ int, p []byte) (int, error) {
		if turn++; turn%2 == 0 {
			return -1, unix.EAGAIN
		}
		return got.Write(p[:min(3, len(p))])
	}
	put(t, o, "eleven\ntwelve\n", 0)
	if got.String() != "eleven\ntwelve\n" {
		t.Errorf("written %q", got.String())
	}
}

func TestWholeLines(t *testing.T) {
	for _, test := range []struct {
		in    string
		limit int
		want  string
	}{
		{"a\nb\n", 4, "a\nb\n"},
		{"a\nb\n", 3, "a\n"},
		{"a\nb\n", 2, "a\n"},
		{"abc\nb\n", 2, "abc\n"}, // a line that is too long goes alone
	} {
		if got := string(wholeLines([]byte(test.in), test.limit)); got != test.want {
			t.Errorf("wholeLines(%q, %d) = %q, want %q", test.in, test.limit, got, test.want)
		}
	}
}

// The pieces that a pipe gets are at most PIPE_BUF bytes of whole lines.
func TestPiecesForAPipe(t *testing.T) {
	o := &output{nowait: true, ending: new(atomic.Bool)}
	total := 0
	o.now = func(_ int, p []byte) (int, error) {
		if len(p) > pipeBytes || p[len(p)-1] != '\n' {
			t.Errorf("piece of %d bytes ending in %q", len(p), p[len(p)-1])
		}
		total += len(p)
		return len(p), nil
	}
	batch := strings.Repeat(strings.Repeat("x", 1000)+"\n", 50)
	put(t, o, batch, 0)
	if total != len(batch) {
		t.Errorf("%d bytes in all, want %d", total, len(batch))
	}
}

// A process's own standard output stays open.
func TestStandardOutputIsNotClosed(t *testing.T) {
	newOutput(os.Stderr, new(atomic.Bool)).close()
	if _, err := os.Stderr.Stat(); err != nil {
		t.Error(err)
	}
}

// The flags of a descriptor that others share are left alone, and a file in
// the runtime's poller (which Fd would take out) too.
func TestFlagsAreLeftAlone(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	o := newOutput(w, new(atomic.Bool))
	before, err := unix.FcntlInt(uintptr(o.fd), unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	put(t, o, "one\n", 0)
	if after, _ := unix.FcntlInt(uintptr(o.fd), unix.F_GETFL, 0); after != before {
		t.Errorf("flags went from %#x to %#x", before, after)
	}
	o.close()
}

func TestSpaceIsKnown(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	o := newOutput(f, new(atomic.Bool))
	defer o.close()
	if space, known := o.free(o.fd); !known || space == 0 {
		t.Errorf("free space of the temporary folder = %d, known %v", space, known)
	}
	if !o.regular {
		t.Error("a file is not taken for one")
	}
}
