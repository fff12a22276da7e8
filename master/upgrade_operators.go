package master

import (
	"bytes"
	"io"
	"net"
	"os"
	"slices"
	"time"
)

// operatorsRest is how long operators may take to get the answers that are
// under way before their connections are handed over in the midst of them.
const operatorsRest = time.Second

// pause ends the goroutines of all connections but those that wait for an
// answer of the loop, which come to rest. From here on no connection is
// accepted, read from or closed by this program.
func (o *operators) pause() {
	o.mu.Lock()
	o.paused = true
	o.l.SetDeadline(time.Unix(1, 0))
	for c := range o.conns {
		c.SetReadDeadline(time.Unix(1, 0))
	}
	o.mu.Unlock()
	timer := time.NewTimer(operatorsRest)
	defer timer.Stop()
	for !o.atRest() {
		select {
		case <-o.restc:
		case <-timer.C:
			return
		}
	}
}

// atRest reports whether nobody reads a request or writes an answer that does
// not come from an operation.
func (o *operators) atRest() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for c := range o.conns {
		if !c.served && c.op == nil {
			return false
		}
	}
	return o.deaf
}

// rested wakes pause up.
func (o *operators) rested() {
	select {
	case o.restc <- struct{}{}:
	default:
	}
}

// begins notes which request of an operator is being answered, and by which
// operation.
func (o *operators) begins(c *operatorConn, op *operation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c.op = op
	o.rested()
}

// follow writes what an operation says until its last line.
func (o *operators) follow(c *operatorConn, op *operation) error {
	o.begins(c, op)
	defer o.begins(c, nil)
	return c.follow(op)
}

// stopsAccepting reports whether the next program accepts from here on.
func (o *operators) stopsAccepting() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.paused {
		o.deaf = true
		o.rested()
	}
	return o.paused
}

// arm lets a connection be read from for so long, unless that has ended.
func (o *operators) arm(c *operatorConn) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.paused {
		return false
	}
	c.SetReadDeadline(time.Now().Add(requestTime))
	return true
}

// save returns all connections with what has been read from them and not been
// answered. Whoever waits for an operation asks the next program again by
// that, but for those who wait for the upgrade itself.
func (o *operators) save(u *upgrade) (list []savedOperator) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for c := range o.conns {
		raw, err := c.SyscallConn()
		if err != nil || !c.served && c.op == nil {
			continue // it is in the midst of something, and too slow
		}
		s := savedOperator{FD: -1}
		if raw.Control(func(fd uintptr) { s.FD = int(fd) }) != nil {
			continue // it has ended
		}
		if s.Asked = c.op != nil && slices.Contains(u.askers, c.op); !s.Asked {
			s.Unread = append(s.Unread, c.line...)
		}
		rest, _ := c.r.Peek(c.r.Buffered())
		s.Unread = append(s.Unread, rest...)
		list = append(list, s)
	}
	return list
}

// restore goes on with the connections of the program before. It returns the
// operations of those who wait for the upgrade.
func (o *operators) restore(list []savedOperator) (askers []*operation) {
	for _, s := range list {
		f := os.NewFile(uintptr(s.FD), "operator")
		conn, err := net.FileConn(f)
		f.Close()
		unix, ok := conn.(*net.UnixConn)
		if err != nil || !ok {
			o.m.log.Warn("operator is lost", "err", err)
			continue
		}
		c := newOperatorConn(unix, s.Unread)
		o.mu.Lock()
		o.conns[c] = true
		o.mu.Unlock()
		if !s.Asked {
			go o.serve(c) // ends with the connection, which is bounded in time
			continue
		}
		op := newOperation()
		askers = append(askers, op)
		go func() {
			if o.follow(c, op) != nil {
				o.forget(c)
				return
			}
			o.serve(c)
		}()
	}
	return askers
}

// before is a reader of what was read already and then of the connection.
func before(read []byte, conn io.Reader) io.Reader {
	if len(read) == 0 {
		return conn
	}
	return io.MultiReader(bytes.NewReader(read), conn)
}
