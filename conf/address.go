package conf

import (
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
)

// maxSocketPath is the room for a path in the kernel's sockaddr_un, without
// the zero at its end.
const maxSocketPath = 107

// address is a listener's address, taken apart.
type address struct {
	path string     // of a unix socket; the rest is empty then
	host string     // a name that is looked up when the address is bound
	ip   netip.Addr // invalid for all addresses
	port int
}

const wantAddress = `wanted: ":8080", "127.0.0.1:8080", "[::1]:8080" or "unix:/path"`

// parseAddress takes what shared/sock can bind. The path of a unix socket is
// not looked at.
func parseAddress(s string) (address, fault) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if path == "" || path[0] == '@' {
			return address{}, fault{message: quote(s) + " names no file"}
		}
		return address{path: path}, fault{}
	}
	if s == "" {
		return address{}, fault{message: "the address is empty"}
	}
	host, service, err := net.SplitHostPort(s)
	if err != nil || strings.Contains(s, "://") {
		return address{}, noAddress(s)
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return address{}, fault{message: "the port " + quote(service) + " is not a number from 0 to 65535"}
	}
	a := address{port: int(port)}
	switch ip, err := netip.ParseAddr(host); {
	case host == "" || host == "*":
	case err == nil:
		a.ip = ip.Unmap()
	case checkHost(host) != "" || strings.Contains(host, "*"):
		return address{}, fault{message: quote(host) + " is neither an IP address nor a host name"}
	default:
		a.host = strings.ToLower(host)
	}
	return a, fault{}
}

// noAddress explains the usual slips.
func noAddress(s string) fault {
	wrong := fault{message: quote(s) + " is not an address"}
	ip, err := netip.ParseAddr(s)
	_, notPort := strconv.ParseUint(s, 10, 16)
	switch {
	case notPort == nil:
		wrong.suggest = ":" + s
	case err == nil && ip.Is6():
		wrong.message = quote(s) + " has no port"
		wrong.suggest = "[" + s + "]:8080"
	case err == nil || s == "localhost":
		wrong.message = quote(s) + " has no port"
		wrong.suggest = s + ":8080"
	case strings.Contains(s, "://"):
		wrong.message = quote(s) + " is a URL"
	case filepath.IsAbs(s):
		wrong.suggest = "unix:" + s
	}
	return wrong
}

// overlaps reports whether two addresses cannot both be bound. Port 0 is a
// different port each time. ":80" takes both families, "0.0.0.0:80" and
// "[::]:80" only their own.
func (a address) overlaps(b address) bool {
	if a.path != "" || b.path != "" {
		return a.path == b.path
	}
	if a.port != b.port || a.port == 0 {
		return false
	}
	if a.host != "" && a.host == b.host {
		return true
	}
	x, y := a.family(), b.family()
	switch {
	case !x.IsValid() && a.host == "" || !y.IsValid() && b.host == "":
		return true
	case a.host == "localhost" && y == netip.IPv4Unspecified() || b.host == "localhost" && x == netip.IPv4Unspecified():
		return true
	case !x.IsValid() || !y.IsValid():
		return false
	}
	return x == y || x.BitLen() == y.BitLen() && (x.IsUnspecified() || y.IsUnspecified())
}

// family is the address to compare; localhost is taken for what it nearly
// always is.
func (a address) family() netip.Addr {
	if a.host == "localhost" {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return a.ip
}

// socketPath checks the length of a unix socket's path.
func (b *builder) socketPath(it *item, path string) {
	if len(path) > maxSocketPath {
		b.fault(it, "the path of a socket has "+itoa(len(path))+" bytes", "at most "+itoa(maxSocketPath)+" are possible", "")
	}
}
