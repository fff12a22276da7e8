package master

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// This file alone starts and signals processes. It does not use os/exec or
// os.Process: their Wait would take exits away from the one reaper, which as
// process 1 also has to reap what others left behind.

// children are the processes that this one started and has not reaped. While
// the lock is held no process is reaped, so a pid in the table is ours.
type children struct {
	mu    sync.Mutex
	alive map[int]*child
}

// child is one process started by start.
type child struct {
	table *children
	id    int
	gonec chan struct{} // closed when it was reaped
	exit  syscall.WaitStatus
}

func newChildren() *children { return &children{alive: make(map[int]*child)} }

// selfImage is the file this process runs, also when the file at its path has
// been replaced since: master and workers are always of one version.
const selfImage = "/proc/self/exe"

// start runs this program's own image once more. The new process gets the
// given descriptors as 0, 1, 2 ... and no others.
func (c *children) start(argv, environ []string, files []uintptr, attr *syscall.SysProcAttr) (*child, error) {
	return c.startImage(selfImage, argv, environ, files, attr)
}

// startImage is start for another program.
func (c *children) startImage(image string, argv, environ []string, files []uintptr, attr *syscall.SysProcAttr) (*child, error) {
	// The lock covers the fork, so that the reaper cannot meet a child that is
	// not in the table yet.
	c.mu.Lock()
	defer c.mu.Unlock()
	pid, err := syscall.ForkExec(image, argv, &syscall.ProcAttr{Env: environ, Files: files, Sys: attr})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w%s", image, err, forkHint(err))
	}
	return c.addLocked(pid), nil
}

func (c *children) addLocked(pid int) *child {
	p := &child{table: c, id: pid, gonec: make(chan struct{})}
	c.alive[pid] = p
	return p
}

// adopt takes in a child that this process had before it became this program.
func (c *children) adopt(pid int) *child {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.addLocked(pid)
}

// become makes this process another program, which has the same children. It
// returns only when that was not possible.
func become(image string, argv, environ []string) error {
	return fmt.Errorf("execute %s: %w", image, syscall.Exec(image, argv, environ))
}

// heededSignals are those that startSignals asks for.
var heededSignals = []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2}

// guardSignals keeps signals from ending this process while it becomes another
// program, whose runtime asks for them a few milliseconds later. What can wait
// is blocked for this thread, whose mask the next program gets. The Go runtime
// lets INT, QUIT and TERM through whatever the mask says: in those milliseconds
// they end the process, and the workers finish what they have. HUP is dropped:
// a reload follows anyway.
func guardSignals() {
	runtime.LockOSThread() // for good: this thread executes the next program
	signal.Ignore(syscall.SIGHUP)
	const sigBlock, setSize = 0, 8
	set := uint64(1)<<(syscall.SIGUSR1-1) | uint64(1)<<(syscall.SIGUSR2-1)
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, sigBlock, uintptr(unsafe.Pointer(&set)), 0, setSize, 0, 0)
}

func forkHint(err error) string {
	switch err {
	case syscall.EAGAIN:
		return ": the limit of processes is reached: raise `ulimit -u`, TasksMax of the unit or pids.max of the container"
	case syscall.ENOMEM:
		return ": out of memory"
	case syscall.ENOENT:
		return ": is /proc mounted?"
	case syscall.EPERM, syscall.EINVAL:
		return ": this process may not change to the configured user: see `user` in the configuration"
	case syscall.EACCES:
		return ": the user of the workers may not execute it: chmod a+rx, or set `user` in the configuration"
	}
	return ""
}

func (p *child) pid() int                   { return p.id }
func (p *child) gone() <-chan struct{}      { return p.gonec }
func (p *child) status() syscall.WaitStatus { return p.exit }

func (p *child) signal(sig syscall.Signal) error {
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	if p.table.alive[p.id] != p {
		return nil
	}
	if err := syscall.Kill(p.id, sig); err != nil {
		return fmt.Errorf("send %v to process %d: %w", sig, p.id, err)
	}
	return nil
}

// noCore keeps the process from leaving its memory, which may hold secrets, on
// the disk when it aborts. A limit of 1 byte, since 0 does not keep the kernel
// from handing the memory to a program (core(5)).
func (p *child) noCore() {
	const rlimitCore = 4
	none := syscall.Rlimit{Cur: 1, Max: 1}
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	if p.table.alive[p.id] == p {
		// A core file would be a pity, no more: whether this worked does not matter.
		syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(p.id), rlimitCore, uintptr(unsafe.Pointer(&none)), 0, 0, 0)
	}
}

