package harness

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"srvctl/tests/harness/clone"
)

// Port returns a free TCP port for a server on 127.0.0.1 and keeps other tests,
// also those of packages that run at the same time, from getting it until this
// test ends.
//
// A port that the kernel hands out for ":0" and that is then closed may be taken
// by any outgoing connection before the server binds it: with thousands of test
// connections that happens. So ports below the range of outgoing connections
// are tried, and claimed by a file lock.
func Port(t testing.TB) int {
	t.Helper()
	dir, err := clone.Cache("ports")
	if err != nil {
		t.Fatal(err)
	}
	const first = 10240
	last := min(outgoingFrom()-1, 65535)
	if last < first+1000 { // an unusual machine: take what the kernel gives
		return kernelPort(t)
	}
	for range 1000 {
		port := first + rand.IntN(last-first+1)
		now, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		unlock, err := clone.Lock(now, filepath.Join(dir, strconv.Itoa(port)))
		cancel()
		if err != nil {
			continue // another test has it
		}
		if !canBind(port) {
			unlock()
			continue
		}
		t.Cleanup(unlock)
		return port
	}
	t.Fatalf("no free port from %d to %d", first, last)
	return 0
}

func canBind(port int) bool {
	for _, addr := range []string{"127.0.0.1", ""} { // "" is both families, all addresses
		l, err := net.Listen("tcp", net.JoinHostPort(addr, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

func kernelPort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// outgoingFrom returns the lowest port the kernel gives outgoing connections.
func outgoingFrom() int {
	low := 32768
	if raw, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		fmt.Sscan(string(raw), &low)
	}
	return low
}
