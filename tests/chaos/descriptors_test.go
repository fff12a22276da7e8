package chaos

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"srvctl/tests/harness"
)

// Workers that can open no more descriptors turn new clients away and say so,
// and a reload with more room is the way out: nobody who was let in is lost.
func TestWorkersOutOfDescriptors(t *testing.T) {
	t.Parallel()
	// The connections of before may be silent for as long as the test takes.
	patient := func(c setup) string {
		return strings.Replace(c.config(), "timeout: 5s, idle: 1s", "timeout: 40s, idle: 40s", 1)
	}
	tight := setup{workers: 2, more: "limits: {open_files: 64}\n"}
	s := harness.Start(t, harness.Options{Config: patient(tight), Files: map[string]string{"public/file": file}})
	crowd, refused := fillUp(t, s.Addr("http"))
	t.Logf("%d connections served, %d refused", len(crowd), refused)
	s.AwaitStatus("the shortage is told", func(st harness.Status) bool {
		return strings.Contains(st.Complaints(), "accepting pauses") && strings.Contains(st.Complaints(), "limits.open_files")
	})

	wide := setup{workers: 2, version: 1, more: "limits: {open_files: 4096}\n"}
	s.Configure(patient(wide))
	if done, code := s.ReloadJSON(); code != 0 {
		t.Fatalf("reload: exit %d, %+v", code, done)
	}
	if code, body := harness.Get(t, s.URL("http", "/version")); code != 200 || body != "v1\n" {
		t.Errorf("/version after the reload = %d %q", code, body)
	}
	for _, c := range crowd {
		askUntilServedAnew(t, c)
	}
	s.AwaitStatus("the shortage is over", func(st harness.Status) bool {
		return len(st.Degraded) == 0 && len(st.Workers) == 2
	})
}

// askUntilServedAnew asks on a connection of before a reload until it has moved to
// a new worker, or is told that an answer is the last. The order to drain may
// come a moment after the answer to the operator.
func askUntilServedAnew(t *testing.T, c *client) {
	t.Helper()
	if !harness.Poll(patience, func() bool {
		closes, err := c.exchange("GET /version HTTP/1.1\r\nHost: a\r\n\r\n", "v0\n")
		var other wrongAnswer
		if errors.As(err, &other) && strings.Contains(other.text, `answer 200 "v1\n"`) {
			return true
		}
		must(t, err)
		return closes
	}) {
		t.Fatal("a connection of before the reload stays with the old worker")
	}
	c.Close()
}

// fillUp connects until enough have been turned away, and returns those that
// were let in.
func fillUp(t *testing.T, addr string) (crowd []*client, refused int) {
	t.Helper()
	const most, enough = 400, 3
	for range most {
		conn, err := net.DialTimeout("tcp", addr, patience)
		must(t, err)
		t.Cleanup(func() { conn.Close() })
		must(t, conn.SetDeadline(time.Now().Add(2*patience)))
		c := &client{conn, bufio.NewReader(conn)}
		_, err = c.exchange("GET /n/1 HTTP/1.1\r\nHost: a\r\n\r\n", "n 1\n")
		switch {
		case err == nil:
			crowd = append(crowd, c)
		case strings.Contains(err.Error(), "answer 503"):
			refused++
		default:
			t.Fatalf("connection %d: %v", len(crowd)+refused+1, err)
		}
		if refused == enough {
			return crowd, refused
		}
	}
	t.Fatalf("%d connections were let in with 64 descriptors for each of two workers", len(crowd))
	return nil, 0
}

// A master that can open hardly anything any more refuses a reload in words and
// ends nothing. A worker that crashes meanwhile is tried again until there is
// room.
func TestMasterOutOfDescriptors(t *testing.T) {
	t.Parallel()
	r := start(t, seed(t))
	before := r.s.Status()
	var room unix.Rlimit
	r.metrics.without(func() { // each look needs a descriptor of the master
		room = r.limitMaster(2)

		to := r.next()
		r.s.Configure(to.config())
		const what = "reload by a master without descriptors"
		res := r.s.Reload()
		if res.Code != 1 || !strings.Contains(res.Stderr, "too many open files") {
			r.Errorf("%s: exit %d, stderr %q; want 1 and that too many files are open", what, res.Code, res.Stderr)
		}
		r.unchanged(what, before)
		r.load.awaitAnswers(r, 200)
		r.noFailures(what)

		r.crashWithout()
		must(t, unix.Prlimit(r.s.PID(), unix.RLIMIT_NOFILE, &room, nil))
		r.backAfterPause("there is room again", 0)
		r.setup = to
		if done, code := r.s.ReloadJSON(); code != 0 {
			r.Errorf("reload by a master with descriptors again: exit %d, %+v", code, done)
		}
	})
	r.calm("there is room again")
	r.noFailures("there is room again")
}

// limitMaster leaves the master so many descriptors more than it has open, and
// returns the limit before.
func (r *run) limitMaster(more int) (before unix.Rlimit) {
	r.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", r.s.PID()))
	must(r, err)
	used := map[string]bool{}
	for _, link := range links {
		used[filepath.Base(link)] = true
	}
	// The limit is one of numbers, of which some below the highest are free.
	limit := 0
	for ; more >= 0; limit++ {
		if !used[strconv.Itoa(limit)] {
			more--
		}
	}
	must(r, unix.Prlimit(r.s.PID(), unix.RLIMIT_NOFILE, nil, &before))
	less := unix.Rlimit{Cur: uint64(limit - 1), Max: before.Max}
	must(r, unix.Prlimit(r.s.PID(), unix.RLIMIT_NOFILE, &less, nil))
	return before
}

// crashWithout kills the worker of slot 0 and wants that the master tries to
// replace it, and says why it cannot.
func (r *run) crashWithout() {
	r.Helper()
	const what = "a crash without descriptors"
	w := r.slot(0)
	log := r.s.Logged()
	mine := r.catch(w.PID)
	send(r, w.PID, syscall.SIGKILL)
	tried := regexp.MustCompile(`"msg":"worker could not be started".*"slot":0,.*too many open files`)
	const tries = 3
	if !harness.Poll(patience, func() bool {
		return len(tried.FindAllString(r.s.Stderr()[log:], -1)) >= tries
	}) {
		r.Fatalf("%s: the log does not tell of %d starts that did not work", what, tries)
	}
	if now := r.slot(0); !strings.Contains(now.LastExit, "too many open files") {
		r.Errorf("%s: the status says the last exit was %q", what, now.LastExit)
	}
	r.pausesDouble(what, r.s.Stderr()[log:], 0)
	r.load.awaitAnswers(r, 200)
	r.onlyBy(what, mine...)
}
