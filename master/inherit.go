package master

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"srvctl/shared/sock"
)

// inherited is a socket that this process was started with: by a socket unit
// of systemd (sd_listen_fds(3)), or stored by a predecessor (service.store).
type inherited struct {
	fd   int
	name string // FileDescriptorName= of the unit, or what storeName made
}

const (
	// firstInherited is SD_LISTEN_FDS_START.
	firstInherited = 3

	// maxInherited bounds what LISTEN_FDS can make this process look at. It is
	// more than a unit's FileDescriptorStoreMax= has any reason to be.
	maxInherited = 8192

	// storePrefix begins the names of the descriptors that this program stored,
	// so that they are told from those of socket units.
	storePrefix = "srvctl@"

	// maxStoreName is the longest FDNAME= that systemd takes.
	maxStoreName = 255
)

// inherit returns the sockets that this process was started with, and removes
// the variables that announce them. Their owner is the caller. It must run
// before this process has opened a socket itself: should the announcement be
// wrong, it must not find one of those.
//
// It does not use go-systemd's activation: that has no bound, and its os.File
// would close the descriptor when it is collected.
func inherit() []inherited {
	count, names := announced()
	var list []inherited
	seen := make(map[socketID]int) // in list
	for i := range count {
		in := inherited{fd: firstInherited + i}
		if i < len(names) {
			in.name = names[i]
		}
		id, ok := identifySocket(in.fd)
		if !ok {
			continue // not open or not a socket: not what was announced, not ours to close
		}
		syscall.CloseOnExec(in.fd)
		first, again := seen[id]
		if !again {
			seen[id] = len(list)
			list = append(list, in)
			continue
		}
		// A socket of a socket unit that was stored as well comes twice. The
		// unit's name is the one to keep: that socket is not ours to forget.
		if !in.stored() {
			list[first].name = in.name
		}
		syscall.Close(in.fd)
	}
	return list
}

// announced returns how many descriptors the environment says there are, and
// their names.
func announced() (count int, names []string) {
	pid, fds, fdNames := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	for _, name := range []string{"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		os.Unsetenv(name)
	}
	// Those of another process were meant for it, and are not here.
	if pid != strconv.Itoa(os.Getpid()) {
		return 0, nil
	}
	count, err := strconv.Atoi(fds)
	if err != nil || count < 0 {
		return 0, nil
	}
	return min(count, maxInherited), strings.SplitN(fdNames, ":", maxInherited+1)
}

// socketID is what two descriptors of one socket have in common.
type socketID struct{ dev, ino uint64 }

func identifySocket(fd int) (socketID, bool) {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil || st.Mode&syscall.S_IFMT != syscall.S_IFSOCK {
		return socketID{}, false
	}
	return socketID{uint64(st.Dev), st.Ino}, true
}

// storeName makes the FDNAME= of a listener's address: printable ASCII without
// a colon, different for different addresses.
func storeName(address string) string {
	var b strings.Builder
	b.WriteString(storePrefix)
	for i := range len(address) {
		if c := address[i]; c <= ' ' || c >= 0x7f || c == ':' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	name := b.String()
	return name[:min(len(name), maxStoreName)]
}

// stored says whether a predecessor of this process stored the socket.
func (in inherited) stored() bool { return strings.HasPrefix(in.name, storePrefix) }

// leftover is an inherited socket that no listener wants.
type leftover struct {
	inherited
	// text tells the operator; "" when there is nothing to tell, because it was
	// a predecessor that left a listener the configuration no longer has.
	text string
}

// pairGiven finds the inherited sockets of each listener. Those that belong to
// none are left for the caller to close, and to forget where stored.
func pairGiven(given []inherited, identify func(fd int) (sock.Found, error), specs []sock.Spec) (perSpec [][]int, left []leftover) {
	perSpec = make([][]int, len(specs))
	for _, in := range given {
		found, err := identify(in.fd)
		if err != nil {
			left = append(left, in.unusable(err))
			continue
		}
		i := slices.IndexFunc(specs, found.Matches)
		if i < 0 {
			left = append(left, in.unwanted(found))
			continue
		}
		perSpec[i] = append(perSpec[i], in.fd)
	}
	return perSpec, left
}

func (in inherited) unusable(err error) leftover {
	if in.stored() {
		return leftover{inherited: in}
	}
	return leftover{in, fmt.Sprintf("systemd gave socket %s, which cannot be used: %v", in, err)}
}

func (in inherited) unwanted(found sock.Found) leftover {
	if in.stored() {
		return leftover{inherited: in}
	}
	return leftover{in, fmt.Sprintf("systemd gave socket %s (%s), but no listener has this address: set address in the configuration or ListenStream= in the unit", in, found.Address)}
}

func (in inherited) String() string {
	if in.name == "" {
		return strconv.Itoa(in.fd)
	}
	return in.name
}
