package sock

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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

// Set is the sockets of one listener, which may be changed while they listen.
// It belongs to one goroutine.
type Set struct {
	Spec Spec
	// Shared: every worker accepts from all of Files. Mostly that is one
	// socket; a listener that was sliced before keeps all it had.
	Shared bool
	// Files has the socket of each slot, and behind those what remains of more
	// slots, from which all workers accept. CLOEXEC and non-blocking.
	Files []int
	Bound string // the address actually bound: port 0 is resolved
	Note  string // what the operator should know, e.g. that IPv6 is missing
	// Given: somebody else made the sockets, so that what they do not have is
	// not changed and a unix: socket's file is never removed. Adopt sets it;
	// whoever knows that its own server made them may unset it.
	Given bool

	target    target
	listening []bool // for each of Files
	given     int    // how many of Files were, the first ones
	file      fileID // of a unix: socket's file
	madeNote  string // the part of Note that no change of the Spec changes
	next      *change
}

// Bind binds the sockets of a listener for a number of slots. Every error is
// a *BindError. It may take seconds when Address holds a name that must be
// looked up, so it is not for an event loop.
func Bind(spec Spec, slots int) (*Set, error) { return BindBeside(spec, slots, nil) }

// BindBeside is Bind where sockets of this server itself may be in the way:
// those of own, which a reload is about to give up, or which are less precise
// (":80" beside "127.0.0.1:80"). The kernel lets sockets overlap a listening
// one only if all of them have SO_REUSEPORT, so those of own get it and keep
// it. It is refused as by Bind when any other process listens there too.
//
// While both listen, the more precise address gets the connections.
func BindBeside(spec Spec, slots int, own []*Set) (*Set, error) {
	t, err := resolve(spec.Address)
	if err != nil {
		return nil, &BindError{Address: spec.Address, Err: err}
	}
	s := &Set{target: t, madeNote: t.note}
	s.become(spec, t.path != "" || !spec.ReusePort)
	if t.path != "" {
		err = s.bindUnix()
	} else {
		err = s.bindTCP(slots, own)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// bindTCP binds the first socket alone and lets the other slots' join it.
func (s *Set) bindTCP(slots int, own []*Set) error {
	fd, err := s.target.bind(false)
	if err != nil && s.target.dual && noIPv6(err) {
		s.target = s.target.ipv4()
		s.madeNote = join(s.madeNote, "no IPv6 here: IPv4 only")
		s.become(s.Spec, s.Shared)
		fd, err = s.target.bind(false)
	}
	if errors.Is(err, unix.EADDRINUSE) && s.makeWay(own) {
		fd, err = s.target.bind(true)
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
	return s.grow(slots)
}

// makeWay lets sockets join those of our own sets that are in the way, if
// nobody else's are.
func (s *Set) makeWay(own []*Set) bool {
	if len(own) == 0 || !ownedByUs(listenersAt(s.target.addr)) {
		return false
	}
	for _, o := range own {
		if o.target.path != "" || !overlap(o.target.addr, s.target.addr) {
			continue
		}
		for _, fd := range o.Files {
			if err := setReusePort(fd); err != nil {
				return false
			}
		}
	}
	return true
}

// grow binds sockets until there is one for each slot. After an error the set
// is as it was.
func (s *Set) grow(slots int) error {
	// Only now: a first socket with the option would join any other server of
	// the same user that has it too, and silently take half of its clients.
	// The kernel looks at the option of both sockets when the second is bound,
	// so that setting it late is enough for the others to join; even on a
	// socket that listens, whose queue stays as it is.
	if err := setReusePort(s.Files[0]); err != nil {
		return s.refused(err)
	}
	had := len(s.Files)
	for len(s.Files) < slots {
		fd, err := s.target.bind(true)
		if err != nil {
			s.dropFrom(had)
			return s.refused(err)
		}
		s.add(fd)
	}
	return nil
}

func setReusePort(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return fmt.Errorf("set SO_REUSEPORT: %w", err)
	}
	return nil
}

// become makes a Spec the set's own.
func (s *Set) become(spec Spec, shared bool) {
	s.Spec, s.Shared = spec, shared
	s.Note = join(s.madeNote, backlogNote(spec.Backlog))
}

// join puts notes for the operator into one line.
func join(notes ...string) string {
	notes = slices.DeleteFunc(notes, func(n string) bool { return n == "" })
	return strings.Join(notes, "; ")
}

func (s *Set) add(fd int) {
	s.Files = append(s.Files, fd)
	s.listening = append(s.listening, false)
}

// dropFrom closes the sockets from one on.
func (s *Set) dropFrom(first int) {
	closeAll(s.Files[first:])
	s.Files, s.listening = s.Files[:first], s.listening[:first]
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
