package sock

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Spec is what an operator asks of a listener.
type Spec struct {
	Address   string // ":8080", "127.0.0.1:0", "[::1]:80", "localhost:80", "unix:/path"
	Backlog   int    // 0: as much as the kernel allows
	ReusePort bool   // a socket per slot; never for unix:
	Mode      uint32 // of a unix: socket's file; 0 is DefaultMode
	Owner     string // of a unix: socket's file: "user", "user:group", ":group"; "" leaves it
}

// Set is the sockets of one listener, bound but not listening. It belongs to
// one goroutine.
type Set struct {
	Spec   Spec
	Shared bool   // one socket for all slots
	Files  []int  // the socket of each slot, or the one; CLOEXEC, non-blocking
	Bound  string // the address actually bound: port 0 is resolved
	Note   string // what the operator should know, e.g. that IPv6 is missing

	target    target
	listening []bool // for each of Files
	file      fileID // of a unix: socket's file
}

// Bind binds the sockets of a listener for a number of slots. Every error is
// a *BindError. It may take seconds when Address holds a name that must be
// looked up, so it is not for an event loop.
func Bind(spec Spec, slots int) (*Set, error) {
	t, err := resolve(spec.Address)
	if err != nil {
		return nil, &BindError{Address: spec.Address, Err: err}
	}
	s := &Set{Spec: spec, Shared: t.path != "" || !spec.ReusePort, target: t}
	s.note(t.note)
	s.note(backlogNote(spec.Backlog))
	if t.path != "" {
		err = s.bindUnix()
	} else {
		err = s.bindTCP(slots)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// bindTCP binds the first socket alone and lets the other slots' join it.
func (s *Set) bindTCP(slots int) error {
	fd, err := s.target.bind(false)
	if err != nil && s.target.dual && noIPv6(err) {
		s.target = s.target.ipv4()
		s.note("no IPv6 here: IPv4 only")
		fd, err = s.target.bind(false)
	}
	if err != nil {
		return s.refused(err)
	}
	s.add(fd)
	if err := s.resolvePort(fd); err != nil {
		return s.refused(err)
	}
	if s.Shared {
		return nil
	}
	// Only now: a first socket with the option would join any other server of
	// the same user that has it too, and silently take half of its clients.
	// The kernel looks at the option of both sockets when the second is bound,
	// so that setting it late is enough for the others to join.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return s.refused(fmt.Errorf("set SO_REUSEPORT: %w", err))
	}
	return s.Grow(slots)
}

// Grow binds sockets for more slots of a sliced listener, until it has as
// many; a shared one, or one that has them, stays as it is. After an error
// the set is as it was.
func (s *Set) Grow(slots int) error {
	if s.Shared {
		return nil
	}
	had := len(s.Files)
	for len(s.Files) < slots {
		fd, err := s.target.bind(true)
		if err != nil {
			closeAll(s.Files[had:])
			s.Files, s.listening = s.Files[:had], s.listening[:had]
			return s.refused(err)
		}
		s.add(fd)
	}
	return nil
}

// note adds to what the operator should know.
func (s *Set) note(text string) {
	if s.Note != "" && text != "" {
		s.Note += "; "
	}
	s.Note += text
}

func (s *Set) add(fd int) {
	s.Files = append(s.Files, fd)
	s.listening = append(s.listening, false)
}

// resolvePort remembers what the kernel chose for port 0.
func (s *Set) resolvePort(fd int) error {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return fmt.Errorf("getsockname: %w", err)
	}
	s.target.addr = addrPort(sa, s.target.addr)
	s.Bound = s.target.addr.String()
	return nil
}

// refused makes the BindError for an error of the kernel.
func (s *Set) refused(err error) error {
	return &BindError{Address: s.Spec.Address, Err: err, Hint: s.hint(err)}
}

// Listen lets the socket of a slot take connections, or the one socket of a
// shared listener. Once is enough; again is harmless. An error is a
// *BindError.
func (s *Set) Listen(slot int) error {
	if s.Shared {
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
	if s.Shared || slices.Contains(s.listening, true) {
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
	s.Files, s.listening = nil, nil
}

// Close closes the sockets and removes a unix: socket's file, if it is still
// the one that Bind made. It never calls shutdown, which would break the
// queue for all who hold copies.
func (s *Set) Close() {
	s.Leave()
	s.file.remove(s.target.path)
	s.file = fileID{}
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
