package sock

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Listen lets the socket of a slot take connections; a slot that has none of
// its own in a shared listener stands for the first. It is valid for every
// index of Files. Once is enough; again is harmless. An error is a *BindError.
func (s *Set) Listen(slot int) error {
	if s.Shared && slot >= len(s.Files) {
		slot = 0
	}
	if slot < 0 || slot >= len(s.Files) {
		return &BindError{Address: s.Spec.Address, Err: fmt.Errorf("slot %d of %d has no socket", slot, len(s.Files))}
	}
	if s.listening[slot] {
		return nil
	}
	if err := s.unchallenged(); err != nil {
		return err
	}
	if err := unix.Listen(s.Files[slot], backlog(s.Spec.Backlog)); err != nil {
		return s.refused(fmt.Errorf("listen: %w", err))
	}
	s.listening[slot] = true
	return nil
}

// unchallenged looks for another server that bound the address after Bind
// had seen it free, with SO_REUSEPORT as the same user, and listens there: the
// kernel would let both listen. It can only be seen while none of ours does.
func (s *Set) unchallenged() error {
	if s.target.path != "" || slices.Contains(s.listening, true) || !hasReusePort(s.Files[0]) {
		return nil
	}
	fd, err := s.target.bind(false)
	if err == nil {
		return unix.Close(fd)
	}
	// An overlapping listener of our own ("127.0.0.1:80" beside ":80") is no
	// challenger: the kernel prefers the more precise address. Nor is another
	// error a reason not to serve.
	if !errors.Is(err, unix.EADDRINUSE) || ownedByUs(listenersAt(s.target.addr)) {
		return nil
	}
	return s.refused(err)
}

// Leave closes the sockets, which live on in the processes that hold copies.
// A unix: socket's file stays, so that clients still reach those. Close ends it.
func (s *Set) Leave() {
	closeAll(s.Files)
	s.Files, s.listening, s.next = nil, nil, nil
}

// Close closes the sockets and removes a unix: socket's file, if it is still
// the set's and was not Given. It never calls shutdown, which would break the
// queue for all who hold copies. See Refuse for how to lose nobody.
func (s *Set) Close() {
	s.Leave()
	if !s.Given {
		s.file.remove(s.target.path)
	}
	s.file = fileID{}
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
