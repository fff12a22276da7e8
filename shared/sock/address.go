package sock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lookupTimeout bounds how long a name may take; the resolver of a machine
// whose name servers are gone would take half a minute for each.
const lookupTimeout = 5 * time.Second

// target is where a socket is bound.
type target struct {
	path string         // of a unix: socket, else ""
	addr netip.AddrPort // else
	dual bool           // addr is [::] and takes IPv4 too
	note string
}

// resolve finds out what an address means:
//
//	:80, *:80      all addresses, IPv6 and IPv4 by one socket
//	0.0.0.0:80     all IPv4 addresses
//	[::]:80        all IPv6 addresses, not IPv4: both can be listeners
//	name:80        the first IPv4 address of the name, else its first IPv6 one
//	unix:/path     a file
func resolve(address string) (target, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return unixTarget(path)
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return target{}, errors.New(`not an address; want ":8080", "127.0.0.1:8080", "[::1]:8080", "name:8080" or "unix:/path"`)
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return target{}, fmt.Errorf("port %q is not a number from 0 to 65535", service)
	}
	if host == "" || host == "*" {
		return target{addr: netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(port)), dual: true}, nil
	}
	ip, err := netip.ParseAddr(host)
	if err == nil {
		return target{addr: netip.AddrPortFrom(ip.Unmap(), uint16(port))}, nil
	}
	ip, note, err := lookup(host)
	return target{addr: netip.AddrPortFrom(ip, uint16(port)), note: note}, err
}

// maxPath is the room for a path in sockaddr_un, without its closing zero.
const maxPath = 107

func unixTarget(path string) (target, error) {
	switch {
	case !filepath.IsAbs(path):
		return target{}, fmt.Errorf("path %q is not absolute", path)
	case len(path) > maxPath:
		return target{}, fmt.Errorf("path of %d bytes is too long for a socket; at most %d", len(path), maxPath)
	case strings.IndexByte(path, 0) >= 0:
		return target{}, errors.New("path has a zero byte")
	}
	return target{path: filepath.Clean(path)}, nil
}

// lookup takes one address of a name. IPv4 goes first, as in Go's net.Listen,
// so that "localhost" means the same on machines with and without IPv6.
func lookup(name string) (netip.Addr, string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return netip.Addr{}, "", fmt.Errorf("name %q has no address here: %w", name, err)
	}
	first := ips[0].Unmap()
	for _, ip := range ips {
		if ip.Unmap().Is4() {
			first = ip.Unmap()
			break
		}
	}
	for _, ip := range ips {
		if ip.Unmap() != first {
			return first, fmt.Sprintf("%s has %d addresses: only %s is bound", name, len(ips), first), nil
		}
	}
	return first, "", nil
}

// noIPv6 says whether a wildcard IPv6 socket failed because the machine has
// no IPv6: compiled out or switched off at boot, or no address at all.
func noIPv6(err error) bool {
	return errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL)
}

// ipv4 is the same target without IPv6.
func (t target) ipv4() target {
	t.addr = netip.AddrPortFrom(netip.IPv4Unspecified(), t.addr.Port())
	t.dual = false
	return t
}

// newSocket is unix.Socket, replaced by the test for machines without IPv6.
var newSocket = unix.Socket

// bind makes a TCP socket and binds it. Accepted sockets inherit the options.
// IPPROTO_TCP is written out: MPTCP would escape Landlock's port rules.
func (t target) bind(reuseport bool) (fd int, err error) {
	family := unix.AF_INET
	if t.addr.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err = newSocket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
			fd = -1
		}
	}()
	for _, o := range t.options(reuseport) {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return fd, fmt.Errorf("set %s: %w", o.text, err)
		}
	}
	sa, err := sockaddr(t.addr)
	if err != nil {
		return fd, err
	}
	return fd, unix.Bind(fd, sa)
}

type option struct {
	level, name, value int
	text               string
}

// common are the options of every TCP listener, also of those that were given.
func (t target) common() []option {
	return []option{
		// Restarts are not held up by connections in TIME_WAIT.
		{unix.SOL_SOCKET, unix.SO_REUSEADDR, 1, "SO_REUSEADDR"},
		// Once here instead of once per accepted connection.
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1, "TCP_NODELAY"},
	}
}

func (t target) options(reuseport bool) []option {
	list := t.common()
	if t.addr.Addr().Is6() {
		only := 1
		if t.dual {
			only = 0
		}
		// Written out: the default is the sysctl net.ipv6.bindv6only.
		list = append(list, option{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only, "IPV6_V6ONLY"})
	}
	if reuseport {
		list = append(list, option{unix.SOL_SOCKET, unix.SO_REUSEPORT, 1, "SO_REUSEPORT"})
	}
	return list
}

func sockaddr(a netip.AddrPort) (unix.Sockaddr, error) {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}, nil
	}
	sa := &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	if zone := a.Addr().Zone(); zone != "" {
		ifi, err := net.InterfaceByName(zone)
		if err != nil {
			return nil, fmt.Errorf("zone %q: %w", zone, err)
		}
		sa.ZoneId = uint32(ifi.Index)
	}
	return sa, nil
}

// addrPort is asked with the port that the kernel chose.
func addrPort(sa unix.Sockaddr, asked netip.AddrPort) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(asked.Addr(), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(asked.Addr(), uint16(sa.Port))
	}
	return asked
}
