package loadtest_test

import (
	"context"
	"strings"
	"testing"

	"srvctl/tests/harness"
	"srvctl/tests/harness/proc"
	"srvctl/tests/loadtest"
)

func TestMain(m *testing.M) { harness.Main(m) }

const config = `
workers: WORKERS
listeners: {http: {address: "@http@"}}
limits: {connections: 12000}
sites:
  - routes:
      - {match: "/c/{id}", respond: {body: "connection {id}\n"}}
`

// One worker holds the connections, each of which has been served once. What
// they cost is what its own memory has grown by; then all are served again.
func TestIdleConnections(t *testing.T) {
	n, each := 2000, int64(0) // a few pages more or less are a lot for each of 2,000
	if harness.Soak() {
		n, each = 10_000, 550
	}
	const inAll = 32 << 20
	harness.RaiseOpenFiles(t, uint64(n)+256)
	s := start(t, "1")
	workers := s.Workers()
	if len(workers) != 1 {
		t.Fatalf("workers: %v, want one", workers)
	}
	ask(t, open(t, s, 100)) // what the first requests need is not the connections' cost
	before := memory(t, workers[0].PID)

	crowd := open(t, s, n)
	ask(t, crowd)
	after := memory(t, workers[0].PID)
	grown := (after.Resident() - before.Resident()) / int64(n)
	t.Logf("%d idle connections from %d addresses: %d bytes each, worker %.1f MiB in all (%.1f before)",
		n, crowd.Addresses(), grown, mib(after.Resident()), mib(before.Resident()))
	if each > 0 && grown > each && !harness.Race() {
		t.Errorf("%d bytes for each idle connection, want at most %d", grown, each)
	}
	if after.Resident() > inAll && !harness.Race() {
		t.Errorf("the worker has %.1f MiB resident, want at most %.1f", mib(after.Resident()), mib(inAll))
	}
	ask(t, crowd)
	if now := s.Workers(); len(now) != 1 || now[0] != workers[0] {
		t.Errorf("workers afterwards: %v, want the same %v", now, workers)
	}
}

// The whole server with four workers and 1,000 connections, its pages counted
// once each.
func TestThousandOnFourWorkers(t *testing.T) {
	const n, inAll = 1000, 100_000_000
	harness.RaiseOpenFiles(t, n+256)
	s := start(t, "4")
	crowd := open(t, s, n)
	ask(t, crowd)
	var sum int64
	tree := proc.Tree(s.PID())
	for _, p := range tree {
		m := memory(t, p.PID)
		if m.PSS == 0 {
			harness.NotRun(t, "the proportional set size of the workers cannot be read")
		}
		sum += m.PSS
	}
	t.Logf("%d connections, %d processes: %.1f MB proportional set size", n, len(tree), float64(sum)/1e6)
	if len(tree) != 5 {
		t.Errorf("processes: %v, want 5", tree)
	}
	if sum > inAll && !harness.Race() {
		t.Errorf("%d bytes in all, want at most %d", sum, inAll)
	}
	ask(t, crowd)
}

func start(t *testing.T, workers string) *harness.Server {
	t.Helper()
	return harness.Start(t, harness.Options{Config: strings.Replace(config, "WORKERS", workers, 1)})
}

func open(t *testing.T, s *harness.Server, n int) *loadtest.Crowd {
	t.Helper()
	crowd, err := loadtest.Open(context.Background(), s.Addr("http"), n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(crowd.Close)
	return crowd
}

func ask(t *testing.T, crowd *loadtest.Crowd) {
	t.Helper()
	if err := crowd.Ask(context.Background(), path, number); err != nil {
		t.Fatal(err)
	}
}

func memory(t *testing.T, pid int) proc.Memory {
	t.Helper()
	m, err := proc.ReadMemory(pid)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
