package sock

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// hint says what is in the way of binding a set, and what to do.
func (s *Set) hint(err error) string {
	t := s.target
	switch {
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		return "too many descriptors are open: raise the limit (ulimit -n, LimitNOFILE= in the unit)"
	case t.path != "":
		return folderHint(t.path, err)
	case errors.Is(err, unix.EADDRINUSE):
		return inUseHint(t)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return deniedHint(int(t.addr.Port()))
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return "no interface of this machine has it; it has " + addresses()
	case errors.Is(err, unix.EAFNOSUPPORT):
		return "this machine has no IPv6: give an IPv4 address, or only the port for all addresses"
	}
	return ""
}

func inUseHint(t target) string {
	found := listenersAt(t.addr)
	port := t.addr.Port()
	if len(found) == 0 {
		return fmt.Sprintf("no process listens on port %d, so the port of an outgoing connection or a socket that does not listen yet is in the way; try again, or look with: ss -tanp 'sport = :%d'", port, port)
	}
	ours := ownedByUs(found)
	if !ours {
		found = foreign(found)
	}
	findOwners(found)
	who := describe(found)
	what := "stop it or give this listener another address"
	switch {
	case ours:
		what = "two listeners, or the one before a reload, overlap: give this one another address, or restart"
	case len(found[0].pids) == 0:
		what += fmt.Sprintf(" (as root, this shows it: ss -ltnp 'sport = :%d')", port)
	case strings.HasPrefix(who, "srvctl "):
		what = "stop that server (srvctl stop), or give this listener another address"
	}
	return who + " there; " + what
}

func deniedHint(port int) string {
	first := unprivilegedPort()
	if port != 0 && port < first {
		return fmt.Sprintf("ports below %d need root or the capability CAP_NET_BIND_SERVICE: start as root (workers drop to `user`), "+
			"or AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit, or setcap cap_net_bind_service=+ep on the binary, or a port from %d on", first, first)
	}
	return "a security policy of this machine (SELinux, AppArmor, seccomp, a sandbox) forbids it"
}

// unprivilegedPort is the first port that anybody may bind.
func unprivilegedPort() int {
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		return 1024
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 1024
	}
	return n
}

// addresses lists some of the machine's own addresses.
func addresses() string {
	const most = 8
	all, _ := net.InterfaceAddrs()
	var list []string
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok {
			list = append(list, n.IP.String())
		}
	}
	if len(list) == 0 {
		return "none"
	}
	if len(list) > most {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", len(list)-most)
	}
	return strings.Join(list, ", ")
}
