package sock

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// nowhere is the index of a network device that no machine has. The kernel
// counts them from 1, and does not ask whether one exists to bind a socket to it.
const nowhere = math.MaxInt32

// Refuse is the first step of giving a listener up without losing anybody: no
// connection begins from now on, in whichever process, while those that wait
// in the queues, or whose handshake has begun, can still be accepted. Again is
// harmless; there is no way back. The order is
//
//	Refuse, Settle, accept until EAGAIN in every process, Close
//
// Without it a connection that is made between the last accept and the end of
// the socket is reset, although its client believes it to be open.
//
// A client that comes now finds what it would find if the sockets were closed:
// another listener that has its address, or a refusal. For that, a TCP socket
// is bound to a network device that does not exist. Handshakes that have begun
// and accepted connections have left the listener and are not touched by it.
// It takes no privilege from Linux 5.7 on, CAP_NET_RAW before. What it costs:
//
//   - Sockets joined by SO_REUSEPORT that are not all refused remain a group
//     for the kernel. The clients that it sends to a refused one get no answer
//     until that is closed, and reach another one with their retransmission,
//     usually after 1 s. So it is for given sockets that our own have joined,
//     and during the microseconds that a call takes.
//   - Handshakes by SYN cookies, which the kernel uses when a queue overflows,
//     are known to nobody until they end, and are reset.
//
// A unix: socket is shut down for receiving: what is in its queue stays. It
// needs no Settle, but epoll reports it as readable from now on without end.
//
// Sockets that were Given are left as they are: the giver has them open, so
// that to close ours loses nothing.
func (s *Set) Refuse() error {
	for i, fd := range s.Files {
		if !s.listening[i] || s.Given && i < s.given {
			continue
		}
		if err := s.refuse(fd); err != nil {
			return fmt.Errorf("refuse connections to %s: %w", s.Spec.Address, err)
		}
	}
	return nil
}

func (s *Set) refuse(fd int) error {
	if s.target.path != "" {
		return unix.Shutdown(fd, unix.SHUT_RD)
	}
	// Once it is bound, only CAP_NET_RAW may bind it again.
	if index, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX); err == nil && index == nowhere {
		return nil
	}
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, nowhere)
}

const (
	// settleFirst is more than the kernel needs for a step of a handshake, in
	// which that is in neither the table nor the queue.
	settleFirst = 2 * time.Millisecond
	settleMost  = 50 * time.Millisecond
)

// Settle waits until no handshake with these sets is half open that began
// before Refuse, but not longer than the limit, and returns how many are. That
// takes as long as the slowest client: a round trip, and more when a segment
// was lost, for which some seconds are a good limit. There is no signal for
// it: the kernel is asked, with growing pauses.
//
// It is not for an event loop. Unlike everything else of a Set it may run
// beside other methods.
func Settle(limit time.Duration, sets ...*Set) (halfOpen int, err error) {
	sets = slices.DeleteFunc(slices.Clone(sets), func(s *Set) bool { return s.target.path != "" })
	if len(sets) == 0 {
		return 0, nil
	}
	end := time.Now().Add(limit)
	pause := settleFirst
	awaited := map[string]bool{}
	for look := 1; ; look++ {
		now, err := handshakes(func(at netip.AddrPort) bool {
			return slices.ContainsFunc(sets, func(s *Set) bool { return overlap(at, s.target.addr) })
		})
		if err != nil {
			return 0, err
		}
		maps.DeleteFunc(awaited, func(h string, _ bool) bool { return !now[h] })
		// The first look may miss one that is on the way into the table. What
		// later ones find anew is of another listener of the same address.
		if look <= 2 {
			maps.Copy(awaited, now)
		}
		left := time.Until(end)
		if look >= 2 && len(awaited) == 0 || left <= 0 {
			return len(awaited), nil
		}
		<-time.After(min(pause, left))
		pause = min(2*pause, settleMost)
	}
}
