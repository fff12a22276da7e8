package sock

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Adopt makes a set of sockets that this process was given: by systemd, or by
// the image it has replaced. They become the set's on success only; after an
// error they are the caller's as before. A socket that is there twice is kept
// once. Every error is a *BindError.
//
// Sockets with SO_REUSEPORT become the slots' in their order, if the Spec asks
// for that; missing ones are bound and join them, surplus ones are kept behind
// the slots. One without it is shared by all. Those that listen already get
// the Spec's backlog. A unix: socket's file keeps its mode and owner.
//
// An address with port 0 means whatever port the sockets have.
func Adopt(spec Spec, given []int, slots int) (*Set, error) {
	asked, err := resolve(spec.Address)
	if err != nil {
		return nil, &BindError{Address: spec.Address, Err: err}
	}
	s := &Set{Spec: spec, Given: true}
	twice, err := s.take(asked, given)
	if err != nil {
		return nil, &BindError{Address: spec.Address, Err: err}
	}
	s.given = len(s.Files)
	shared := s.shares(spec, slots)
	s.madeNote = join(asked.note, s.givenNote(asked, slots))
	s.become(spec, shared)
	if note := s.relisten(); note != "" {
		return nil, &BindError{Address: spec.Address, Err: errors.New(note)}
	}
	if !shared {
		if err := s.grow(slots); err != nil {
			return nil, err
		}
	}
	closeAll(twice)
	return s, nil
}

// take checks the sockets and puts them into the set. It returns the
// descriptors that are the same sockets once more.
func (s *Set) take(asked target, given []int) (twice []int, err error) {
	if len(given) == 0 {
		return nil, errors.New("no socket was given")
	}
	var inodes []uint64
	for _, fd := range given {
		f, err := Identify(fd)
		if err != nil {
			return nil, err
		}
		inode, err := inodeOf(fd)
		if err != nil {
			return nil, err
		}
		if slices.Contains(inodes, inode) {
			twice = append(twice, fd)
			continue
		}
		inodes = append(inodes, inode)
		if err := s.fits(asked, f); err != nil {
			return nil, err
		}
		if err := s.equip(fd); err != nil {
			return nil, fmt.Errorf("descriptor %d: %w", fd, err)
		}
		s.Files = append(s.Files, fd)
		s.listening = append(s.listening, f.Listening)
	}
	return twice, nil
}

// fits checks a socket against what is asked and those taken before it; the
// first one says what the set is.
func (s *Set) fits(asked target, f Found) error {
	have, err := resolve(f.Address)
	if err != nil {
		return fmt.Errorf("descriptor %d is %s: %w", f.FD, f.Address, err)
	}
	if len(s.Files) == 0 {
		if !asked.anyPort(have).means(have) {
			return fmt.Errorf("descriptor %d is the socket of another address, %s", f.FD, f.Address)
		}
		s.target, s.Bound = have, have.bound()
		if f.Unix {
			s.file = fileAt(have.path)
		}
		return nil
	}
	switch {
	case have != s.target:
		return fmt.Errorf("descriptors %d and %d have different addresses, %s and %s", s.Files[0], f.FD, s.Bound, f.Address)
	case f.Unix:
		return fmt.Errorf("descriptors %d and %d are different sockets of one file: the older has lost it", s.Files[0], f.FD)
	case !f.ReusePort || !hasReusePort(s.Files[0]):
		return fmt.Errorf("descriptors %d and %d are sockets of one address without SO_REUSEPORT: only one of them could listen", s.Files[0], f.FD)
	}
	return nil
}

// equip gives a socket what those of Bind have.
func (s *Set) equip(fd int) error {
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return fmt.Errorf("set O_NONBLOCK: %w", err)
	}
	if s.target.path != "" {
		return nil
	}
	for _, o := range s.target.common() {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return fmt.Errorf("set %s: %w", o.text, err)
		}
	}
	return nil
}

// givenNote is what the operator should know of given sockets.
func (s *Set) givenNote(asked target, slots int) (note string) {
	if s.target.dual && !asked.dual {
		note = "the socket that was given takes IPv4 too: its unit needs BindIPv6Only=ipv6-only"
	}
	if s.target.path == "" && s.Spec.ReusePort && hasReusePort(s.Files[0]) && len(s.Files) < slots && !s.joinable() {
		note = join(note, fmt.Sprintf("all workers share %d given sockets: they are another user's, so that uid %d can add none; "+
			"leave out ReusePort=yes, or give the unit a ListenStream= for each worker", len(s.Files), os.Geteuid()))
	}
	return note
}

func inodeOf(fd int) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, fmt.Errorf("descriptor %d: stat: %w", fd, err)
	}
	return st.Ino, nil
}
