package worker

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"syscall"

	"srvctl/conf"
	"srvctl/proto/control"
	"srvctl/shared/logging"
	"srvctl/shared/sock"
)

// receive waits for the next order. The descriptors that came with it are the
// caller's.
func (w *worker) receive(buf []byte) (control.Message, []int, error) {
	n, fds, err := w.control.Recv(buf)
	if err != nil {
		return nil, nil, err
	}
	m, err := control.Decode(buf[:n])
	if err == nil && control.Descriptors(m) != len(fds) {
		err = fmt.Errorf("%d descriptors came with it, %d belong to it", len(fds), control.Descriptors(m))
	}
	if err != nil {
		closeAll(fds)
		return nil, nil, fmt.Errorf("control frame: %w", err)
	}
	return m, fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		syscall.Close(fd)
	}
}

// receiveOrders takes orders until Prepare.
func (w *worker) receiveOrders() error {
	buf := make([]byte, sock.MaxFrame)
	for {
		m, fds, err := w.receive(buf)
		if err != nil {
			return fmt.Errorf("waiting for orders: %w", err)
		}
		switch m := m.(type) {
		case control.Begin:
			if err := w.takeBegin(m, fds[0]); err != nil {
				return err
			}
		case control.Listener:
			if err := w.takeListener(m, fds); err != nil {
				return err
			}
		case control.Logs:
			w.takeLogs(m, fds)
		case control.Prepare:
			if w.conf == nil || w.log == nil {
				return errors.New("told to prepare without configuration or log")
			}
			return faultErr(atPrepare)
		default:
			closeAll(fds)
			return fmt.Errorf("unexpected order %T before prepare", m)
		}
	}
}

func (w *worker) takeBegin(m control.Begin, fd int) error {
	defer syscall.Close(fd)
	data, err := sock.ReadSealed(fd)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if w.conf, err = conf.Decode(data); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	w.begin = m
	h := fnv.New64a()
	h.Write(data)
	w.checksum = h.Sum64()
	w.listeners = make([]*listener, len(w.conf.Listeners))
	w.logs.init(w.conf)
	return nil
}

// takeLogs puts new log files in the place of those before.
func (w *worker) takeLogs(m control.Logs, fds []int) {
	for i, name := range m.Names {
		f := os.NewFile(uintptr(fds[i]), name)
		if name != "log" {
			w.logs.take(w.conf, name, f)
			continue
		}
		if w.log != nil {
			w.log.SetOutput(f)
			continue
		}
		w.log = logging.New(logging.Options{
			Level: w.conf.Log.Level, Format: w.conf.Log.Format, Out: f,
			Process: "worker", Slot: w.begin.Slot, Generation: w.begin.Generation,
		})
	}
}

// readControl brings orders to the loop until the channel ends. Its end means
// that the master is gone.
func (w *worker) readControl() {
	buf := make([]byte, sock.MaxFrame)
	for {
		m, fds, err := w.receive(buf)
		if err != nil {
			w.loop.Post(func() { w.orphaned(err) })
			return
		}
		w.loop.Post(func() { w.obey(m, fds) })
	}
}

func (w *worker) obey(m control.Message, fds []int) {
	var err error
	switch m := m.(type) {
	case control.Commit:
		fault(atCommit)
		err = w.commit(m)
	case control.Accept:
		switch {
		case w.leaving():
		case !w.serving:
			err = errors.New("comes before commit")
		default:
			err = w.acceptFrom(m.Slots)
			w.sweep() // a neighbour may have died with a wake-up that was his
		}
	case control.Logs:
		w.takeLogs(m, fds)
	case control.Drain:
		w.beginDrain(m)
	case control.Give:
		err = w.giveTo(m, fds[0])
	case control.Take:
		err = w.takeFrom(m, fds[0])
	case control.Listener:
		err = w.takeListener(m, fds)
	default:
		closeAll(fds)
		err = fmt.Errorf("unexpected order %T while serving", m)
	}
	if err != nil {
		w.log.Error("order failed", "order", fmt.Sprintf("%T", m), "err", err)
	}
}

// commit begins to serve. A drain that came first has the last word.
func (w *worker) commit(m control.Commit) error {
	if w.leaving() {
		return nil
	}
	w.serving = true
	if err := w.acceptFrom(m.Accept); err != nil {
		return err
	}
	return w.tell(control.Serving{})
}

// orphaned is called when the control channel has ended. The addresses must
// become free for the next master, and nobody may wait in a queue that nobody
// empties.
func (w *worker) orphaned(err error) {
	if w.drain != nil && w.drain.over {
		return
	}
	if errors.Is(err, io.EOF) {
		w.log.Warn("master is gone: finishing what was accepted, then exiting")
	} else {
		w.log.Error("control channel broke: finishing what was accepted, then exiting", "err", err)
	}
	w.beginDrain(control.Drain{Timeout: w.conf.Drain.Timeout, Idle: w.conf.Drain.Idle, Why: control.WhyStop, Empty: w.allListeners()})
}

func (w *worker) allListeners() []int {
	all := make([]int, len(w.listeners))
	for i := range all {
		all[i] = i
	}
	return all
}

func (w *worker) tell(m control.Message) error {
	frame, err := control.Append(w.frame[:0], m)
	if err != nil {
		return err
	}
	w.frame = frame
	return w.control.Send(frame, nil)
}

// tellReady is the last thing before the loop runs; from then on sending must
// not wait.
func (w *worker) tellReady() error {
	fault(atReady)
	// A master that has died meanwhile is noticed by the loop, which then
	// serves what waits in the queues. This process may be the last to have
	// them: its end would reset those connections.
	if err := w.tell(control.Ready{Checksum: w.checksum}); err != nil {
		w.log.Warn("master not told", "err", err)
	}
	w.control.SetSendWait(0)
	return nil
}

func (w *worker) tellFailed(err error) {
	// If even this cannot be said, the exit and stderr say it.
	_ = w.tell(control.Failed{Reason: err.Error()})
}
