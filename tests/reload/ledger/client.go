package ledger

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"time"
)

// client is one connection at a time in one form. All of it belongs to its own
// goroutine.
type client struct {
	l      *Ledger
	form   Form
	random *rand.Rand
	wire   *wire // nil when there is no connection
	space  []byte
	buf    []byte
	again  []*request // known to be unprocessed: to be sent again
	row    Row
	took   []uint32
}

// mostTries bounds how often a server may leave one request to the next
// connection.
const mostTries = 50

// refusedPause is between two attempts to connect where nobody listens.
const refusedPause = 5 * time.Millisecond

func (c *client) run() {
	switch c.form {
	case Keep:
		c.keep()
	case Fresh:
		c.fresh()
	case Dribble:
		c.dribble()
	case Pipeline:
		c.pipeline()
	}
	c.close()
	for _, r := range c.again {
		c.l.settle(r.number, stateUnsent)
	}
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	c.l.rows[c.form].add(c.row)
	c.l.took[c.form] = append(c.l.took[c.form], c.took...)
}

// more says whether there is something left to do.
func (c *client) more() bool {
	return len(c.again) > 0 || !c.l.stopping()
}

// next returns n requests at most, first those that have to be sent again.
func (c *client) next(n int, make func() *request) []*request {
	if len(c.again) > 0 {
		n = min(n, len(c.again))
		batch := c.again[:n:n]
		c.again = c.again[n:]
		return batch
	}
	batch := []*request{make()}
	for len(batch) < n {
		batch = append(batch, make())
	}
	return batch
}

// open makes sure that there is a connection. When there is none to be had it
// says no, after a moment.
func (c *client) open() bool {
	if c.wire != nil {
		return true
	}
	began := time.Now()
	w, err := dial(c.l.network, c.l.addr, c.l.o.Patience, c.buf, c.space)
	if err == nil {
		c.stalled(time.Since(began))
		c.wire = w
		c.row.Connections++
		return true
	}
	if !isRefused(err) || !c.l.refusal.Load() {
		c.l.fault(Refused, c.form, "connect: %v", err)
	} else {
		c.row.Refusals++
	}
	select {
	case <-time.After(refusedPause):
	case <-c.l.stopc: // nobody will be there: what is left to send stays unsent
		c.give()
	}
	return false
}

// give settles what cannot be sent again any more.
func (c *client) give() {
	for _, r := range c.again {
		c.l.settle(r.number, stateUnsent)
	}
	c.again = nil
}

func (c *client) close() {
	if c.wire != nil {
		c.buf = c.wire.buf // it may have grown
		c.wire.Close()
		c.wire = nil
	}
}

// pause looks at a silent connection for a while and says whether it is still
// there.
func (c *client) pause(most time.Duration) bool {
	if c.wire == nil {
		return false
	}
	if most <= 0 {
		return true
	}
	err := c.wire.pause(time.Duration(c.random.Int64N(int64(most) + 1)))
	if err == nil {
		return true
	}
	silent := time.Since(c.wire.wrote)
	switch {
	case errors.Is(err, errUnasked):
		c.l.fault(Wrong, c.form, "%v: %.80q", err, c.wire.buf)
	case c.wire.answers == 0 && c.l.refusal.Load():
		c.row.Refusals++ // it was never accepted
	case isReset(err):
		c.l.fault(Reset, c.form, "while it was silent, for %v: %v", silent, err)
	case silent < c.l.o.Idle || c.l.o.Stay:
		c.l.fault(Early, c.form, "ended unannounced after %v of silence, want %v (Stay: %t)", silent, c.l.o.Idle, c.l.o.Stay)
	default:
		c.row.ended(silent)
	}
	c.close()
	return false
}

// delivery is how long bytes may take to the server: so much sooner than its end
// a request may be sent and still meet it.
const delivery = 20 * time.Millisecond

