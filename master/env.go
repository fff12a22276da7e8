package master

import (
	"os"
	"syscall"

	"srvctl/conf"
	"srvctl/shared/metrics"
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

// birth is what a worker process is started with.
type birth struct {
	id
	layout metrics.Layout
	host   int         // memfd of the counts shared by the host
	user   *credential // nil: as the master
}

// id names one worker process among all of this server.
type id struct {
	slot       int
	generation int
	index      int // number in the tables shared by the host; free again once it is reaped
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

// A worker is one process that runs, from its start until it is reaped. What
// is below the line belongs to the loop.
type worker struct {
	id
	proc  process
	link  link
	tail  *tail
	cell  *metrics.Cell
	unmap func() // gives the cell's memory back

	readc chan struct{} // closed when nothing more will come from link

	// ---
	outbox   []outgoing        // frames that did not fit into the link yet
	silent   bool              // its link has ended
	killed   bool              // SIGKILL was sent
	accepts  []int             // slots it was last told to accept from
	failure  string            // why it could not serve, in its own words
	verdict  string            // why it was signalled, "" when it was not
	reason   string            // label of the restart counter, "" = from its exit
	drained  bool              // its counts below are final
	finished int               // connections that ended by themselves while it drained
	cut      int               // connections it had to close
	degraded map[string]string // what it cannot do as configured, by key
}

// Paths are the files by which a running server is found.
type Paths struct {
	PID, Lock, Socket string
	// DaemonLog takes the place of stderr and stdout, which a daemon does not
	// have.
	DaemonLog string
}

// site and listener names in the order of the configuration: with them the
// master and the workers agree on what each counter means.
func siteNames(c *conf.Config) []string {
	names := make([]string, len(c.Sites))
	for i, s := range c.Sites {
		names[i] = s.Name
	}
	return names
}

func listenerNames(c *conf.Config) []string {
	names := make([]string, len(c.Listeners))
	for i, l := range c.Listeners {
		names[i] = l.Name
	}
	return names
}