// reap collects every child that has ended, ours and, as process 1, the
// orphans that the kernel gave us.
func (c *children) reap() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if p := c.alive[pid]; p != nil && (status.Exited() || status.Signaled()) {
			delete(c.alive, pid)
			p.exit = status
			close(p.gonec)
		}
	}
}

// startReaper reaps on every SIGCHLD until stop is called, which returns when
// the goroutine has ended.
func (c *children) startReaper() (stop func()) {
	sigc := make(chan os.Signal, 1) // one pending SIGCHLD stands for any number
	quitc, endc := make(chan struct{}), make(chan struct{})
	signal.Notify(sigc, syscall.SIGCHLD)
	go func() {
		defer close(endc)
		c.reap() // what ended before Notify
		for {
			select {
			case <-sigc:
				c.reap()
			case <-quitc:
				return
			}
		}
	}()
	return func() {
		signal.Stop(sigc)
		close(quitc)
		<-endc
	}
}

// workerAttr puts a worker into its own process group, so that a terminal's ^C
// reaches the master alone, and takes its privileges away.
func workerAttr(user *credential) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if user != nil {
		attr.Credential = &syscall.Credential{Uid: user.uid, Gid: user.gid} // no supplementary groups
	}
	return attr
}

// Detach starts this program again in a session of its own: a daemon. Its
// standard input, output and error are null, and the pipe of its Reporter is
// its descriptor 3. Detach returns once the daemon has reported: nil
// when it serves, or what it said.
func Detach(argv []string, limit time.Duration) (pid int, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	files := []uintptr{null.Fd(), null.Fd(), null.Fd(), w.Fd()}
	p, err := newChildren().start(argv, os.Environ(), files, &syscall.SysProcAttr{Setsid: true})
	w.Close()
	if err != nil {
		return 0, err
	}
	return p.id, readReport(r, limit)
}

// closeOnExec keeps whatever descriptors this process was started with from
// reaching the workers.
func closeOnExec() {
	const (
		sysCloseRange     = 436 // the same number on every architecture
		closeRangeCloexec = 4
	)
	if _, _, errno := syscall.Syscall(sysCloseRange, 3, ^uintptr(0)>>32, closeRangeCloexec); errno == 0 {
		return
	}
	entries, err := os.ReadDir("/proc/self/fd") // kernels before 5.11
	if err != nil {
		return
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

// gone waits until a process of this host has ended, for at most limit, and
// reports whether it has. It works for processes that are not children.
func gone(pid int, limit time.Duration) bool {
	const sysPidfdOpen = 434 // the same number on every architecture
	fd, _, errno := syscall.Syscall(sysPidfdOpen, uintptr(pid), 0, 0)
	if errno != 0 {
		return errno == syscall.ESRCH
	}
	defer syscall.Close(int(fd))
	// struct pollfd: a pidfd can be read from when its process has ended.
	poll := struct {
		fd              int32
		events, revents int16
	}{fd: int32(fd), events: 1}
	wait := syscall.NsecToTimespec(max(int64(limit), 0))
	n, _, _ := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1, uintptr(unsafe.Pointer(&wait)), 0, 0, 0)
	return n == 1
}

// workerVariables are those of the master's environment that workers get too.
var workerVariables = []string{"GODEBUG", "GOGC", "GOMEMLIMIT", "GOTRACEBACK", "GOCOVERDIR", "GORACE", "TZ"}

// workerEnviron is the environment of a worker. The master's own may hold
// secrets that the configuration refers to; a worker gets them, where it needs
// them, with the configuration.
func workerEnviron() []string {
	// crash, because a worker is told to abort when its loop hangs, and only
	// then its dump always has the loop's stack. A later setting wins.
	environ := []string{"GOMAXPROCS=" + strconv.Itoa(workerProcs), "GOTRACEBACK=crash"}
	for _, name := range workerVariables {
		if value, ok := os.LookupEnv(name); ok {
			environ = append(environ, name+"="+value)
		}
	}
	return environ
}

// workerProcs: one processor for the loop and one for what must not stop it,
// the log writer, the control channel and the garbage collector.
const workerProcs = 2
