package master

import (
	"os"
	"syscall"
	"time"

	"srvctl/conf"
	"srvctl/shared/sock"
)

// env is everything the loop asks of the operating system. It is a seam: unit
// tests run the loop with processes that are goroutines.
type env struct {
	// spawn starts a worker process. It may take milliseconds and runs on a
	// goroutine of its own.
	spawn func(birth) (*worker, error)
	// draft takes what a new generation needs. It may take seconds and runs on
	// a goroutine of its own.
	draft func(number int, c *conf.Config, has setting) (*draft, error)
	// prepare makes a listener's sockets fit for a changed configuration
	// without an effect; commit or rollback follows.
	prepare  func(set *sock.Set, spec sock.Spec, slots int) error
	commit   func(set *sock.Set) (note string)
	rollback func(set *sock.Set)
	// reachable says whether clients still get to a listener: a unix: socket's
	// file may have been removed or replaced.
	reachable func(set *sock.Set) bool
	// listen makes a slot's socket of a listener take connections.
	listen func(set *sock.Set, slot int) error
	// refuse lets no connection begin any more, settle waits for those that are
	// beginning. settle runs beside the loop.
	refuse func(set *sock.Set) error
	settle func(limit time.Duration, sets ...*sock.Set) (halfOpen int, err error)
	// leave gives up this process's copies of a listener's sockets.
	leave func(set *sock.Set)
	// close ends a listener that is not configured any more.
	close func(set *sock.Set)
	// examine says what the system knows of a process. It reads files.
	examine func(pid int) evidence
	// rehearse asks the program at a path whether it could go on from a state.
	// It may take seconds; what it returns is open.
	rehearse func(path string, user *credential, s *saved, stopc <-chan struct{}) (image int, version string, err error)
	// leap becomes the program of the upgrade. It does not return, unless it
	// has failed the upgrade.
	leap func(m *master)
	// open opens a log file for appending.
	open func(path string) (*os.File, error)
}

// process is one child, the few things that can be done with it. The methods
// are safe for concurrent use.
type process interface {
	pid() int
	// signal does nothing when the process has been reaped: its number may be
	// another's by then.
	signal(syscall.Signal) error
	// gone is closed when the process has been reaped.
	gone() <-chan struct{}
	// status is how it ended, valid once gone is closed.
	status() syscall.WaitStatus
}

// link is the control channel to one worker: one reading goroutine, and the
// loop which writes. Send never blocks.
type link interface {
	Send(frame []byte, fds []int) error
	Recv(buf []byte) (n int, fds []int, err error)
	Close()
}
