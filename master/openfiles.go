package master

import (
	"fmt"
	"syscall"

	"srvctl/conf"
)

const (
	// Descriptors of a worker that are not connections: standard ones, control
	// channel, shared memory, epoll, logs, hot and open files, spare ones.
	descriptorReserve = 512

	// rlimNofile is RLIMIT_NOFILE.
	rlimNofile = syscall.RLIMIT_NOFILE
)

// neededFiles is how many descriptors a worker must be able to open. The
// kernel may give all connections of the host to one worker, so each must be
// able to hold all.
func neededFiles(c *conf.Config) uint64 {
	if c.Limits.OpenFiles > 0 {
		return uint64(c.Limits.OpenFiles)
	}
	return mustFit(c)
}

func mustFit(c *conf.Config) uint64 {
	return uint64(c.Limits.Connections + len(c.Listeners)*c.Workers + descriptorReserve)
}

// FilesNote says in words when limits.connections cannot be reached with the
// descriptors that a process may open here, "" when it can.
func FilesNote(c *conf.Config) string {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(rlimNofile, &limit); err != nil {
		return ""
	}
	may := limit.Max
	if canRaise() {
		may = max(may, neededFiles(c))
	}
	return filesNote(c, min(may, max(neededFiles(c), limit.Cur)))
}

func filesNote(c *conf.Config, have uint64) string {
	need := mustFit(c)
	if have >= need {
		return ""
	}
	what := "raise it (ulimit -n, LimitNOFILE= of the unit)"
	if c.Limits.OpenFiles > 0 && uint64(c.Limits.OpenFiles) < need {
		what = "raise limits.open_files"
	}
	return fmt.Sprintf("limits.connections: %d needs %d open files in a worker, %d are allowed: %s or lower limits.connections", c.Limits.Connections, need, have, what)
}

// canRaise reports whether this process may raise its hard limit.
func canRaise() bool { return syscall.Geteuid() == 0 }

// raiseFiles raises the limit of open files for this process and the workers
// to come. It returns the limit that is in force.
func raiseFiles(c *conf.Config) uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(rlimNofile, &limit); err != nil {
		return neededFiles(c) // no such limit here
	}
	want := limit
	want.Cur = max(neededFiles(c), limit.Cur)
	if want.Cur > want.Max {
		want.Max = want.Cur
	}
	// Go raised the soft limit of this process when it started and would give
	// children the old one back, unless the program itself sets the limit.
	if syscall.Setrlimit(rlimNofile, &want) == nil {
		return want.Cur
	}
	want = syscall.Rlimit{Cur: limit.Max, Max: limit.Max} // may not raise the hard limit: all that it allows
	if syscall.Setrlimit(rlimNofile, &want) == nil {
		return want.Cur
	}
	return limit.Cur
}
