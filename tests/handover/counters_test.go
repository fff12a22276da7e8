package handover

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"srvctl/tests/harness"
)

// namespaceMark is in the environment of the test's second process, which has a
// network of its own.
const namespaceMark = "HANDOVER_NETWORK"

// Nothing that the kernel counts when a connection is dropped, reset or thrown
// away happens, not even where no client would see it: reloads and scalings
// leave the counters of a network that is used by nobody else as they were.
func TestTCPCounters(t *testing.T) {
	if os.Getenv(namespaceMark) == "" {
		inOwnNetwork(t)
		return
	}
	s := setup{workers: 4}.start(t)
	l := startLedger(s.Addr("http"))
	if !harness.Poll(patience, func() bool { return l.Answered() >= 500 || l.Troubles() > 0 }) {
		t.Fatalf("only %d answers", l.Answered())
	}
	before := kernelCounters(t)
	for i, do := range steps(times(20, 100), times(3, 30), 0) {
		from := l.Answered()
		do(t, s)
		if !harness.Poll(patience, func() bool { return l.Answered() >= from+50 || l.Troubles() > 0 }) || l.Troubles() > 0 {
			t.Fatalf("after step %d: %d answers, %d faults", i, l.Answered()-from, l.Troubles())
		}
	}
	// Who stays until now has its end in the sum too.
	l.Stop()
	awaitQuiet(t, s, 0)
	now := kernelCounters(t)
	n := counters(t, s)[moved]
	for _, name := range mustStay {
		was, known := before[name]
		if !known {
			t.Errorf("the kernel does not count %s", name)
		}
		if is := now[name]; is != was {
			t.Errorf("%s was %d and is %d after all connections had moved (%v in all)", name, was, is, n)
		}
	}
	// They do count: a reset that a client makes is seen.
	rude := connect(t, s.Addr("http"))
	must(t, rude.ask("/version", "one\n"))
	must(t, rude.Conn.(*net.TCPConn).SetLinger(0))
	rude.Close()
	awaitQuiet(t, s, 0)
	if then := kernelCounters(t); then["Tcp:EstabResets"] == now["Tcp:EstabResets"] || then["Tcp:OutRsts"] == now["Tcp:OutRsts"] {
		t.Errorf("the kernel counts no reset when there is one")
	}
	rep := account(t, s, l)
	if opened := now["Tcp:PassiveOpens"] - before["Tcp:PassiveOpens"]; opened == 0 || rep.Total.Connections < 43 {
		t.Errorf("%d connections were opened meanwhile, the clients had %d in all: the counters are not those of this network", opened, rep.Total.Connections)
	}
	t.Logf("%v connections moved; Tcp:PassiveOpens +%d, Tcp:InSegs +%d, and none of %v", n,
		now["Tcp:PassiveOpens"]-before["Tcp:PassiveOpens"], now["Tcp:InSegs"]-before["Tcp:InSegs"], mustStay)
}

// mustStay are the counters of what goes wrong with connections: queues that are
// full, data that nobody reads any more, resets of either side.
var mustStay = []string{
	"TcpExt:ListenOverflows", "TcpExt:ListenDrops",
	"TcpExt:TCPAbortOnClose", "TcpExt:TCPAbortOnData", "TcpExt:TCPAbortFailed",
	"Tcp:EstabResets", "Tcp:OutRsts",
}

// inOwnNetwork runs this test in another process, in a network namespace of its
// own.
func inOwnNetwork(t *testing.T) {
	t.Helper()
	harness.Binary(t) // may have to be built, which needs the real network
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(times(1, 10))*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestTCPCounters$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), namespaceMark+"=own")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	cmd.WaitDelay = patience
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		harness.NotRun(t, "a network namespace of its own: "+err.Error())
	case err != nil:
		t.Errorf("in a network of its own: %v\n%s", err, out.String())
	case strings.Contains(out.String(), "NOT RUN"):
		harness.NotRun(t, out.String())
	case !strings.Contains(out.String(), "--- PASS: TestTCPCounters"):
		t.Errorf("in a network of its own it did not run:\n%s", out.String())
	default:
		t.Logf("in a network of its own:\n%s", out.String())
	}
}

// kernelCounters are those of this network namespace, as "Tcp:OutRsts".
func kernelCounters(t *testing.T) map[string]int64 {
	t.Helper()
	list := map[string]int64{}
	for _, path := range []string{"/proc/net/netstat", "/proc/net/snmp"} {
		raw, err := os.ReadFile(path)
		must(t, err)
		var names []string // a line of names, then one of values
		for line := range strings.Lines(string(raw)) {
			f := strings.Fields(line)
			if len(names) == 0 {
				names = f
				continue
			}
			for i := 1; i < min(len(f), len(names)); i++ {
				n, err := strconv.ParseInt(f[i], 10, 64)
				must(t, err)
				list[names[0]+names[i]] = n
			}
			names = nil
		}
	}
	return list
}
