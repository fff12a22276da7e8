package metrics_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/shared/metrics"
)

// writerVariable makes the test binary the writer of TestCellAcrossProcesses.
const writerVariable = "SRVCTL_TEST_METRICS_WRITER"

func TestMain(m *testing.M) {
	if os.Getenv(writerVariable) != "" {
		writeAsChild()
		return
	}
	os.Exit(m.Run())
}

func testLayout() metrics.Layout {
	return metrics.LayoutOf([]string{"example.com", "default"}, []string{"http", "https"}, "ok", "bare_lf", "bad_host")
}

// newCell returns a cell on ordinary memory, which is as good as shared memory
// inside one process.
func newCell(l metrics.Layout) *metrics.Cell {
	return metrics.NewCell(make([]byte, l.Size()), l)
}

func memfd(t *testing.T, size int) (*os.File, []byte) {
	t.Helper()
	fd, err := unix.MemfdCreate("metrics-test", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "metrics-test")
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(int64(size)); err != nil {
		t.Fatal(err)
	}
	mem, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(mem) })
	return f, mem
}

func TestCellCounts(t *testing.T) {
	c := newCell(testLayout())
	c.Accepted(0)
	c.Accepted(1)
	c.Refused(metrics.RefusedDescriptors)
	c.ParseError(1)
	c.Request(0, 200, 1e6)
	c.Request(1, 404, 2e6)
	c.Received(100)
	c.Sent(2000)
	c.Moved(3)
	c.AccessDropped(7)
	c.Gauges(5, 2, 1, 4)
	c.Beat(100e9, 3e6)
	want := metrics.View{
		Accepted: 2, Refused: 1, Requests: 2, ParseErrors: 1,
		Received: 100, Sent: 2000, Moved: 3, AccessDropped: 7,
		Idle: 5, Active: 2, Writing: 1, InFlight: 4, Beat: 100e9, Lag: 3e6,
	}
	if got := c.View(); got != want {
		t.Errorf("View() = %+v\nwant %+v", got, want)
	}
	if got := want.Connections(); got != 8 {
		t.Errorf("Connections() = %d, want 8", got)
	}
}

// An index that is out of range is counted somewhere harmless: a mistake in
// the worker must not be a way to crash it.
func TestCellOutOfRange(t *testing.T) {
	for _, i := range []int{-1, 2, 3, 1 << 40, -1 << 63} {
		c := newCell(testLayout())
		c.Accepted(i)
		c.Refused(i + 100)
		c.ParseError(i + 100)
		c.Request(i, i, -5)
		if v := c.View(); v.Accepted != 1 || v.Refused != 1 || v.ParseErrors != 1 || v.Requests != 1 {
			t.Errorf("index %d: View() = %+v, want one of each", i, v)
		}
	}
}

func TestOpenCellRefuses(t *testing.T) {
	l := testLayout()
	stamped := func(change func(mem []byte)) []byte {
		mem := make([]byte, l.Size())
		metrics.NewCell(mem, l)
		change(mem)
		return mem
	}
	renamed, swapped := testLayout(), testLayout()
	renamed.Sites[1] = "other.example.com"
	swapped.Listeners[0], swapped.Listeners[1] = swapped.Listeners[1], swapped.Listeners[0]
	fewer := metrics.LayoutOf(l.Sites, l.Listeners)

	for _, test := range []struct {
		name   string
		mem    []byte
		layout metrics.Layout
		want   string // "" = no error
	}{
		{"new", make([]byte, l.Size()), l, ""},
		{"stamped", stamped(func([]byte) {}), l, ""},
		{"larger mapping", make([]byte, l.Size()+8), l, ""},
		{"too small", make([]byte, l.Size()-1), l, "metrics: mapping of "},
		{"empty", nil, l, "metrics: mapping of 0 bytes"},
		{"not aligned", make([]byte, l.Size()+8)[1:], l, "not aligned"},
		{"something else", stamped(func(m []byte) { m[0]++ }), l, "not a metrics cell"},
		{"other version", stamped(func(m []byte) { m[8]++ }), l, "cell of version 2, this program speaks version 1"},
		{"site renamed", stamped(func([]byte) {}), renamed, "sites, listeners or reasons differ"},
		{"listeners in another order", stamped(func([]byte) {}), swapped, "sites, listeners or reasons differ"},
		{"fewer reasons", stamped(func([]byte) {}), fewer, "sites, listeners or reasons differ"},
	} {
		_, err := metrics.OpenCell(test.mem, test.layout)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: OpenCell() error = %v, want %q", test.name, err, test.want)
		}
	}
}

