package ledger

import "time"

const (
	keepPause    = 50 * time.Millisecond
	bodyMost     = 4000
	dribbledMost = 20 // of a body that comes byte by byte
	pipelineMost = 16
)

// keep asks one after the other on connections that stay.
func (c *client) keep() {
	for c.more() {
		if !c.open() || !c.pause(keepPause) {
			continue
		}
		batch := c.next(1, func() *request { return c.request(kind(c.random.IntN(int(kinds))), bodyMost, false) })
		c.exchange(batch, func() error { return c.whole(batch) })
	}
}

// fresh asks once on each connection. In turn the server is to end it, or the
// client does.
func (c *client) fresh() {
	for turn := 0; c.more(); turn++ {
		if !c.open() || !c.pause(c.l.o.Pause) {
			continue
		}
		batch := c.next(1, func() *request {
			return c.request(kind(c.random.IntN(int(kindFile))), bodyMost, turn%2 == 0)
		})
		c.exchange(batch, func() error { return c.whole(batch) })
		c.close()
	}
}

// dribble sends byte by byte on connections that stay.
func (c *client) dribble() {
	gap := func() time.Duration {
		return time.Millisecond + time.Duration(c.random.Int64N(int64(4*time.Millisecond)))
	}
	for c.more() {
		if !c.open() || !c.pause(keepPause) {
			continue
		}
		batch := c.next(1, func() *request {
			return c.request(kind(c.random.IntN(int(kindFile))), dribbledMost, c.random.IntN(8) == 0)
		})
		c.exchange(batch, func() error {
			err := c.wire.dribble(batch[0].text, gap)
			batch[0].sent = time.Now()
			return err
		})
	}
}

// pipeline sends up to 16 requests at once, sometimes cut at any byte.
func (c *client) pipeline() {
	for c.more() {
		if !c.open() || !c.pause(c.l.o.Pause) {
			continue
		}
		batch := c.next(1+c.random.IntN(pipelineMost), func() *request {
			k := kind(c.random.IntN(int(kinds)))
			if k == kindFile && c.random.IntN(4) > 0 {
				k = kindGet
			}
			return c.request(k, bodyMost/10, false)
		})
		c.exchange(batch, func() error { return c.whole(batch) })
	}
}

func (c *client) request(k kind, bodyMost int, closes bool) *request {
	return newRequest(c.l.number(c.form), k, bodyMost, closes, c.random)
}

// whole writes requests in one piece, or now and then in two.
func (c *client) whole(batch []*request) (err error) {
	var text []byte
	for _, r := range batch {
		text = append(text, r.text...)
	}
	cut := 0
	if c.random.IntN(4) == 0 {
		cut = c.random.IntN(len(text))
		err = c.wire.write(text[:cut])
	}
	if err == nil {
		err = c.wire.write(text[cut:])
	}
	sent := time.Now()
	for _, r := range batch {
		r.sent = sent
	}
	return err
}
