package sock

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// change is what Prepare has got ready.
type change struct {
	spec   Spec
	shared bool
	had    int // sockets there were before
}

// Prepare gets the set ready for a Spec of the same address and a number of
// slots: it binds what is missing, and nothing that a client could notice
// happens until Commit. After an error the set is as it was. Exactly one of
// Commit and Rollback must follow before the next Prepare.
//
// A shared listener that becomes sliced gets a socket for each further slot;
// what waits in its queue stays there. A sliced one that becomes shared, and
// one of fewer slots, keeps all its sockets: to close one would reset the
// connections in its queue.
func (s *Set) Prepare(next Spec, slots int) error {
	if s.next != nil {
		panic("sock: Prepare of " + s.Spec.Address + " while a change of it is prepared")
	}
	if next.Address != s.Spec.Address {
		panic("sock: Prepare of " + s.Spec.Address + " for another address, " + next.Address)
	}
	if _, _, err := parseOwner(next.Owner); err != nil {
		return &BindError{Address: s.Spec.Address, Err: err}
	}
	c := change{spec: next, shared: s.shares(next, slots), had: len(s.Files)}
	if !c.shared {
		if err := s.grow(slots); err != nil {
			return err
		}
	}
	s.next = &c
	return nil
}

// WillShare says what Shared will be after Commit.
func (s *Set) WillShare() bool {
	if s.next != nil {
		return s.next.shared
	}
	return s.Shared
}

// shares says whether the sockets are shared under a Spec. What was given
// without SO_REUSEPORT is one socket on purpose, and the kernel lets no other
// user's sockets join.
func (s *Set) shares(spec Spec, slots int) bool {
	switch {
	case s.target.path != "" || !spec.ReusePort:
		return true
	case s.Given && !hasReusePort(s.Files[0]):
		return true
	}
	return len(s.Files) < slots && !s.joinable()
}

// joinable says whether this process's sockets can join the first one.
func (s *Set) joinable() bool {
	var st unix.Stat_t
	return unix.Fstat(s.Files[0], &st) == nil && int(st.Uid) == os.Geteuid()
}

func hasReusePort(fd int) bool {
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT)
	return err == nil && on != 0
}

// Commit applies what Prepare got ready. The note says, for the operator, what
// of it could not be done and stays as it was.
func (s *Set) Commit() (note string) {
	if s.next == nil {
		panic("sock: Commit of " + s.Spec.Address + " without Prepare")
	}
	was, c := s.Spec, *s.next
	s.next = nil
	s.become(c.spec, c.shared)
	note = s.relisten()
	if s.target.path != "" && (was.Mode != c.spec.Mode || was.Owner != c.spec.Owner) {
		note = join(note, s.redress(was.Owner != c.spec.Owner))
	}
	return note
}

// relisten tells the kernel the backlog of the sockets that listen. For those
// listen(2) changes nothing else.
func (s *Set) relisten() (note string) {
	for i, on := range s.listening {
		if !on {
			continue
		}
		if err := unix.Listen(s.Files[i], backlog(s.Spec.Backlog)); err != nil {
			return fmt.Sprintf("the backlog of %s stays as it was: %v", s.Spec.Address, err)
		}
	}
	return ""
}

// Rollback undoes Prepare, if there was one. A socket that listens by now, and
// any before it, stays: clients may wait in its queue. SO_REUSEPORT stays too,
// where Prepare has set it: the kernel would not forget that the address may
// be joined, and prefer whoever joins to a socket without it.
func (s *Set) Rollback() {
	if s.next == nil {
		return
	}
	keep := len(s.Files)
	for keep > s.next.had && !s.listening[keep-1] {
		keep--
	}
	s.dropFrom(keep)
	s.next = nil
}
