package main

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"
)

const (
	// patience is how long a request may take before it counts as unanswered.
	patience = 10 * time.Second
	// refusedPause is between two attempts to connect.
	refusedPause = 5 * time.Millisecond
)

// client is one connection at a time. All of it belongs to its own goroutine.
type client struct {
	form   form
	addr   string
	seen   *history
	stopc  <-chan struct{} // closed when nothing new is to be asked
	random *rand.Rand

	wire   *wire       // nil when there is no connection
	opened int         // connections so far
	again  []time.Time // when those requests were first wanted that have to be sent again
	in     *bufio.Reader
	tally  tally
}

// run asks until it is stopped. An error is one of this side.
func (c *client) run() error {
	defer c.close()
	for {
		c.pause()
		if c.stopping() {
			return nil
		}
		wanted := time.Now()
		c.look()
		ok, err := c.open()
		if err != nil {
			return err
		}
		if ok {
			c.exchange(wanted)
		}
	}
}

func (c *client) stopping() bool {
	select {
	case <-c.stopc:
		return true
	default:
		return false
	}
}

func (c *client) close() {
	if c.wire != nil {
		c.wire.conn.Close()
		c.wire = nil
	}
}

// pause is the time until the next request. It sees the connection end.
func (c *client) pause() {
	if c.form.think == 0 {
		return
	}
	until := time.Now().Add(time.Duration(c.random.Int64N(int64(c.form.think) + 1)))
	if c.wire != nil {
		err := c.wire.silent(until)
		if err == nil {
			return
		}
		c.cut(err, &c.tally.cutIdle)
	}
	c.await(time.Until(until))
}

// look sees whether the connection has ended since the last answer or look.
func (c *client) look() {
	if c.wire == nil {
		return
	}
	if err := c.wire.now(); err != nil {
		c.cut(err, &c.tally.cutIdle)
	}
}

func (c *client) await(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.stopc:
	}
}

// cut notes a connection that ended unannounced, and how.
func (c *client) cut(err error, how *int64) {
	if errors.Is(err, errOther) {
		c.tally.other++
	} else {
		*how++
		if isReset(err) {
			c.tally.resets++
		}
	}
	c.close()
}

// open makes sure that there is a connection; false if it was stopped before
// there was one.
func (c *client) open() (bool, error) {
	for c.wire == nil {
		conn, err := net.DialTimeout("tcp", c.addr, patience)
		switch {
		case err == nil:
			c.in.Reset(conn)
			c.wire = &wire{conn.(*net.TCPConn), c.in}
			if c.opened++; c.opened > 1 && !c.form.closes {
				c.tally.reopened++
			}
		case isOurs(err):
			return false, fmt.Errorf("form %s: %w: too many connections for this machine", c.form.name, err)
		default:
			c.tally.refused++
			c.await(refusedPause)
		}
		if c.wire == nil && c.stopping() {
			return false, nil
		}
	}
	return true, nil
}

// exchange sends a batch of requests and reads their answers.
func (c *client) exchange(wanted time.Time) {
	batch := c.again
	c.again = nil
	c.tally.again += int64(len(batch))
	for len(batch) < c.form.batch {
		batch = append(batch, wanted)
		c.tally.requests++
	}
	request := requestLasts
	if c.form.closes {
		request = requestCloses
	}
	by := time.Now().Add(patience)
	// A write that fails does not end it: answers may have come before.
	written := c.wire.conn.SetWriteDeadline(by)
	if written == nil {
		_, written = c.wire.conn.Write([]byte(strings.Repeat(request, len(batch))))
	}
	for i, since := range batch {
		version, closes, err := c.wire.answer(by)
		now := time.Now()
		if err == nil && !c.seen.saw(version, now) {
			err = fmt.Errorf("%w: version %d", errOther, version)
		}
		if err != nil {
			c.broken(batch[i:], now, errors.Join(err, written))
			return
		}
		c.tally.answered++
		c.tally.took(now.Sub(since))
		if closes || c.form.closes {
			c.leave(batch[i+1:], closes)
			return
		}
	}
}

// broken counts requests whose answers did not come.
func (c *client) broken(rest []time.Time, now time.Time, err error) {
	c.tally.noAnswer += int64(len(rest))
	for _, since := range rest {
		c.tally.took(now.Sub(since))
	}
	c.cut(err, &c.tally.cutBusy)
}

// leave ends a connection whose end was announced, or asked for.
func (c *client) leave(rest []time.Time, announced bool) {
	if announced {
		c.wire.end()
	}
	if !c.form.closes {
		c.tally.announced++
	}
	c.again = rest
	c.close()
}
