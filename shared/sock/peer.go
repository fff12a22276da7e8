package sock

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// PeerCred returns who is at the other end of a connected unix socket: the
// kernel noted it when the connection was made, so that it cannot be forged.
// pid may have ended since; uid stays true.
func PeerCred(fd int) (uid, pid int, err error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return -1, 0, fmt.Errorf("peer credentials: %w", err)
	}
	return int(cred.Uid), int(cred.Pid), nil
}
