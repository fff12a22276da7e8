package sock

// White box: the lines of /proc/net/tcp that matter (IPv6, other byte orders
// of addresses, broken ones) cannot be made by opening sockets.

import (
	"net/netip"
	"os"
	"testing"
)

func TestLinesOfTheKernelsTable(t *testing.T) {
	const rest = " 00000000:00000000 00:00000000 00000000  "
	for _, c := range []struct {
		name, line, want string
		uid              int
		inode            uint64
	}{
		{"IPv4", "0: 0100007F:1F90 00000000:0000 0A" + rest + "33 0 12345 1 0000 100 0 0 10 0", "127.0.0.1:8080", 33, 12345},
		{"IPv4, all", "1: 00000000:0050 00000000:0000 0A" + rest + "0 0 7 1", "0.0.0.0:80", 0, 7},
		{"IPv6, all", "0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A" + rest + "0 0 8 1", "[::]:80", 0, 8},
		{"IPv6", "0: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A" + rest + "0 0 9 1", "[2001:db8::1]:80", 0, 9},
		{"IPv4 as IPv6", "0: 0000000000000000FFFF00000100007F:0050 0:0 0A" + rest + "0 0 9 1", "127.0.0.1:80", 0, 9},
		{"a connection", "0: 0100007F:1F90 0100007F:D431 01" + rest + "33 0 12345 1", "", 0, 0},
		{"the title", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", "", 0, 0},
		{"no hexadecimal", "0: 0100007X:1F90 0:0 0A" + rest + "0 0 9 1", "", 0, 0},
		{"an address of no length known", "0: 01000000007F:1F90 0:0 0A" + rest + "0 0 9 1", "", 0, 0},
		{"nothing", "", "", 0, 0},
	} {
		at, h, ok := parseListener(c.line)
		if ok != (c.want != "") {
			t.Errorf("%s: found %t", c.name, ok)
			continue
		}
		if ok && (at.String() != c.want || h.uid != c.uid || h.inode != c.inode) {
			t.Errorf("%s: %s uid %d inode %d, want %s %d %d", c.name, at, h.uid, h.inode, c.want, c.uid, c.inode)
		}
	}
}

// Nor can processes be made that are at these points of their end.
func TestLinesOfADyingProcess(t *testing.T) {
	for stat, want := range map[string]bool{
		"7 (srvctl) S 1 7 7 0 -1 4194560 0":  false,
		"7 (srvctl) R 1 7 7 0 -1 4194564 0":  true, // PF_EXITING
		"7 (srvctl) Z 1 7 7 0 -1 4194560 0":  true,
		"7 (a) Z (b) S 1 7 7 0 -1 4194560 0": false,
		"7 (a) S 1 (b) Z 1 7 7 0 -1 0 0":     true,
		"7 (srvctl) Z":                       false,
		"":                                   false,
	} {
		if got := exiting(stat); got != want {
			t.Errorf("exiting(%q) = %t", stat, got)
		}
	}
	for status, want := range map[string]bool{
		"Name:\tx\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000000\nSigBlk:\tffffffffffffffff\n": false,
		"SigPnd:\t0000000000000100\nShdPnd:\t0000000000000000\n":                                      true,
		"SigPnd:\t0000000000000000\nShdPnd:\t0000000000000100\n":                                      true,
		"SigPnd:\t0000000000000000\nShdPnd:\t0000000000004000\n":                                      false, // SIGTERM
		"SigPnd: none\n": false,
		"":               false,
	} {
		if got := killed(status); got != want {
			t.Errorf("killed(%q) = %t", status, got)
		}
	}
}

func TestAddressesThatAreInEachOthersWay(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"127.0.0.1:80", "127.0.0.1:80", true},
		{"127.0.0.1:80", "127.0.0.1:81", false},
		{"127.0.0.1:80", "127.0.0.2:80", false},
		{"0.0.0.0:80", "127.0.0.2:80", true},
		{"127.0.0.1:80", "[::]:80", true},
		{"[fe80::1%eth0]:80", "[fe80::1]:80", true},
	} {
		if got := overlap(netip.MustParseAddrPort(c.a), netip.MustParseAddrPort(c.b)); got != c.want {
			t.Errorf("overlap(%s, %s) = %t, want %t", c.a, c.b, got, c.want)
		}
	}
}

func TestHoldersInWords(t *testing.T) {
	for _, c := range []struct {
		sockets []holder
		want    string
	}{
		{[]holder{{pids: []int{os.Getpid()}}}, "this server itself listens"},
		{[]holder{{uid: 0}}, "a process of user root (uid 0) listens"},
		{[]holder{{uid: 4000000}}, "a process of uid 4000000 listens"},
		{[]holder{{pids: []int{0}}}, "another process listens"},
		{[]holder{{pids: []int{1 << 30}}}, "a process (pid 1073741824) listens"},
		{[]holder{{pids: []int{1 << 30}}, {pids: []int{1 << 30, 1<<30 + 1}}}, "a process (pid 1073741824) and 1 more process listen"},
		{[]holder{{pids: []int{1 << 30, 1<<30 + 1, 1<<30 + 2}}}, "a process (pid 1073741824) and 2 more processes listen"},
	} {
		if got := describe(c.sockets); got != c.want {
			t.Errorf("describe(%+v) = %q, want %q", c.sockets, got, c.want)
		}
	}
}
