package site

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"srvctl/tests/harness"
)

// limits.connections holds for the host, not for a worker: whoever comes when it
// is reached is told so and counted, and those who come later are served.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	const limit = 50
	s := harness.Start(t, harness.Options{Config: hello + "limits: {connections: 50}\n"})
	crowd := make([]*client, limit)
	for i := range crowd {
		crowd[i] = connect(t, "tcp", s.Addr("http"))
		must(t, crowd[i].want("/hello", 200, "hello\n"))
	}
	const turnedAway = 10
	for i := range turnedAway {
		c := connect(t, "tcp", s.Addr("http"))
		if i%2 == 1 { // most clients talk first
			c.send(get("/hello"))
		}
		a, err := c.receive()
		if err != nil || a.code != 503 || !a.closes || a.body == "" {
			t.Fatalf("connection %d gets %+v, %v; want a whole 503 with Connection: close", limit+1+i, a, err)
		}
		if err := c.awaitEnd(time.Now().Add(patience)); err != nil {
			t.Errorf("connection %d: %v", limit+1+i, err)
		}
	}
	const counter = `srvctl_connections_refused_total{reason="connections_limit"}`
	if n := readMetrics(t, s)[counter]; n != turnedAway {
		t.Errorf("%s = %v, want %d", counter, n, turnedAway)
	}
	for i, c := range crowd { // the others did not notice
		if err := c.want("/hello", 200, "hello\n"); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	if st := look(t, s); st.Connections != limit {
		t.Errorf("status says %d connections, want %d", st.Connections, limit)
	}
	for _, c := range crowd[:limit/2] {
		c.Close()
	}
	awaitConnections(t, s, limit-limit/2)
	for range limit / 2 {
		must(t, connect(t, "tcp", s.Addr("http")).want("/hello", 200, "hello\n"))
	}
}

// limits.open_files is what a worker may open, whoever starts the server.
func TestOpenFiles(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Config: hello + "limits: {open_files: 777, connections: 100}\n"})
	for _, w := range s.Workers() {
		limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", w.PID))
		must(t, err)
		if !regexp.MustCompile(`(?m)^Max open files +777 `).Match(limits) {
			t.Errorf("limits.open_files is 777; limits of a worker:\n%s", limits)
		}
	}
}

// A worker without descriptors says so, keeps those it has, answers those it
// cannot keep, and takes new ones as soon as there is room.
func TestDescriptorsUsedUp(t *testing.T) {
	t.Parallel()
	s := harness.Prepare(t, harness.Options{
		Config: strings.Replace(hello, "workers: 2", "workers: 1", 1) + "limits: {open_files: 64}\n",
	})
	s.WriteFile("few", "#!/bin/sh\nulimit -n 64\nexec "+s.Binary+" \"$@\"\n")
	s.Binary = filepath.Join(s.Dir, "few")
	must(t, os.Chmod(s.Binary, 0o755))
	s.Launch()
	s.AwaitReady()
	worker := s.Workers()[0]

	served, refused := 0, 0
	var crowd []*client
	for range 200 {
		c := connect(t, "tcp", s.Addr("http"))
		crowd = append(crowd, c)
		must(t, c.send(get("/hello")))
		c.SetReadDeadline(time.Now().Add(patience))
		a, err := c.receive()
		switch {
		case err == nil && a.code == 200:
			served++
		case err == nil && a.code == 503 && a.closes:
			refused++
		default:
			t.Fatalf("connection %d, after %d served and %d refused: %+v, %v", len(crowd), served, refused, a, err)
		}
		if refused == 3 {
			break
		}
	}
	if served < 10 || served > 64 || refused != 3 {
		t.Errorf("%d connections served and %d refused with 64 descriptors", served, refused)
	}
	awaitStatus(t, s, "told by status", func(st status) bool {
		for _, d := range st.Degraded {
			if strings.Contains(d.Text, "limits.open_files") {
				return true
			}
		}
		return false
	})
	if !strings.Contains(s.Stderr(), "accepting pauses") {
		t.Error("the log does not say that accepting pauses")
	}
	if n := readMetrics(t, s)[`srvctl_connections_refused_total{reason="descriptors"}`]; n < 3 {
		t.Errorf("srvctl_connections_refused_total for want of descriptors is %v, want 3", n)
	}
	must(t, crowd[0].want("/hello", 200, "hello\n"))

	for _, c := range crowd {
		c.Close()
	}
	wantPage(t, s, "/hello", 200, "hello\n")
	awaitStatus(t, s, "the shortage is over", func(st status) bool {
		for _, d := range st.Degraded {
			if d.Key == "accept" {
				return false
			}
		}
		return true
	})
	if now := s.Workers(); len(now) != 1 || now[0].PID != worker.PID {
		t.Errorf("the worker was %v, now %v: want it to survive", worker, now)
	}
}
