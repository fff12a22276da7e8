package chaos

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"

	"srvctl/tests/harness"
)

// A disk that is full costs log lines and nothing else: requests are answered,
// what is lost is counted and told once there is space, and no line is torn.
func TestLogDiskFull(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		harness.NotRun(t, "a small file system of the test's own needs root")
	}
	dir := harness.Dir(t)
	s := harness.Start(t, harness.Options{
		Config: setup{workers: 2, more: fmt.Sprintf("log: {output: %[1]s/log}\naccess_log: {output: %[1]s/access.log}\n", dir)}.config(),
		Files:  map[string]string{"public/file": file},
		// A mount namespace of its own: the file system goes with the server. It
		// has 1 MiB because less than two batches of the log is as good as full.
		Before: []string{"unshare", "--mount", "sh", "-c",
			`mount -t tmpfs -o size=1m,mode=755 tmpfs "$0" && exec "$@"`, dir},
	})
	disk := fmt.Sprintf("/proc/%d/root%s", s.PID(), dir)
	access, log := filepath.Join(disk, "access.log"), filepath.Join(disk, "log")
	load := startLoad(t, s.Addr("http"))
	awaitGrowth(t, access)

	ballast := filepath.Join(disk, "ballast")
	fill(t, ballast)
	full := size(t, access)
	load.awaitAnswers(t, 1000)
	victim := s.Status().Workers[0]
	send(t, victim.PID, syscall.SIGKILL) // an event that cannot be logged
	s.AwaitStatus("the killed worker is back", func(st harness.Status) bool {
		return st.Workers[0].State == "serving" && st.Workers[0].PID != victim.PID
	})
	load.awaitAnswers(t, 1000)
	if now := size(t, access); now != full {
		t.Errorf("the access log grew from %d to %d bytes on a full disk", full, now)
	}
	if !harness.Poll(patience, func() bool {
		p, err := readPage(s.URL("admin", "/metrics"))
		must(t, err)
		return p.sum("srvctl_access_log_dropped_total") > 0
	}) {
		t.Error("srvctl_access_log_dropped_total stays 0 while the disk is full")
	}

	must(t, os.Remove(ballast))
	awaitGrowth(t, access)
	awaitDropped(t, s, log)
	load.stop(t)
	wantWhole(t, access)
	wantWhole(t, log)
	if code := s.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// fill takes all the space that is left.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	for n := 4096; n > 0; {
		if _, err := f.Write(make([]byte, n)); errors.Is(err, syscall.ENOSPC) {
			n /= 2
		} else {
			must(t, err)
		}
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	return info.Size()
}

func awaitGrowth(t *testing.T, path string) {
	t.Helper()
	before := size(t, path)
	if !harness.Poll(patience, func() bool { return size(t, path) > before }) {
		t.Fatalf("%s does not grow", path)
	}
}

var dropped = regexp.MustCompile(`"msg":"log lines dropped[^"]*".*"dropped_total":(\d+)`)

// awaitDropped waits until the log tells how many lines it has lost. The master
// writes one when something happens: it is asked to reopen its logs.
func awaitDropped(t *testing.T, s *harness.Server, log string) {
	t.Helper()
	s.Signal(syscall.SIGUSR1)
	var raw []byte
	if !harness.Poll(patience, func() bool {
		var err error
		raw, err = os.ReadFile(log)
		must(t, err)
		return dropped.Match(raw)
	}) {
		t.Fatalf("the log does not tell of lost lines:\n%s", raw)
	}
	if n, _ := strconv.Atoi(string(dropped.FindSubmatch(raw)[1])); n == 0 {
		t.Error("the log tells of no lost lines")
	}
}

// wantWhole wants no line to be torn. The last one may be on its way.
func wantWhole(t *testing.T, path string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	must(t, err)
	for line := range bytes.Lines(raw[:bytes.LastIndexByte(raw, '\n')+1]) {
		if !json.Valid(line) {
			t.Errorf("torn line in %s: %q", path, line)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