// A name that moves from one list to the next, or from the end of one name to
// the start of another, is another layout.
func TestChecksumSeparatesNames(t *testing.T) {
	mem := make([]byte, 1<<20)
	metrics.NewCell(mem, metrics.LayoutOf([]string{"ab", "c"}, []string{"d"}))
	if _, err := metrics.OpenCell(mem, metrics.LayoutOf([]string{"a", "bc"}, []string{"d"})); err == nil {
		t.Error("names ab,c and a,bc have the same checksum")
	}
}

// The peak of the lag stays visible for 15 s at least and 30 s at most.
func TestLagWindow(t *testing.T) {
	c := newCell(testLayout())
	const s = int64(1e9)
	for _, step := range []struct{ now, lag, want int64 }{
		{1000 * s, 5, 5},
		{1001 * s, 900, 900},
		{1002 * s, 3, 900},
		{1014 * s, 3, 900},
		{1015 * s, 7, 900}, // the next window: the peak is in the one before
		{1029 * s, 8, 900},
		{1030 * s, 2, 8}, // the peak is two windows old
		{1090 * s, 1, 1}, // no turn for long: neither window is recent
		{1091 * s, 0, 1},
	} {
		c.Beat(step.now, step.lag)
		if v := c.View(); v.Lag != step.want || v.Beat != step.now {
			t.Errorf("after Beat(%d s, %d): lag %d, beat %d; want lag %d", step.now/s, step.lag, v.Lag, v.Beat, step.want)
		}
	}
}

// A cell for many sites is large, and only what is used of it may cost memory,
// whoever reads it.
func TestUntouchedPagesStayAbsent(t *testing.T) {
	sites := make([]string, 1000)
	for i := range sites {
		sites[i] = "s" + string(rune('a'+i%26)) + strings.Repeat("x", i/26)
	}
	l := metrics.LayoutOf(sites, []string{"http"})
	f, mem := memfd(t, l.Size())
	c := metrics.NewCell(mem, l)
	if got := blocks(t, f); got > 4096 {
		t.Errorf("a new cell has %d bytes of pages, want the header's 4096", got)
	}
	c.Request(500, 200, 1e6)
	r := metrics.NewRegistry("test")
	r.Attach(1, 0, 1, 0, l, c)
	gather(t, r)
	c.View()
	r.Retire(1)
	// The histograms are 192 KB and read as a whole, the site's codes span at
	// most two pages; the 4 MB of the others' codes stay absent.
	if got := blocks(t, f); got > 220<<10 {
		t.Errorf("after one request and a scrape: %d bytes of pages of %d, want at most 220 KiB", got, l.Size())
	}
}

func blocks(t *testing.T, f *os.File) int64 {
	t.Helper()
	var s unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &s); err != nil {
		t.Fatal(err)
	}
	return s.Blocks * 512
}

const childRequests = 1_000_000

func writeAsChild() {
	l := testLayout()
	mem, err := unix.Mmap(3, 0, l.Size(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	c, err := metrics.OpenCell(mem, l)
	if err != nil {
		panic(err)
	}
	for i := range childRequests {
		c.Request(i%2, 200, int64(i))
		c.Sent(3)
	}
}

// The promise of "Plain adds" where it matters: writer and reader are two
// processes. No value goes backwards and none is lost.
func TestCellAcrossProcesses(t *testing.T) {
	l := testLayout()
	f, mem := memfd(t, l.Size())
	c := metrics.NewCell(mem, l)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), writerVariable+"=1")
	child.ExtraFiles = []*os.File{f}
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	donec := make(chan error, 1)
	go func() { donec <- child.Wait() }()
	var last metrics.View
	for running := true; running; {
		select {
		case err := <-donec:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
		}
		v := c.View()
		if v.Requests < last.Requests || v.Sent < last.Sent {
			t.Fatalf("went backwards: %+v after %+v", v, last)
		}
		last = v
	}
	if last.Requests != childRequests || last.Sent != 3*childRequests {
		t.Errorf("at the end: %d requests, %d bytes; want %d, %d", last.Requests, last.Sent, childRequests, 3*childRequests)
	}
}

func TestCellAllocatesNothing(t *testing.T) {
	c := newCell(testLayout())
	if n := testing.AllocsPerRun(100, func() {
		c.Accepted(0)
		c.Refused(metrics.RefusedLimit)
		c.ParseError(1)
		c.Request(0, 200, 12345)
		c.Received(10)
		c.Sent(10)
		c.Gauges(1, 2, 3, 4)
		c.Beat(1, 2)
		c.AccessDropped(1)
		c.Moved(1)
	}); n != 0 {
		t.Errorf("counting allocates %v times, want 0", n)
	}
}
