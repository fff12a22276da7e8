package sock

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// handshakes finds those at our addresses that have begun and not ended, which
// are in the state SYN_RECV, by both ends' addresses. The kernel is asked for
// that state alone, since it may have very many connections in others; where
// it cannot be asked (sock_diag(7) is a module, and some sandboxes lack it),
// its table of all connections is read.
func handshakes(ours func(at netip.AddrPort) bool) (map[string]bool, error) {
	found := map[string]bool{}
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		if err := diagnose(family, ours, found); err != nil {
			return readHandshakes(ours)
		}
	}
	return found, nil
}

const (
	synRecv = 3 // TCP_SYN_RECV

	// Sizes and places of struct inet_diag_req_v2 and struct inet_diag_msg.
	diagRequest = 56
	diagReply   = 72
	diagSource  = 4 // of the ports and addresses in a reply
)

// diagnose asks for the half-open connections of an address family.
func diagnose(family uint8, ours func(netip.AddrPort) bool, found map[string]bool) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, diagQuestion(family), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			return err
		}
		for _, m := range messages {
			switch m.Header.Type {
			case unix.NLMSG_DONE:
				return nil
			case unix.NLMSG_ERROR:
				return errSockDiag
			}
			if local, both, ok := parseDiag(family, m.Data); ok && ours(local) {
				found[both] = true
			}
		}
	}
}

// diagQuestion is a header and a request for all connections of one state.
func diagQuestion(family uint8) []byte {
	b := make([]byte, unix.SizeofNlMsghdr+diagRequest)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	request := b[unix.SizeofNlMsghdr:]
	request[0], request[1] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(request[4:], 1<<synRecv)
	return b
}

// parseDiag returns the local address of a connection, and both ends as a key.
func parseDiag(family uint8, b []byte) (local netip.AddrPort, both string, ok bool) {
	if len(b) < diagReply {
		return local, "", false
	}
	ports, from, to := b[diagSource:diagSource+4], b[diagSource+4:diagSource+20], b[diagSource+20:diagSource+36]
	size := 4
	if family == unix.AF_INET6 {
		size = 16
	}
	ip, ok := netip.AddrFromSlice(from[:size])
	local = netip.AddrPortFrom(ip.Unmap(), binary.BigEndian.Uint16(ports))
	return local, string(ports) + string(from) + string(to), ok
}

var errSockDiag = errors.New("sock_diag refuses the question")

var synRecvColumn = []byte(" 03 ")

// readHandshakes is handshakes from /proc. It takes some 3 ms for every
// thousand connections of the machine.
func readHandshakes(ours func(at netip.AddrPort) bool) (map[string]bool, error) {
	found := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if os.IsNotExist(err) {
			continue // no IPv6
		}
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if !bytes.Contains(lines.Bytes(), synRecvColumn) {
				continue // cheaply: there may be very many
			}
			f := strings.Fields(lines.Text())
			if len(f) < 4 || f[3] != "03" {
				continue
			}
			if at, ok := parseAddress(f[1]); ok && ours(at) {
				found[f[1]+" "+f[2]] = true
			}
		}
		f.Close()
		if err := lines.Err(); err != nil {
			return nil, err
		}
	}
	return found, nil
}
