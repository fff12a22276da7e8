package sock

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// holder is one listening socket and who has it open.
type holder struct {
	inode uint64
	uid   int
	pids  []int // empty when /proc does not tell: another user's
}

// listenersAt finds the listening sockets that overlap an address, from /proc.
// Who has them open is left out.
func listenersAt(addr netip.AddrPort) []holder {
	var found []holder
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(f)
		lines.Scan() // the title
		for lines.Scan() {
			at, h, ok := parseListener(lines.Text())
			if !ok {
				break // the connections follow, which may be very many
			}
			if overlap(at, addr) {
				found = append(found, h)
			}
		}
		f.Close()
	}
	return found
}

// parseListener reads one line of /proc/net/tcp or tcp6, if it is a
// listening socket:
//
//	sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ...
//	0: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0 1000 0 12345 ...
func parseListener(line string) (netip.AddrPort, holder, bool) {
	f := strings.Fields(line)
	if len(f) < 10 || f[3] != "0A" {
		return netip.AddrPort{}, holder{}, false
	}
	at, ok := parseAddress(f[1])
	uid, err1 := strconv.Atoi(f[7])
	inode, err2 := strconv.ParseUint(f[9], 10, 64)
	return at, holder{inode: inode, uid: uid}, ok && err1 == nil && err2 == nil
}

// parseAddress reads an address of that table.
func parseAddress(text string) (netip.AddrPort, bool) {
	host, service, _ := strings.Cut(text, ":")
	raw, err1 := hex.DecodeString(host)
	port, err2 := strconv.ParseUint(service, 16, 16)
	if err1 != nil || err2 != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	// The kernel prints each 32-bit group as a number of this machine.
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	ip, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(ip.Unmap(), uint16(port)), ok
}

// overlap says whether two listening addresses are in each other's way.
func overlap(a, b netip.AddrPort) bool {
	if a.Port() != b.Port() {
		return false
	}
	x, y := a.Addr().WithZone(""), b.Addr().WithZone("")
	return x == y || x.IsUnspecified() || y.IsUnspecified()
}

// findOwners fills in the processes that have the sockets open. It reads every
// descriptor of every process it may, so it is only for explaining an error
// that has happened.
func findOwners(sockets []holder) {
	links, _ := filepath.Glob("/proc/[0-9]*/fd/[0-9]*")
	for _, link := range links {
		inode, ok := socketInode(link)
		if !ok {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
		for i := range sockets {
			if s := &sockets[i]; s.inode == inode && !slices.Contains(s.pids, pid) {
				s.pids = append(s.pids, pid)
			}
		}
	}
	for i := range sockets {
		slices.Sort(sockets[i].pids)
	}
}

// socketInode reads a link of /proc/PID/fd, if it is a socket's.
func socketInode(link string) (uint64, bool) {
	name, _ := os.Readlink(link)
	name, ok := strings.CutPrefix(name, "socket:[")
	inode, err := strconv.ParseUint(strings.TrimSuffix(name, "]"), 10, 64)
	return inode, ok && err == nil
}

// ownedByUs says whether this process has all of the sockets open.
func ownedByUs(sockets []holder) bool {
	return len(sockets) > 0 && len(foreign(sockets)) == 0
}

// foreign are those of the sockets that this process does not have open.
func foreign(sockets []holder) []holder {
	ours := map[uint64]bool{}
	links, _ := filepath.Glob("/proc/self/fd/[0-9]*")
	for _, link := range links {
		if inode, ok := socketInode(link); ok {
			ours[inode] = true
		}
	}
	var list []holder
	for _, s := range sockets {
		if !ours[s.inode] {
			list = append(list, s)
		}
	}
	return list
}

// describe says who listens: "nginx (pid 812) and 3 more processes listen".
func describe(sockets []holder) string {
	var pids []int
	for _, s := range sockets {
		pids = append(pids, s.pids...)
	}
	slices.Sort(pids)
	pids = slices.Compact(pids)
	if len(pids) == 0 || pids[0] == 0 {
		if len(sockets) > 0 && len(sockets[0].pids) == 0 {
			return fmt.Sprintf("a process of %s listens", userName(sockets[0].uid))
		}
		return "another process listens"
	}
	if slices.Contains(pids, os.Getpid()) {
		return "this server itself listens"
	}
	// The lowest is mostly the parent that has to be stopped.
	first := fmt.Sprintf("%s (pid %d)", command(pids[0]), pids[0])
	switch n := len(pids) - 1; n {
	case 0:
		return first + " listens"
	case 1:
		return first + " and 1 more process listen"
	default:
		return fmt.Sprintf("%s and %d more processes listen", first, n)
	}
}

// command is the short name of a process.
func command(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "a process"
	}
	return strings.TrimSpace(string(b))
}

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return fmt.Sprintf("user %s (uid %d)", u.Username, uid)
	}
	return fmt.Sprintf("uid %d", uid)
}
