package site

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"srvctl/tests/harness"
)

// status is what the server says of itself, as far as tests look at it.
type status struct {
	State       string
	Connections int
	Workers     []worker
	Degraded    []struct {
		Slot      int
		Key, Text string
	}
	Listeners []struct {
		Name, Bound, Note string
		Shared            bool
	}
}

type worker struct {
	Slot, PID, Restarts   int
	State                 string
	Connections, Requests int
	LastExit              string `json:"last_exit"`
}

// look reads the admin address's /status.
func look(t testing.TB, s *harness.Server) status {
	t.Helper()
	code, page := harness.Get(t, s.URL("admin", "/status"))
	if code != 200 {
		t.Fatalf("/status = %d", code)
	}
	return decodeStatus(t, page)
}

// askStatus runs "srvctl status --json".
func askStatus(t testing.TB, s *harness.Server) status {
	t.Helper()
	r := s.Srvctl("status", "--json")
	if r.Code != 0 {
		t.Fatalf("srvctl status exits with %d: %s", r.Code, r.Stderr)
	}
	return decodeStatus(t, r.Stdout)
}

func decodeStatus(t testing.TB, text string) (st status) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &st); err != nil {
		t.Fatalf("status: %v in %s", err, text)
	}
	return st
}

// awaitStatus waits until the status is as wanted.
func awaitStatus(t testing.TB, s *harness.Server, what string, yes func(status) bool) status {
	t.Helper()
	var st status
	if !harness.Poll(patience, func() bool { st = look(t, s); return yes(st) }) {
		t.Fatalf("%s: not within %v; the status is %+v", what, patience, st)
	}
	return st
}

// awaitConnections waits until the server knows of n connections.
func awaitConnections(t testing.TB, s *harness.Server, n int) {
	t.Helper()
	awaitStatus(t, s, strconv.Itoa(n)+" connections", func(st status) bool { return st.Connections == n })
}

// metrics is the metrics page: series with its labels, and value.
type metrics map[string]float64

func readMetrics(t testing.TB, s *harness.Server) metrics {
	t.Helper()
	m, err := fetchMetrics(s.URL("admin", "/metrics"))
	must(t, err)
	return m
}

// fetchMetrics is readMetrics for any goroutine.
func fetchMetrics(url string) (metrics, error) {
	resp, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		return nil, fmt.Errorf("GET %s: %s, %v", url, resp.Status, err)
	}
	m := metrics{}
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		if at := strings.LastIndexByte(line, ' '); at > 0 && line[0] != '#' {
			if m[line[:at]], err = strconv.ParseFloat(line[at+1:], 64); err != nil {
				return nil, fmt.Errorf("metrics: %q: %w", line, err)
			}
		}
	}
	return m, nil
}

// sum adds the series of a name.
func (m metrics) sum(name string) (sum float64) {
	for series, v := range m {
		if series == name || strings.HasPrefix(series, name+"{") {
			sum += v
		}
	}
	return sum
}

// counter says whether a series may only grow.
func counter(series string) bool {
	name, _, _ := strings.Cut(series, "{")
	for _, end := range []string{"_total", "_count", "_sum", "_bucket"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// shrunk returns the counters that are smaller than they were before, or gone.
func (m metrics) shrunk(before metrics) (list []string) {
	for series, was := range before {
		if now, ok := m[series]; counter(series) && (!ok || now < was) {
			list = append(list, series+" "+strconv.FormatFloat(was, 'g', -1, 64)+" -> "+strconv.FormatFloat(now, 'g', -1, 64))
		}
	}
	return list
}
