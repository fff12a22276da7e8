package loop

import "unsafe"

// FD is the descriptor of s, to see that one was used again.
func (s *Socket) FD() int { return int(s.fd) }

// Burst is how many connections one wake takes.
func Burst(shared bool) int {
	if shared {
		return burstShared
	}
	return burst
}

// TickNanos is how late a deadline may be.
const TickNanos = 1 << tickShift

// SocketSize is what a connection takes in this package.
const SocketSize = unsafe.Sizeof(Socket{}) + unsafe.Sizeof(slot{})
