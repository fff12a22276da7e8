package handover

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"srvctl/tests/harness"
	"srvctl/tests/harness/proc"
)

// halt stops a process and waits until all of its threads stand still.
func halt(t *testing.T, pid int) {
	t.Helper()
	must(t, syscall.Kill(pid, syscall.SIGSTOP))
	t.Cleanup(func() {
		if p, there := proc.Read(pid); there && !p.Zombie {
			syscall.Kill(pid, syscall.SIGCONT)
		}
	})
	if !harness.Poll(patience, func() bool {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		return len(tasks) > 0 && !slices.ContainsFunc(tasks, func(task string) bool {
			raw, _ := os.ReadFile(task)
			return !bytes.Contains(raw, []byte(") T "))
		})
	}) {
		t.Fatalf("process %d does not stop", pid)
	}
}

// goOn continues a process.
func goOn(t *testing.T, pid int) {
	t.Helper()
	must(t, syscall.Kill(pid, syscall.SIGCONT))
}

// kill ends a process that stands still, so that what it held is known.
func kill(t *testing.T, pid int) {
	t.Helper()
	must(t, syscall.Kill(pid, syscall.SIGKILL))
}

// holding is what a process has of the connections to an address, by the
// clients' ports.
type holding struct {
	all      map[int]bool
	detached map[int]bool // of these, those that it does not watch: on their way to another
}

// whatHolds looks at a process: its descriptors, and what its epoll instances
// watch. Of one that runs, what changes meanwhile may be missing. peers are the
// connections that count.
func whatHolds(t *testing.T, pid int, peers map[string]int) holding {
	t.Helper()
	h := holding{map[int]bool{}, map[int]bool{}}
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	names, err := os.ReadDir(dir)
	must(t, err)
	ports := map[string]int{} // by descriptor
	watched := map[string]bool{}
	for _, n := range names {
		to, err := os.Readlink(filepath.Join(dir, n.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		if inode, is := strings.CutPrefix(to, "socket:["); is {
			if port := peers[strings.TrimSuffix(inode, "]")]; port != 0 {
				ports[n.Name()] = port
			}
		}
		if to == "anon_inode:[eventpoll]" {
			info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, n.Name()))
			must(t, err)
			for line := range strings.Lines(string(info)) {
				if f := strings.Fields(line); len(f) > 1 && f[0] == "tfd:" {
					watched[f[1]] = true
				}
			}
		}
	}
	for fd, port := range ports {
		h.all[port] = true
		if !watched[fd] {
			h.detached[port] = true
		}
	}
	return h
}

// peersByInode returns the other side's port of all accepted connections to an
// address, by the socket's number.
func peersByInode(t *testing.T, addr string) map[string]int {
	t.Helper()
	raw, err := os.ReadFile("/proc/net/tcp")
	must(t, err)
	const established = "01"
	own := fmt.Sprintf("0100007F:%04X", portOf(t, addr))
	peers := map[string]int{}
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) < 10 || f[1] != own || f[3] != established {
			continue
		}
		_, hex, _ := strings.Cut(f[2], ":")
		port, err := strconv.ParseUint(hex, 16, 16)
		must(t, err)
		peers[f[9]] = int(port)
	}
	return peers
}

func portOf(t *testing.T, addr string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(addr)
	must(t, err)
	port, err := strconv.Atoi(text)
	must(t, err)
	return port
}
