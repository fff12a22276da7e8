package static

import "time"

// CacheOptions bound a Cache. A zero means the default, a negative value none.
type CacheOptions struct {
	// Bytes is what the files held in memory may take; 32 MiB.
	Bytes int64
	// FileSize is the size of the largest file held in memory; 64 KiB.
	FileSize int64
	// OpenFiles is how many larger files are held open; 512.
	OpenFiles int
	// Revalidate is how long a file is served without looking whether it is
	// still the same; 1 s.
	Revalidate time.Duration
	// Trouble is told why a file could not be served, when the reason is the
	// server's: no descriptors left, a broken disk. It is called on the loop,
	// once a request.
	Trouble func(err error)
}

// Cache holds the files of the handlers of one loop.
type Cache struct {
	fileSize   int64
	revalidate int64
	trouble    func(error)

	content ring // entries with their content, by bytes
	open    ring // entries with an open file, by number

	buf    []byte // what files are read into on the loop
	forgot int64  // when Tick last forgot
}

// NewCache makes a Cache.
func NewCache(o CacheOptions) *Cache {
	return &Cache{
		fileSize:   orDefault(o.FileSize, 64<<10, -1),
		revalidate: orDefault(int64(o.Revalidate), int64(time.Second), 0),
		trouble:    o.Trouble,
		content:    ring{most: orDefault(o.Bytes, 32<<20, 0)},
		open:       ring{most: orDefault(int64(o.OpenFiles), 512, 0)},
	}
}

func orDefault(n, def, none int64) int64 {
	switch {
	case n == 0:
		return def
	case n < 0:
		return none
	}
	return n
}

func (c *Cache) buffer() []byte {
	if c.buf == nil {
		c.buf = make([]byte, max(0, c.fileSize))
	}
	return c.buf
}

func (c *Cache) tell(err error) {
	if c.trouble != nil {
		c.trouble(err)
	}
}

// entryCost is about what an entry takes besides its content and lines.
const entryCost = 512

// insert takes e in, if it fits. Entries that were not used go for it.
func (c *Cache) insert(e *entry) {
	r := &c.open
	e.cost = 1
	if e.whole != nil {
		r = &c.content
		// The fields are there three times: alone, in the 200, in the 304.
		e.cost = int64(e.whole.Size() + 2*len(e.lines) + len(e.key) + entryCost)
	}
	if e.cost > r.most {
		return
	}
	for r.total+e.cost > r.most {
		c.remove(r.victim())
	}
	r.add(e)
	e.owner.entries[e.key] = e
	if e.file != nil {
		e.file.hold()
	}
}

// remove lets go of e.
func (c *Cache) remove(e *entry) {
	e.ring.remove(e)
	delete(e.owner.entries, e.key)
	if e.file != nil {
		e.file.Release()
	}
}

// shed closes the descriptors that nobody sends from, and reports whether
// there were any.
func (c *Cache) shed() (any bool) {
	for n := c.open.total; n > 0; n-- {
		e := c.open.hand
		c.open.hand = e.next
		if e.file.holders == 1 {
			c.remove(e)
			any = true
		}
	}
	return any
}

// idle is how long a descriptor is held that nobody asks for: the space of a
// file that was deleted comes back no later.
const idle = int64(time.Minute)

// Tick is to be called now and then, a few times a minute, with the loop's
// clock: descriptors that nobody asked for lately are closed, and what is known
// only from having been read is forgotten.
func (c *Cache) Tick(now int64) {
	c.sweep(now, c.open.total)
	if now-c.forgot < idle {
		return
	}
	c.forgot = now
	for n := c.open.total; n > 0; n-- {
		c.open.hand.file.forget()
		c.open.hand = c.open.hand.next
	}
}

// sweep looks at up to n descriptors.
func (c *Cache) sweep(now, n int64) {
	for n = min(n, c.open.total); n > 0; n-- {
		e := c.open.hand
		c.open.hand = e.next
		if now-e.checked >= idle {
			c.remove(e)
		}
	}
}

// ring is entries in the order of CLOCK: the hand goes round, takes the mark
// off those that were used since it last came, and stops at one that was not.
type ring struct {
	hand  *entry
	total int64 // cost of all
	most  int64
}

func (r *ring) add(e *entry) {
	e.ring = r
	r.total += e.cost
	if r.hand == nil {
		e.next, e.prev = e, e
		r.hand = e
		return
	}
	// Behind the hand, where it comes last.
	e.next, e.prev = r.hand, r.hand.prev
	e.prev.next, e.next.prev = e, e
}

func (r *ring) remove(e *entry) {
	r.total -= e.cost
	switch {
	case e.next == e:
		r.hand = nil
	case r.hand == e:
		r.hand = e.next
	}
	e.prev.next, e.next.prev = e.next, e.prev
	e.ring, e.next, e.prev = nil, nil, nil
}

// victim returns the entry to go. The ring is not empty.
func (r *ring) victim() *entry {
	for r.hand.used {
		r.hand.used = false
		r.hand = r.hand.next
	}
	return r.hand
}
