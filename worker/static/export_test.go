package static

import "os"

// Modes are the ways to open, by name; all but the first always use the pool.
var Modes = map[string]opening{"cached": openCached, "beneath": openBeneath, "walk": openWalk}

// Use makes h open in that way.
func (h *Handler) Use(mode opening) {
	h.root.mode = mode
	if mode == openWalk && h.root.walker == nil {
		h.root.walker, _ = os.OpenRoot(h.path)
	}
}

// Held is how many files the cache holds with their content, and open.
func (c *Cache) Held() (content, open int) {
	count := func(r *ring) (n int) {
		for e := r.hand; e != nil; {
			n++
			if e = e.next; e == r.hand {
				break
			}
		}
		return n
	}
	return count(&c.content), count(&c.open)
}

// Bytes is what the files held with their content take.
func (c *Cache) Bytes() int64 { return c.content.total }

// File is an open file.
type File = openedFile

// NewFile opens a file; blind makes it one of a file system that cannot tell
// what is in memory.
func NewFile(fd int, size int64) *File { return newFile(fd, size, 0) }

// MakeBlind makes f a file of a file system that cannot tell what is in memory.
func (f *File) MakeBlind() {
	f.there(0)
	f.memory = onceLoaded
	f.makeLoaded()
}

// Forget is forget.
func (f *File) Forget() { f.forget() }

var (
	ParseRange = parseRange
	TagListed  = tagListed
	Types      = types
)
