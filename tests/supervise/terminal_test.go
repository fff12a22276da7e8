package supervise

import (
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"srvctl/tests/harness"
)

const interrupt = "\x03" // what a terminal sends for ^C

// terminal is the near end of a pseudo-terminal: what a user sees and types.
type terminal struct {
	*os.File
	far string // path of the end that programs have
}

func openTerminal(t *testing.T) *terminal {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		harness.NotRun(t, err)
	}
	near := &terminal{File: os.NewFile(uintptr(fd), "ptmx")}
	t.Cleanup(func() { near.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	near.far = "/dev/pts/" + strconv.Itoa(n)
	return near
}

func (tty *terminal) typed(t *testing.T, keys string) {
	t.Helper()
	if _, err := io.WriteString(tty, keys); err != nil {
		t.Fatal(err)
	}
}

// inFlight waits until a worker works on a request.
func inFlight(s *harness.Server, n int) {
	s.AwaitStatus("requests in flight", func(st harness.Status) bool {
		sum := 0
		for _, w := range st.Workers {
			sum += w.InFlight
		}
		return sum == n
	})
}

// ^C reaches the master alone: what is in flight is answered, and every worker
// ends by itself.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	tty := openTerminal(t)
	s := harness.Start(t, harness.Options{Config: serving, Before: before(t, asTerminal, tty.far)})
	request := startSlow(t, s.Addr("http"))
	inFlight(s, 1)
	tty.typed(t, interrupt)
	s.AwaitStderr(`"msg":"stopping"`)
	request.finish()
	if code := s.AwaitExit(); code != 0 {
		t.Errorf("exit code %d after ^C, want 0", code)
	}
	log := s.Stderr()
	if n := strings.Count(log, `"msg":"worker drained"`); n != 2 {
		t.Errorf("%d workers drained, want 2", n)
	}
	if strings.Contains(log, "killed by") || strings.Contains(log, "unexpectedly") {
		t.Error("a worker did not end by itself")
	}
}

// A second ^C does not wait for anything.
func TestInterruptTwice(t *testing.T) {
	t.Parallel()
	tty := openTerminal(t)
	s := harness.Start(t, harness.Options{Config: serving, Before: before(t, asTerminal, tty.far)})
	request := startSlow(t, s.Addr("http"))
	inFlight(s, 1)
	tty.typed(t, interrupt)
	s.AwaitStderr(`"msg":"stopping"`)
	began := time.Now()
	tty.typed(t, interrupt)
	if code := s.AwaitExit(); code != 0 {
		t.Errorf("exit code %d after two ^C, want 0", code)
	}
	if took := time.Since(began); took > stretch(2*time.Second) {
		t.Errorf("a second ^C took %v", took)
	}
	if err := answered(request, slowBody); err == nil {
		t.Error("the request was answered although its body never came")
	}
}

// A terminal that goes away sends SIGHUP, which means reload: like nginx, which
// does not look for a terminal either, the server goes on. What it logs is lost
// from then on, and that harms nothing.
func TestHangup(t *testing.T) {
	t.Parallel()
	tty := openTerminal(t)
	s := harness.Start(t, harness.Options{Config: serving, Before: before(t, asTerminal, tty.far), Env: []string{"TERMINAL_LOGS=1"}})
	request := startSlow(t, s.Addr("http"))
	inFlight(s, 1)
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	s.AwaitStatus("a reload", func(st harness.Status) bool {
		return st.LastReload != nil && st.Reload == nil
	})
	if st := s.Status(); st.LastReload.Result != "ok" || st.Generation < 2 {
		t.Errorf("reload after the terminal has gone: %+v", *st.LastReload)
	}
	for range 5 { // each is answered with nobody to log to
		if err := hello("tcp", s.Addr("http")); err != nil {
			t.Error(err)
		}
	}
	request.finish()
	if code := s.Stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}
