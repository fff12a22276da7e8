package arch

// policy says what may depend on what. Do not change this to fix builds: see
// the package comment.
//
// A package is named by its path in the module. "/..." at the end of a name
// means the package and all below it.
//
//	PACKAGE: IMPORTS            all it may import besides the standard library
//	only IMPORT: PACKAGES       no other package may import it
//	not PACKAGE: IMPORTS        it may not import these
//	not-reach PACKAGE: IMPORT via PACKAGE
//	                            it may not depend on it, however indirectly, but through that package
//	no-call PACKAGE: FUNCTIONS  its code may not name these functions
//	call-in FILE: FUNCTIONS     no other file of the server may name these functions
//
// Test files are free, but for no-call (sleeping).
const policy = `
# Wire formats are pure codecs: bytes in, values out. No I/O, no clock, no log.
proto/http1:
proto/wire:
proto/control: proto/wire
proto/handover: proto/wire
not proto/...: os net net/... syscall io/fs log log/... golang.org/x/sys/...
no-call proto/...: time.Now time.Since time.Until time.Sleep time.After time.AfterFunc time.NewTimer time.NewTicker time.Tick

# What the operator wrote.
conf: gopkg.in/yaml.v3 github.com/docker/go-units

# Shared by both processes, in plain values: never conf, never each other. Each
# foreign library has one owner.
shared/sock: golang.org/x/sys/unix
shared/limit:
shared/logging: github.com/sirupsen/logrus golang.org/x/sys/unix
shared/metrics: github.com/prometheus/client_golang/... github.com/prometheus/client_model/... github.com/prometheus/common/...

# The engine: the loop knows descriptors and deadlines, not HTTP; a connection
# knows bytes and exchanges, not epoll and no clock; handlers know exchanges only.
worker/loop: shared/sock golang.org/x/sys/unix
worker/serve: proto/http1
worker/serve/servetest: proto/http1 worker/serve
worker/conn: proto/http1 worker/serve
worker/route: proto/http1 worker/serve
worker/static: proto/http1 worker/serve golang.org/x/sys/unix
worker: conf proto/... shared/... worker/... golang.org/x/sys/unix
not-reach worker/conn: srvctl/worker/loop
no-call worker/conn: time.Now time.Since time.Until time.Sleep time.After time.AfterFunc time.NewTimer time.NewTicker time.Tick

# The supervisor never sees a request, nor the code that serves one.
master: conf proto/control shared/... github.com/fsnotify/fsnotify github.com/coreos/go-systemd/v22/daemon
not-reach master: srvctl/worker
not-reach master: srvctl/proto/http1
master/srvctl: master worker conf shared/logging shared/metrics github.com/urfave/cli/v2

# Tests look at the server from outside.
tests/...: tests/... golang.org/x/sys/unix github.com/rogpeppe/go-internal/... github.com/google/go-cmp/... gopkg.in/yaml.v3

# Serving by net/http is not what this server is for: it has the admin pages, and
# the metrics page that goes with them.
only net/http: master shared/metrics tests/...
not-reach worker: net/http via srvctl/shared/metrics

# Processes are started, awaited and signalled in one place, by one reaper: a
# second one waits for ever on a child that the first has reaped.
only os/exec: tests/...
call-in master/process.go: os.StartProcess (*os.Process).Wait (*os.Process).Kill (*os.Process).Signal (*os.Process).Release os.FindProcess
call-in master/process.go: syscall.ForkExec syscall.StartProcess syscall.Exec syscall.Kill syscall.Wait4
call-in master/process.go: golang.org/x/sys/unix.Kill golang.org/x/sys/unix.Wait4 golang.org/x/sys/unix.Waitid golang.org/x/sys/unix.PidfdSendSignal golang.org/x/sys/unix.Exec
no-call master: (*os.Process).Wait os.StartProcess

# Nobody sleeps in the hope that something has happened, tests least of all.
no-call conf: time.Sleep
no-call master/...: time.Sleep
no-call shared/...: time.Sleep
no-call worker/...: time.Sleep
no-call tests/...: time.Sleep
`
