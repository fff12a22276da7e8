package master

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/coreos/go-systemd/v22/daemon"
)

// service is the service manager that started this process, systemd or another
// that knows sd_notify(3), as far as it asked to be told. Its methods may be
// called by the loop: they hand a message to a goroutine and never wait. Where
// nobody asked they do nothing.
//
// MAINPID= is never sent: this process is the one that was started, always.
type service struct {
	name     string        // of the manager's socket
	interval time.Duration // between pings, 0: none wanted
	queue    chan<- notice // nil: nobody asked, or closed
	donec    chan struct{} // closed when the goroutine has ended
}

// notice is one datagram. Its descriptors belong to it.
type notice struct {
	text string
	fds  []int
}

const (
	// maxNotices bounds what waits for a manager that does not read. The kernel
	// keeps 10 to 512 more (net.unix.max_dgram_qlen).
	maxNotices = 64

	// noticeWait is how long a manager may take to make room for one message.
	// systemd does not read while it executes itself anew.
	noticeWait = 5 * time.Second

	// goodbyeWait is how long the end of the server waits for the last message.
	goodbyeWait = 100 * time.Millisecond

	// maxRights bounds the descriptors in one datagram: SCM_MAX_FD of the
	// kernel is 253.
	maxRights = 250

	// minPing bounds how often a manager can be pinged, whatever it asks.
	minPing = 10 * time.Millisecond

	// maxStatus bounds STATUS=, a line for people.
	maxStatus = 512
)

// newService reads what the service manager wants to be told, and removes the
// variables so that no child can speak for this service.
func newService() *service {
	s := &service{name: os.Getenv("NOTIFY_SOCKET")}
	// A WATCHDOG_USEC that cannot be read, or is another process's, is none.
	limit, _ := daemon.SdWatchdogEnabled(true)
	for _, name := range []string{"NOTIFY_SOCKET", "FDSTORE"} {
		os.Unsetenv(name)
	}
	if s.name == "" {
		return s
	}
	if limit > 0 {
		s.interval = max(limit/2, minPing) // sd_watchdog_enabled(3): "every half of the time"
	}
	queue := make(chan notice, maxNotices)
	s.queue, s.donec = queue, make(chan struct{})
	go s.deliver(queue)
	return s
}

// environ adds what newService has removed, for the next program in this
// process.
func (s *service) environ(list []string) []string {
	if s.name == "" {
		return list
	}
	list = append(list, "NOTIFY_SOCKET="+s.name)
	if s.interval > 0 {
		list = append(list, "WATCHDOG_USEC="+strconv.FormatInt(2*s.interval.Microseconds(), 10), "WATCHDOG_PID="+strconv.Itoa(os.Getpid()))
	}
	return list
}

// deliver sends what is in the queue until close.
func (s *service) deliver(queue <-chan notice) {
	defer close(s.donec)
	for n := range queue {
		// Nothing depends on being heard, and what a manager did not take
		// within noticeWait it would not use any more.
		_ = s.send(n)
		closeAll(n.fds)
	}
}

// send sends one datagram by a socket of its own, as systemd's library does:
// a manager that was started anew has another socket at the same address.
func (s *service) send(n notice) error {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	wait := syscall.NsecToTimeval(int64(noticeWait))
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &wait); err != nil {
		return err
	}
	var rights []byte
	if len(n.fds) > 0 {
		rights = syscall.UnixRights(n.fds...)
	}
	to := &syscall.SockaddrUnix{Name: s.name}
	for deadline := time.Now().Add(noticeWait); ; {
		err := syscall.Sendmsg(fd, []byte(n.text), rights, to, syscall.MSG_NOSIGNAL)
		// A call with a time limit is not resumed after a signal, and Go's
		// scheduler sends signals.
		if err != syscall.EINTR || time.Now().After(deadline) {
			return err
		}
	}
}

// tell queues a message. One that finds the queue full is dropped: its manager
// has not read for minutes.
func (s *service) tell(fds []int, lines ...string) {
	if s.queue == nil {
		return
	}
	select {
	case s.queue <- notice{strings.Join(lines, "\n"), fds}:
	default:
		closeAll(fds)
	}
}

// ready says that the server serves: after a start, and after each reload,
// also one that failed and left everything as it was.
func (s *service) ready(status string) { s.tell(nil, daemon.SdNotifyReady, statusLine(status)) }

// reloading says that a reload begins. ready must follow. The time tells
// systemd that this is the reload it has just asked for.
func (s *service) reloading(status string) {
	s.tell(nil, daemon.SdNotifyReloading, strings.TrimSpace(daemon.SdNotifyMonotonicUsec()), statusLine(status))
}

// stopping says that the server has begun to stop.
func (s *service) stopping(status string) { s.tell(nil, daemon.SdNotifyStopping, statusLine(status)) }

// status says in words what the server is doing.
func (s *service) status(text string) { s.tell(nil, statusLine(text)) }

// extend asks for this much patience from now on, where the unit's own
// (TimeoutStopSec=) is less: a drain may take as long as it is configured to.
func (s *service) extend(d time.Duration) {
	if d > 0 {
		s.tell(nil, "EXTEND_TIMEOUT_USEC="+strconv.FormatInt(d.Microseconds(), 10))
	}
}

// watchdog is how often the manager wants a ping, 0 when it wants none.
func (s *service) watchdog() time.Duration { return s.interval }

// ping says that the loop turns.
func (s *service) ping() { s.tell(nil, daemon.SdNotifyWatchdog) }

// store gives the manager copies of descriptors to keep. The next process of
// this service inherits them, see inherit. The name is a listener's address:
// sockets stay with their address when a listener is renamed. Those that the
// manager already has it does not take twice.
//
// FDPOLL=0, because the manager would drop a descriptor that polls as hung up,
// as a socket does that is bound and does not listen yet. unstore is how a
// descriptor leaves.
func (s *service) store(name string, fds []int) {
	for len(fds) > 0 && s.queue != nil {
		n := min(len(fds), maxRights)
		s.tell(copies(fds[:n]), "FDSTORE=1", "FDNAME="+storeName(name), "FDPOLL=0")
		fds = fds[n:]
	}
}

// unstore takes back what was stored by this name. Sockets that are to be
// stored by another name must be taken back first.
func (s *service) unstore(name string) { s.forget(storeName(name)) }

// forget is unstore by the name that inherit returned.
func (s *service) forget(fdName string) {
	s.tell(nil, "FDSTOREREMOVE=1", "FDNAME="+fdName)
}

// close ends the goroutine, but gives it a moment for what is queued. Nothing
// may be told after.
func (s *service) close() {
	if s.queue == nil {
		return
	}
	close(s.queue)
	s.queue = nil
	timer := time.NewTimer(goodbyeWait)
	defer timer.Stop()
	select {
	case <-s.donec:
	case <-timer.C:
	}
}

// statusLine makes one line of a text: what the manager shows to people.
func statusLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxStatus {
		text = text[:maxStatus]
	}
	return "STATUS=" + strings.ToValidUTF8(text, "")
}

// copies are taken because the caller may close its descriptors before they
// are sent. What cannot be copied is left out: a shortage of descriptors costs
// the store, not the server.
func copies(fds []int) []int {
	var list []int
	for _, fd := range fds {
		c, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 0)
		if errno == 0 {
			list = append(list, int(c))
		}
	}
	return list
}
