package master

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"srvctl/shared/sock"
)

const (
	// stateVariable tells a new program which descriptor has the state.
	stateVariable = "__SRVCTL_STATE"
	// failureVariable tells this program, executed anew, why the new one could
	// not take over.
	failureVariable = "__SRVCTL_UPGRADE_FAILED"

	// hushTime bounds the end of what goes on around the loop. All of it takes
	// microseconds, but an operator may be slow to take an answer.
	hushTime = 2 * time.Second

	// maxFailure bounds a reason in the environment.
	maxFailure = 4 << 10
)

// leap becomes the new program. It returns only to end: from the moment that
// signals are blocked and nobody reads from the workers any more, there is no
// way back but the new program's, which is this one executed anew.
func (m *master) leap() {
	u := m.upgrade
	own, err := openProgram(selfImage)
	if err != nil { // nothing has happened yet
		closeAll([]int{u.image})
		m.failUpgrade(time.Now(), fmt.Errorf("open the running program: %w", err))
		return
	}
	u.tell(fmt.Sprintf("version %s can take over, pid %d executes it", u.version, processID()))
	late := m.hush()
	state, err := m.saveAll(late)
	m.log.Info("executing the new program", "path", m.path, "version", u.version, "from", m.opts.Version)
	if err != nil {
		m.perish(err)
	}
	fd, err := state.seal()
	if err != nil {
		m.perish(err)
	}
	environ := m.service.environ(os.Environ())
	m.service.close()
	m.log.Close()
	state.keepOpen(fd, own)
	numbers := stateNumbers(fd, own, m.hushSignals())
	guardSignals()
	err = become(descriptorPath(u.image), os.Args, append(environ, stateVariable+"="+numbers))
	m.perish(goBack(own, numbers, environ, err))
}

// stateNumbers is what stateDescriptors reads.
func stateNumbers(state, program int, late []syscall.Signal) string {
	text := fmt.Sprintf("%d,%d", state, program)
	for _, sig := range late {
		text += fmt.Sprintf(",%d", int(sig))
	}
	return text
}

// goBack executes the program that wrote the state. It returns only when that
// was not possible either.
func goBack(own int, numbers string, environ []string, why error) error {
	text := why.Error()
	err := become(descriptorPath(own), os.Args, append(environ,
		stateVariable+"="+numbers, failureVariable+"="+text[:min(len(text), maxFailure)]))
	return fmt.Errorf("%w; and the way back: %w", why, err)
}

// perish ends this process where it can neither go on nor become another. The
// workers notice, finish what they have and end.
func (m *master) perish(err error) {
	fmt.Fprintf(os.Stderr, "srvctl: upgrade: %v: the server ends, start it again\n", err)
	os.Exit(1)
}

// seal writes the state where the next program finds it.
func (s *saved) seal() (fd int, err error) {
	data, err := s.encode()
	if err != nil {
		return -1, err
	}
	return sock.Sealed("srvctl-state", data)
}

// keepOpen lets the descriptors of the state, and no others, outlive this
// program.
func (s *saved) keepOpen(more ...int) {
	for _, fd := range append(s.descriptors(), more...) {
		syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_SETFD, 0)
	}
}

// saveAll adds what is known once everything is quiet.
func (m *master) saveAll(late []syscall.Signal) (*saved, error) {
	countedc := make(chan struct{})
	m.counts <- func() { close(countedc) }
	<-countedc
	s, err := m.save()
	if err != nil {
		return nil, err
	}
	for _, sig := range late {
		s.Signals = append(s.Signals, int(sig))
	}
	s.Operators = m.operators.save(m.upgrade)
	return s, s.check()
}

// hush ends everything that goes on around the loop, handles what it still has
// to say, and returns the signals that came and were not heeded.
func (m *master) hush() (late []syscall.Signal) {
	var workers []*worker
	for s := range m.slots() {
		if s.worker != nil {
			workers = append(workers, s.worker)
		}
	}
	quietc := make(chan []syscall.Signal, 1)
	askers := m.upgrade.askers
	go func() { quietc <- m.silence(workers, askers) }()
	timer := time.NewTimer(hushTime)
	defer timer.Stop()
	for wait := true; wait; {
		select {
		case e := <-m.events:
			late = m.late(e, late)
		case sigs := <-quietc:
			late, wait = append(late, sigs...), false
		case <-timer.C:
			wait = false
		}
	}
	// Whoever has been reaped must be buried too: his number is not his any
	// more.
	for m.unburied() || len(m.events) > 0 {
		select {
		case e := <-m.events:
			late = m.late(e, late)
		case <-timer.C:
			return late
		}
	}
	return late
}

// late handles an event after the decision to leave. What asks for something
// new is left to the next program: an operator's request goes with his
// connection, a signal is kept, and a change of the files is found by the
// reload that follows.
func (m *master) late(e event, late []syscall.Signal) []syscall.Signal {
	switch e := e.(type) {
	case signalled:
		return append(late, e.sig)
	case reloadRequest:
		if e.asker == nil {
			m.again.add(e)
		}
	case stopRequest, upgradeRequest, reopenLogs:
	default:
		e.apply(m, time.Now())
	}
	return late
}

// unburied reports whether a worker has been reaped whose end is not handled.
func (m *master) unburied() bool {
	for s := range m.slots() {
		if s.worker == nil {
			continue
		}
		select {
		case <-s.worker.proc.gone():
			return true
		default:
		}
	}
	return false
}

// silence ends every goroutine that takes something from the system which the
// next program would miss. It runs beside the loop, which goes on meanwhile.
func (m *master) silence(workers []*worker, askers []*operation) []syscall.Signal {
	if m.watcher != nil {
		m.watcher.close()
	}
	if m.admin != nil {
		m.admin.pause()
	}
	late := m.hushSignals()
	m.stopReaper()
	for _, op := range askers { // what this program has told them is not told by the next
		<-op.flushed()
	}
	m.operators.pause()
	for _, w := range workers {
		w.pause()
	}
	return late
}

// pause ends the goroutines that read from a worker. What it sends from now on
// stays where it is.
func (w *worker) pause() {
	if link, ok := w.link.(*sock.Conn); ok {
		link.Pause() // a link that has ended is not read either
		<-w.readc
	}
	w.handles.pipe = w.handles.dup()
	<-w.tail.donec
}

// pipeEnd returns what makes a copy of the reading end of a pipe and ends its
// reader. The copy is -1 when the pipe has ended.
func pipeEnd(f *os.File) func() int {
	return func() int {
		raw, err := f.SyscallConn()
		if err != nil {
			return -1
		}
		copied := -1
		raw.Control(func(fd uintptr) { // it is closed otherwise
			if list, err := duplicate([]int{int(fd)}); err == nil {
				copied = list[0]
			}
		})
		f.SetReadDeadline(time.Unix(1, 0))
		return copied
	}
}

// socketDescriptor returns the number of a listener's own descriptor.
func socketDescriptor(l *net.UnixListener) (fd int, err error) {
	raw, err := l.SyscallConn()
	if err == nil {
		err = raw.Control(func(own uintptr) { fd = int(own) })
	}
	if err != nil {
		return -1, fmt.Errorf("operators' socket: %w", err)
	}
	return fd, nil
}

func processID() int { return os.Getpid() }
