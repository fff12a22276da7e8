package site

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"srvctl/tests/harness"
)

const logged = `
workers: 2
listeners: {http: {address: "@http@"}}
access_log: {output: access.log, format: json}
sites:
  - hosts: [site.test]
    routes:
      - {match: "/users/{id}", respond: {body: "user {id}\n"}}
      - {match: /hello, respond: {body: "hello\n"}}
  - hosts: [combined.test]
    access_log: {output: combined.log, format: combined}
    routes: [{match: "/*", respond: {body: "hello\n"}}]
  - hosts: [silent.test]
    access_log: {output: ""}
    routes: [{match: "/*", respond: {body: "hello\n"}}]
`

// lines returns what a log holds, and fails on a line that has no end.
func lines(t *testing.T, path string) []string {
	t.Helper()
	raw, err := os.ReadFile(path)
	must(t, err)
	if len(raw) == 0 {
		return nil
	}
	if raw[len(raw)-1] != '\n' {
		t.Errorf("%s ends in the middle of a line", path)
	}
	return strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
}

// record is a line of the access log in JSON, with all its fields.
type record struct {
	Time                         time.Time
	Client, Method, Scheme, Host string
	Path, Protocol               string
	Status, Bytes                int
	DurationUS                   int `json:"duration_us"`
	Site, Route, Cache           string
	UserAgent                    string `json:"user_agent"`
	Referer                      string
	RequestID                    string `json:"request_id"`
	Worker                       int
}

// The lines of both formats say what happened, in full.
func TestAccessLogLines(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Config: logged})
	began := time.Now().Add(-time.Second)
	c := connect(t, "tcp", s.Addr("http"))
	for _, host := range []string{"site.test", "combined.test", "silent.test"} {
		must(t, c.send("GET /users/1?a=%20\"b HTTP/1.1\r\nHost: "+host+"\r\nUser-Agent: test \"agent\"\\\xff\r\nReferer: http://from.test/\r\n\r\n"))
		_, err := c.receive()
		must(t, err)
	}
	must(t, c.send("HEAD /hello HTTP/1.0\r\nHost: site.test\r\n\r\n"))
	must(t, c.awaitHead())
	if code := s.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}

	got := lines(t, filepath.Join(s.Dir, "access.log"))
	if len(got) != 2 {
		t.Fatalf("access.log has %d lines, want 2:\n%s", len(got), strings.Join(got, "\n"))
	}
	want := []record{
		{Client: "127.0.0.1", Method: "GET", Scheme: "http", Host: "site.test", Path: `/users/1?a=%20"b`, Protocol: "HTTP/1.1",
			Status: 200, Bytes: 7, Site: "site.test", Route: "/users/{id}", UserAgent: "test \"agent\"\\\ufffd", Referer: "http://from.test/"},
		{Client: "127.0.0.1", Method: "HEAD", Scheme: "http", Host: "site.test", Path: "/hello", Protocol: "HTTP/1.0",
			Status: 200, Site: "site.test", Route: "/hello"},
	}
	for i, line := range got {
		var r record
		dec := json.NewDecoder(strings.NewReader(line))
		dec.DisallowUnknownFields()
		must(t, dec.Decode(&r))
		if r.Time.Before(began) || r.Time.After(time.Now().Add(time.Second)) || r.DurationUS < 0 || r.DurationUS > 5e6 || r.Worker < 0 || r.Worker > 1 {
			t.Errorf("time, duration or worker cannot be: %s", line)
		}
		r.Time, r.DurationUS, r.Worker = time.Time{}, 0, 0
		if r != want[i] {
			t.Errorf("line %d says %+v\nwant %+v", i+1, r, want[i])
		}
	}

	combined := lines(t, filepath.Join(s.Dir, "combined.log"))
	form := regexp.MustCompile(`^127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /users/1\?a=%20\\x22b HTTP/1\.1" 200 6 "http://from\.test/" "test \\x22agent\\x22\\x5C\\xFF"$`)
	if len(combined) != 1 || !form.MatchString(combined[0]) {
		t.Errorf("combined.log is %q, want one line like %s", combined, form)
	}
}

// awaitHead reads the head of a response to HEAD and then the end.
func (c *client) awaitHead() error {
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return err
		}
		if line == "\r\n" {
			return c.awaitEnd(time.Now().Add(patience))
		}
	}
}

// USR1 lets logs be moved away under load: each request is in exactly one of
// them, and nothing is written into the old one any more.
func TestReopenLogs(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Config: logged})
	path := filepath.Join(s.Dir, "access.log")
	var asked atomic.Int64
	done := make(chan struct{})
	var wg sync.WaitGroup
	for id := range 4 {
		wg.Go(func() {
			c, err := dial("tcp", s.Addr("http"))
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				if err := c.want(fmt.Sprintf("/users/%d-%d", id, n), 200, fmt.Sprintf("user %d-%d\n", id, n)); err != nil {
					t.Error(err)
					return
				}
				asked.Add(1)
			}
		})
	}
	const rounds = 3
	for round := range rounds {
		from := asked.Load()
		if !harness.Poll(patience, func() bool { return asked.Load() >= from+300 }) {
			t.Fatal("no load")
		}
		must(t, os.Rename(path, fmt.Sprint(path, ".", round)))
		s.Signal(syscall.SIGUSR1)
		if !harness.Poll(patience, func() bool { info, err := os.Stat(path); return err == nil && info.Size() > 0 }) {
			t.Fatal("the log does not appear again")
		}
	}
	close(done)
	wg.Wait()
	if code := s.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	seen := map[string]int{}
	total := 0
	for _, name := range []string{".0", ".1", ".2", ""} {
		for _, line := range lines(t, path+name) {
			var r record
			must(t, json.Unmarshal([]byte(line), &r))
			seen[r.Path]++
			total++
		}
	}
	if int64(total) != asked.Load() || len(seen) != total {
		t.Errorf("%d requests, but %d lines for %d of them", asked.Load(), total, len(seen))
	}
	t.Logf("%d requests in %d logs", total, rounds+1)
}
