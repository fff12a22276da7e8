package sock

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Found is a stream socket that this process was given.
type Found struct {
	FD        int
	Address   string // as an operator would write it: ":80" takes IPv4 and IPv6, "[::]:80" IPv6 only
	Unix      bool
	ReusePort bool
	Listening bool // else only bound
}

// Identify says what a descriptor is, and changes nothing. An error says why
// it is of no use to a server.
func Identify(fd int) (Found, error) {
	t, err := targetOf(fd)
	if err != nil {
		return Found{}, fmt.Errorf("descriptor %d: %w", fd, err)
	}
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return Found{}, fmt.Errorf("descriptor %d: SO_ACCEPTCONN: %w", fd, err)
	}
	address := t.bound()
	if t.dual {
		address = ":" + strconv.Itoa(int(t.addr.Port()))
	}
	isUnix := t.path != ""
	return Found{FD: fd, Address: address, Unix: isUnix, ReusePort: !isUnix && hasReusePort(fd), Listening: on != 0}, nil
}

// Matches says whether the address of a Spec means this socket. A name means
// what Bind would bind, and is looked up. Port 0 asks for a new port, so it
// means no socket that is there.
//
// ":80" means a socket for IPv6 and IPv4 or, on a machine without IPv6, one
// for IPv4. "[::]:80" also means one that takes IPv4 too: systemd makes that
// of the same text.
func (f Found) Matches(spec Spec) bool {
	asked, err1 := resolve(spec.Address)
	have, err2 := resolve(f.Address)
	return err1 == nil && err2 == nil && asked.means(have)
}

// means says whether a socket is what the address t asks for.
func (t target) means(have target) bool {
	if t.path != "" || have.path != "" {
		return t.path != "" && have.path != "" && samePath(t.path, have.path)
	}
	if t.addr.Port() != have.addr.Port() {
		return false
	}
	if t.dual && have.addr.Addr() == netip.IPv4Unspecified() {
		return !hasIPv6()
	}
	return t.addr.Addr() == have.addr.Addr() && (have.dual || !t.dual)
}

// anyPort is t with the port of another address, if it leaves that open.
func (t target) anyPort(have target) target {
	if t.path == "" && t.addr.Port() == 0 {
		t.addr = netip.AddrPortFrom(t.addr.Addr(), have.addr.Port())
	}
	return t
}

// bound is the address as Set.Bound tells it.
func (t target) bound() string {
	if t.path != "" {
		return "unix:" + t.path
	}
	return t.addr.String()
}

// samePath sees through links like /var/run.
func samePath(a, b string) bool {
	if a == b {
		return true
	}
	x, err1 := os.Lstat(a)
	y, err2 := os.Lstat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// hasIPv6 says whether this machine could bind all IPv6 addresses.
func hasIPv6() bool {
	fd, err := target{addr: netip.AddrPortFrom(netip.IPv6Unspecified(), 0), dual: true}.bind(false)
	if err == nil {
		unix.Close(fd)
	}
	return err == nil || !noIPv6(err)
}

// targetOf is the address of a stream socket that is no connection.
func targetOf(fd int) (target, error) {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	switch {
	case errors.Is(err, unix.EBADF):
		return target{}, errors.New("is not open")
	case errors.Is(err, unix.ENOTSOCK):
		return target{}, errors.New("is not a socket")
	case err != nil:
		return target{}, fmt.Errorf("SO_TYPE: %w", err)
	case kind != unix.SOCK_STREAM:
		return target{}, errors.New("is not a stream socket: its unit needs ListenStream=")
	}
	if _, err := unix.Getpeername(fd); err == nil {
		return target{}, errors.New("is a connection, not a listener: its unit needs Accept=no")
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return target{}, fmt.Errorf("getsockname: %w", err)
	}
	if sa, ok := sa.(*unix.SockaddrUnix); ok {
		return unixTargetOf(sa.Name)
	}
	return tcpTargetOf(fd, sa)
}

func unixTargetOf(name string) (target, error) {
	switch {
	case name == "" || name == "@": // x/sys writes the second for the first
		return target{}, errors.New("is a unix socket without a file")
	case name[0] != '/':
		return target{}, fmt.Errorf("is the unix socket %q: only those with an absolute path can be used", name)
	}
	return unixTarget(name)
}

func tcpTargetOf(fd int, sa unix.Sockaddr) (target, error) {
	protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil {
		return target{}, fmt.Errorf("SO_PROTOCOL: %w", err)
	}
	if protocol != unix.IPPROTO_TCP {
		return target{}, fmt.Errorf("has protocol %d instead of TCP: leave out SocketProtocol= in its unit", protocol)
	}
	var t target
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		t.addr = netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(sa.Addr).WithZone(zoneName(sa.ZoneId))
		t.addr = netip.AddrPortFrom(ip, uint16(sa.Port))
		only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		if err != nil {
			return target{}, fmt.Errorf("IPV6_V6ONLY: %w", err)
		}
		t.dual = only == 0 && ip.IsUnspecified()
	default:
		return target{}, errors.New("is a socket of another family than IPv4, IPv6 and unix")
	}
	if t.addr.Port() == 0 {
		return target{}, errors.New("is not bound to an address")
	}
	return t, nil
}

// zoneName is the zone of a link-local address as operators write it.
func zoneName(index uint32) string {
	if index == 0 {
		return ""
	}
	if ifi, err := net.InterfaceByIndex(int(index)); err == nil {
		return ifi.Name
	}
	return strconv.FormatUint(uint64(index), 10)
}