// exchange sends requests with send and reads their answers.
func (c *client) exchange(batch []*request, send func() error) {
	w := c.wire
	silent := time.Since(w.wrote)
	now := time.Now()
	for _, r := range batch {
		if r.begun = now; r.tries > 0 {
			c.row.Resent++
		} else {
			c.row.Sent++
		}
		r.tries++
	}
	// A write that fails does not end it: answers may have come before.
	written := send()
	for i, r := range batch {
		closes, err := w.answer(r)
		if err != nil {
			c.broken(batch[i:], errors.Join(err, written), silent, i == 0)
			return
		}
		c.answered(r)
		if closes {
			c.row.Announced++
			if c.l.o.Stay && !r.closes {
				c.l.fault(Ended, c.form, "request %d, answered, connection %v, %d answers on it", r.number, w.LocalAddr(), w.answers)
			}
			c.leave(batch[i+1:])
			return
		}
		if r.closes {
			c.l.fault(Wrong, c.form, "request %d asked for the end of the connection, its answer does not say so", r.number)
		}
	}
	if written != nil {
		c.l.fault(Wrong, c.form, "request %d was answered before it had been sent: %v", batch[0].number, written)
		c.close()
	}
}

func (c *client) answered(r *request) {
	c.wire.answers++
	c.row.Answered++
	c.l.settle(r.number, stateAnswered)
	took := time.Since(r.sent)
	c.took = append(c.took, uint32(min(took.Microseconds(), 1<<32-1)))
	c.stalled(took)
}

func (c *client) stalled(took time.Duration) {
	if took > c.row.Stall {
		c.row.Stall, c.row.StallAfter = took, time.Since(c.l.began)
	}
}

// leave ends a connection whose end was announced. What was sent behind the
// last answer is sent again.
func (c *client) leave(rest []*request) {
	if err := c.wire.end(); err != nil {
		c.endFault(err)
	}
	c.close()
	for _, r := range rest {
		if r.tries >= mostTries {
			c.l.settle(r.number, stateLost)
			c.l.fault(Lost, c.form, "request %d was left unprocessed by %d connections", r.number, r.tries)
			continue
		}
		c.again = append(c.again, r)
	}
}

func (c *client) endFault(err error) {
	if isReset(err) {
		c.l.fault(Reset, c.form, "after the answer that announced the end: %v", err)
		return
	}
	c.l.fault(Wrong, c.form, "%v", err)
}

// broken says what became of requests whose answers did not come. silent is how
// long the connection was before them; first says that none of them was
// answered.
func (c *client) broken(rest []*request, err error, silent time.Duration, first bool) {
	w := c.wire
	nothing := first && len(w.buf) == 0
	var bad *wrongAnswer
	what := stateLost
	switch {
	case errors.As(err, &bad):
		c.l.fault(Wrong, c.form, "request %d: %v", rest[0].number, err)
		what = stateAbandoned
	case errors.Is(err, os.ErrDeadlineExceeded):
	case nothing && w.answers == 0 && c.l.refusal.Load():
		what = stateUnaccepted
	case nothing && silent >= c.l.o.Idle-delivery && !c.l.o.Stay:
		what = stateRaced
	case isReset(err):
		c.l.fault(Reset, c.form, "%d requests in flight from %d on, %d answers before on this connection, silent for %v before: %v",
			len(rest), rest[0].number, w.answers, silent, err)
	}
	for _, r := range rest {
		c.l.settle(r.number, what)
		switch what {
		case stateAbandoned:
			c.row.Abandoned++
		case stateUnaccepted:
			c.row.Unaccepted++
		case stateRaced:
			c.row.Raced++
		default:
			c.l.fault(Lost, c.form, "request %d, %s, begun %v ago, connection %v with %d answers before and silent for %v: %v",
				r.number, kindNames[r.kind], time.Since(r.begun), w.LocalAddr(), w.answers, silent, plain(err))
		}
	}
	c.close()
}

// plain names the end of a stream.
func plain(err error) string {
	switch {
	case isReset(err):
		return "RST: " + err.Error()
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "FIN in the middle of the answer"
	case errors.Is(err, io.EOF):
		return "FIN"
	}
	return err.Error()
}
