// Package master is the supervisor: it binds the sockets, starts the worker
// processes, watches them, and answers operators. It never serves a client's
// request.
//
// # What it promises
//
//   - Nothing listens before a worker is ready to accept, and a first start
//     either brings up every worker or leaves nothing behind.
//   - A worker that ends without being asked is replaced, for ever, with a
//     pause that grows from 100 ms to 10 s. Until then all others accept from
//     its sockets.
//   - What a dead worker counted is not lost, and the connections it held are
//     not counted any more.
//   - A stop lets requests in flight finish within drain.timeout. When the
//     master dies instead, each worker notices the end of its control channel
//     and finishes by itself.
//   - One server per pid file, by flock; nothing a dead one left is in the way.
//   - A reload either puts a new generation into force, all of whose workers
//     were ready, or changes nothing. A generation that is not in force any
//     more drains, and its bounds are those of its own configuration.
//   - A worker whose loop stops is found by its heartbeat, looked at, and
//     continued, left alone or replaced, as its state says (hang.go).
//
// It can be replaced by another version of its program: see "The upgrade".
//
// # Invariants
//
// All state of a running server belongs to one goroutine, the loop (loop.go).
// Nothing it runs takes longer than a millisecond: it reads no file, waits for
// no process and does no arithmetic over all counters. Everything else posts
// events: the signal goroutine, one reader of control frames per worker, one
// watcher per worker, which posts its end after everything it said, operators'
// connections, and whatever master.beside started. Only process.go starts and
// signals processes; nothing here uses os/exec or os.Process. One goroutine
// reaps (children.startReaper), all children and, as process 1, all orphans. A
// process is signalled only while it is certain that its number is still its
// own.
//
// A slot's sockets outlive its processes: only the end of the server closes
// them, and shutdown(2) is never called on them.
//
// # The life of a worker
//
// The master executes its own image (/proc/self/exe) as `srvctl __worker`, in
// a process group of its own, with six descriptors: null, twice the pipe for
// its last words, the control channel, its stats cell and the counts of the
// host. It then sends (see proto/control)
//
//	Begin(+configuration) Listener(+sockets)... Logs(+files) Prepare
//
// and waits for Ready. In a first start and in a reload the worker of slot 0
// goes alone: its Ready lets the others start, and when all are Ready their
// sockets begin to listen and they get Commit: all at once in a first start,
// slot after slot in a reload, where each Serving sends Drain to the worker
// before. The states of a slot and their exits are in state.go, the stages of a
// reload in reload.go.
//
// # The upgrade
//
// The next program is the file at the path this server was started from. It
// first rehearses as a child (Rehearse): it reads a copy of the state, and the
// configuration by its own rules, and says whether it could go on. Then this
// process stops to read from its workers, operators and signals, writes the
// state into a sealed memfd and executes the next program in place: the same
// pid, the same children, the same sockets, whose descriptors stay open.
//
// The next program (Resume) builds the server from the state and takes nothing
// from the system before its commit point. Until there every failure, panics
// too, executes the program before once more, which goes on from the same
// state. It tells the operator who asked, and reloads, so that the workers
// follow. Requests of other operators that came meanwhile are answered by it,
// and signals, which are blocked in between, are heeded by it. What a program
// breaks by exiting before its commit point cannot be helped: the server ends,
// and its workers finish what they have.
//
// # The operators' socket
//
// A unix socket of mode 0600, open to the user of the master and to root. Both
// sides send lines of JSON. A request is one line of at most 64 KiB, and may be
// followed by another when its last answer has come:
//
//	{"verb":"status"}                    what `srvctl status --json` prints
//	{"verb":"ready"}                     {"ready":true,"state":"serving"}; exit 1 when not
//	{"verb":"config"}                    the configuration in force, as conf.Decode reads it
//	{"verb":"reload"}                    puts the changed configuration into force
//	{"verb":"reload","wait":true}          and waits until the old workers have drained
//	{"verb":"scale","workers":4}         the same with another number of workers
//	{"verb":"upgrade"}                   replaces the running program
//	{"verb":"stop"}                      drains and ends the server
//	{"verb":"stop","timeout":"5s"}         with another drain.timeout
//	{"verb":"stop","now":true}             without draining
//
// The answer is any number of lines of progress, what is wrong with a
// configuration, and at most one result, and then the end with the exit code of
// the verb:
//
//	{"event":"problem","text":"srvctl.yaml:3:5: workers: ..."}
//	{"event":"progress","text":"slot 0: drained, 3 connections finished, 0 cut"}
//	{"event":"result","data":{...}}
//	{"event":"end","exit":0}
//	{"event":"end","exit":1,"error":"what went wrong","next":"what to do"}
//
// The connection that asked for a stop stays open until the process has ended:
// its end says that the server has gone. An unknown verb or field, a line that
// is too long, more than 32 connections and a silence of 10 s are refused.
//
// # The admin address
//
// Pages for programs, by net/http, for GET only: /metrics (Prometheus, all
// workers), /healthz (the loop answers), /readyz (503 unless a worker serves
// and no stop has begun) and /status (as above).
package master
