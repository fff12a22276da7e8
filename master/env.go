package master

import (
	"os"
	"syscall"

	"srvctl/shared/sock"
)

// env is everything the loop asks of the operating system. It is a seam: unit
// tests run the loop with processes that are goroutines.
type env struct {
	// spawn starts a worker process. It may take milliseconds and runs on a
	// goroutine of its own.
	spawn func(birth) (*worker, error)
	// listen makes a slot's socket of a listener take connections.
	listen func(set *sock.Set, slot int) error
	// leave gives up this process's copies of a listener's sockets.
	leave func(set *sock.Set)
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
