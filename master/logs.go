package master

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"

	"srvctl/conf"
	"srvctl/proto/control"
)

const (
	outputStdout = "stdout"
	outputStderr = "stderr"
)

// A logOutput is one log and where the configuration wants it.
type logOutput struct {
	name   string // as workers know it: "log", "access", "access:SITE"
	output string // "stdout", "stderr" or a path
}

// logOutputs lists the logs of a configuration. daemonLog, when not empty,
// takes the place of the standard output and error.
func logOutputs(c *conf.Config, daemonLog string) []logOutput {
	list := []logOutput{{"log", c.Log.Output}}
	if c.AccessLog.Output != "" {
		list = append(list, logOutput{"access", c.AccessLog.Output})
	}
	for _, s := range c.Sites {
		if s.AccessLog != nil && s.AccessLog.Output != "" {
			list = append(list, logOutput{"access:" + s.Name, s.AccessLog.Output})
		}
	}
	for i := range list {
		if o := &list[i]; daemonLog != "" && (o.output == outputStdout || o.output == outputStderr) {
			o.output = daemonLog
		}
	}
	return list
}

// logFiles are the open logs. Master and workers append to one and the same
// files; the workers hold copies of the descriptors, so that these may be
// closed once they were sent.
type logFiles struct {
	outputs []logOutput
	files   []*os.File          // of outputs
	paths   map[string]*os.File // of files that have a path, each once
	own     *os.File            // the master's own copy of "log", until its logger takes it
}

// openLogs opens every log. old, when not nil, is what goes on being used for
// a log that cannot be opened; without it that is an error.
func openLogs(open func(string) (*os.File, error), outputs []logOutput, old *logFiles) (*logFiles, error) {
	l := &logFiles{outputs: outputs, paths: make(map[string]*os.File)}
	var errs []error
	for i, o := range outputs {
		f, err := l.open(open, o.output)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w%s", o.name, err, logHint(err)))
			if old == nil {
				l.close()
				return nil, errors.Join(errs...)
			}
			f = old.files[i]
		}
		l.files = append(l.files, f)
	}
	var err error
	if l.own, err = own(open, outputs[0].output); err != nil && old == nil {
		l.close()
		return nil, fmt.Errorf("log: %w%s", err, logHint(err))
	}
	return l, errors.Join(errs...)
}

func (l *logFiles) open(open func(string) (*os.File, error), output string) (*os.File, error) {
	switch output {
	case outputStdout:
		return os.Stdout, nil
	case outputStderr:
		return os.Stderr, nil
	}
	if f := l.paths[output]; f != nil {
		return f, nil
	}
	f, err := open(output)
	if err == nil {
		l.paths[output] = f
	}
	return f, err
}

func own(open func(string) (*os.File, error), output string) (*os.File, error) {
	switch output {
	case outputStdout:
		return os.Stdout, nil
	case outputStderr:
		return os.Stderr, nil
	}
	return open(output)
}

// close closes the files that were opened, not the standard ones, and not own.
func (l *logFiles) close() {
	for _, f := range l.paths {
		f.Close()
	}
}

// takeOwn returns the master's own copy of "log", which belongs to its logger
// from then on.
func (l *logFiles) takeOwn() *os.File {
	f := l.own
	l.own = nil
	return f
}

// discard closes everything, own too: nobody has used it.
func (l *logFiles) discard() {
	if f := l.own; f != nil && f != os.Stdout && f != os.Stderr {
		f.Close()
	}
	l.close()
}

// openLog is env.open. The group may read, as is usual for logs. It does not
// wait: a pipe that nobody reads is an error.
func openLog(path string) (*os.File, error) {
	const flags = syscall.O_WRONLY | syscall.O_APPEND | syscall.O_CREAT | syscall.O_CLOEXEC | syscall.O_NONBLOCK
	fd, err := syscall.Open(path, flags, 0o640)
	for err == syscall.EINTR {
		fd, err = syscall.Open(path, flags, 0o640)
	}
	if err == nil {
		err = syscall.SetNonblock(fd, false)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// ownFiles says which logs would be written into files that are the server's
// own: its configuration, its pid file, its socket.
func ownFiles(outputs []logOutput, c *conf.Config, p Paths) error {
	var errs []error
	for _, o := range outputs {
		if slices.Contains(c.Files, o.output) || o.output == p.PID || o.output == p.Lock || o.output == p.Socket {
			errs = append(errs, fmt.Errorf("%s: %s is a file that the server itself needs: set another output", o.name, o.output))
		}
	}
	return errors.Join(errs...)
}

func logHint(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ": make its folder first, or set another output"
	case errors.Is(err, syscall.ENXIO):
		return ": nobody reads this pipe: start its reader first, or set another output"
	case errors.Is(err, fs.ErrPermission):
		return ": let this user write there, or set another output"
	}
	return ": set another output"
}

// descriptor is f.Fd, which would switch a standard stream that is shared with
// other programs to blocking.
func descriptor(f *os.File) int {
	switch f {
	case os.Stdout:
		return syscall.Stdout
	case os.Stderr:
		return syscall.Stderr
	}
	return int(f.Fd())
}

// sendLogs hands all logs of its generation to the worker of a slot.
func (m *master) sendLogs(now time.Time, s *slot) { m.sendLogsOf(now, s, s.gen.logs) }

func (m *master) sendLogsOf(now time.Time, s *slot, logs *logFiles) {
	for first := 0; first < len(logs.files); first += control.MaxDescriptors {
		last := min(first+control.MaxDescriptors, len(logs.files))
		var frame control.Logs
		var fds []int
		for j := first; j < last; j++ {
			frame.Names = append(frame.Names, logs.outputs[j].name)
			fds = append(fds, descriptor(logs.files[j]))
		}
		m.send(now, s, frame, fds...)
	}
}

// reopenLogs asks for all logs to be opened again, by the paths they have: the
// files may have been renamed by whoever rotates them.
type reopenLogs struct{}

func (reopenLogs) apply(m *master, now time.Time) {
	m.reopens++
	m.reopen(m.gen)
	if m.next != nil {
		m.reopen(m.next)
	}
}

// reopen opens the logs of a generation again.
func (m *master) reopen(g *generation) {
	old := g.logs
	m.beside(func() {
		l, err := openLogs(m.env.open, old.outputs, old)
		if !m.post(reopenedLogs{g, old, l, err}) {
			l.discard()
		}
	})
}

// reopenedLogs is posted when that is done.
type reopenedLogs struct {
	gen        *generation
	old, files *logFiles
	err        error
}

func (e reopenedLogs) apply(m *master, now time.Time) {
	g := e.gen
	if g.logs != e.old || g != m.gen && g != m.next { // two requests crossed, or a reload came between
		e.files.discard()
		return
	}
	g.logs = e.files
	if g == m.gen && e.files.own != nil {
		m.log.SetOutput(e.files.takeOwn())
	}
	for s := range m.slots() {
		switch {
		case s.worker == nil:
		case s.gen == g:
			m.sendLogs(now, s)
		case g == m.gen && s.gen != m.next: // workers that drain write on where all do
			m.sendLogsOf(now, s, g.logs)
		}
	}
	e.old.closeExcept(e.files)
	if e.err != nil {
		m.log.Error("log could not be reopened, the old file is still written to", "err", e.err)
		return
	}
	m.log.Info("logs reopened", "files", len(e.files.paths))
}

// closeExcept closes the files that are not used by the later ones.
func (l *logFiles) closeExcept(later *logFiles) {
	for path, f := range l.paths {
		if slices.Contains(later.files, f) {
			later.paths[path] = f
			continue
		}
		f.Close()
	}
}
