package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"srvctl/tests/harness"
)

// held is what a process had when it was looked at: the clients' ports of its
// connections. Who holds a socket is in /proc/PID/fd by the socket's number, and
// whose socket it is, in /proc/net/tcp.
type held struct {
	pid   int
	ports map[int]bool
	at    time.Time
}

// has says whether a failure may come from the end of that process.
func (h held) has(f failure) bool { return h.ports[f.port] && f.born.Before(h.at) }

func (h held) String() string {
	return fmt.Sprintf("process %d with %d connections", h.pid, len(h.ports))
}

// whatHolds looks at a process that must not accept or close anything
// meanwhile.
func whatHolds(t testing.TB, pid int, addr string) held {
	t.Helper()
	h := held{pid: pid, ports: map[int]bool{}, at: time.Now()}
	peers := peersByInode(t, addr)
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(links) == 0 {
		t.Fatalf("no descriptors of process %d are to be seen: %v", pid, err)
	}
	for _, link := range links {
		name, err := os.Readlink(link)
		if err != nil {
			t.Fatal(err)
		}
		inode, is := strings.CutPrefix(name, "socket:[")
		if port := peers[strings.TrimSuffix(inode, "]")]; is && port != 0 {
			h.ports[port] = true
		}
	}
	return h
}

// peersByInode returns the other side's port of all accepted connections to an
// address, by the socket's number.
func peersByInode(t testing.TB, addr string) map[string]int {
	t.Helper()
	_, text, _ := strings.Cut(addr, ":")
	own, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	peers := map[string]int{}
	local := fmt.Sprintf("0100007F:%04X", own)
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) < 10 || f[1] != local {
			continue
		}
		_, hex, _ := strings.Cut(f[2], ":")
		if port, err := strconv.ParseUint(hex, 16, 16); err == nil && port != 0 {
			peers[f[9]] = int(port)
		}
	}
	return peers
}

// freeze stops a process and waits until all its threads stand still.
func freeze(t testing.TB, pid int) {
	t.Helper()
	send(t, pid, syscall.SIGSTOP)
	if !harness.Poll(patience, func() bool { return allThreads(pid, "T") }) {
		t.Fatalf("process %d does not stop", pid)
	}
}

// allThreads says whether every thread of a process is in a state.
func allThreads(pid int, state string) bool {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(files) == 0 {
		return false
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		_, rest, _ := strings.Cut(string(raw), ") ")
		if err != nil || !strings.HasPrefix(rest, state) {
			return false
		}
	}
	return true
}

func send(t testing.TB, pid int, sig syscall.Signal) {
	t.Helper()
	if pid <= 1 {
		t.Fatalf("%v to process %d: not one of ours", sig, pid)
	}
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatalf("%v to process %d: %v", sig, pid, err)
	}
}

// descriptors counts what a process has open.
func descriptors(t testing.TB, pid int) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
