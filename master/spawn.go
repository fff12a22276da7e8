package master

import (
	"errors"
	"fmt"
	"os"

	"srvctl/shared/metrics"
	"srvctl/shared/sock"
)

// spawner starts worker processes. It is safe for concurrent use.
type spawner struct {
	children *children
	null     *os.File // standard input of every worker
}

// workerVerb is the hidden verb that makes this program a worker.
const workerVerb = "__worker"

// spawn starts a worker process with its six descriptors: null, the pipe to
// the master twice, its control channel, its stats cell and the counts of the
// host. Everything else it gets through the control channel.
func (sp *spawner) spawn(b birth) (_ *worker, err error) {
	var undo []func()
	defer func() {
		if err != nil {
			for _, f := range undo {
				f()
			}
		}
	}()
	cellFD, mem, err := sock.Memfd(fmt.Sprintf("srvctl-stats-%d", b.index), b.layout.Size())
	if err != nil {
		return nil, err
	}
	unmap := cellEnd(mem, cellFD)
	undo = append(undo, unmap)
	cell, err := metrics.OpenCell(mem, b.layout)
	if err != nil {
		return nil, err
	}
	ours, theirs, err := sock.Pair()
	if err != nil {
		return nil, err
	}
	defer closeAll([]int{theirs})
	conn, err := sock.NewConn(ours)
	if err != nil {
		return nil, err
	}
	undo = append(undo, conn.Close)
	conn.SetSendWait(0)
	out, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	defer in.Close()
	undo = append(undo, func() { out.Close() })

	files := []uintptr{sp.null.Fd(), in.Fd(), in.Fd(), uintptr(theirs), uintptr(cellFD), uintptr(b.host)}
	// What follows the verb is for people who look at a list of processes.
	argv := []string{"srvctl", workerVerb, fmt.Sprintf("slot=%d", b.slot), fmt.Sprintf("generation=%d", b.generation)}
	p, err := sp.children.start(argv, workerEnviron(), files, workerAttr(b.user))
	if err != nil {
		return nil, errors.Join(err)
	}
	p.noCore()
	w := &worker{
		id: b.id, proc: p, link: conn, tail: newTail(), cell: cell, unmap: unmap,
		readc: make(chan struct{}), degraded: make(map[string]string),
		handles: handles{link: ours, cell: cellFD, pipe: -1, dup: pipeEnd(out)},
	}
	go w.tail.read(out) // ends with the process, and watch waits for it
	return w, nil
}
