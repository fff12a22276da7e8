package static

import (
	"fmt"
	"strings"

	"srvctl/worker/serve"
)

// Options say what a Handler serves.
type Options struct {
	// Root is the folder, an absolute path.
	Root string
	// Index are the names tried for a folder, in order.
	Index []string
	// CacheControl is the value of Cache-Control; "" for none.
	CacheControl string
	// Types are media types by extension (".foo") before those known here.
	Types map[string]string
	// Cache holds files; nil for one of its own.
	Cache *Cache
}

// Handler serves files. It is a serve.Handler of one loop.
type Handler struct {
	cache   *Cache
	root    *root
	path    string // of the root
	index   []string
	control string
	types   map[string]string

	entries map[string]*entry
	flights map[string]*flight
	// checked is when root was last known to be what path leads to. Entries
	// take it as their own time, so that all of what is served is at most
	// Revalidate old.
	checked int64
}

// New opens the root.
func New(o Options) (*Handler, error) {
	r, err := openRoot(o.Root, probe(), true)
	if err == nil {
		// A folder can be opened for looking by whoever cannot enter it. Then
		// every file would be forbidden, which nobody means.
		if err = r.mayEnter(); err != nil {
			r.release()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("files: root %s: %w", o.Root, err)
	}
	h := &Handler{
		cache:   o.Cache,
		root:    r,
		path:    o.Root,
		index:   o.Index,
		control: o.CacheControl,
		types:   map[string]string{},
		entries: map[string]*entry{},
		flights: map[string]*flight{},
		checked: never,
	}
	if h.cache == nil {
		h.cache = NewCache(CacheOptions{})
	}
	for ext, t := range o.Types {
		h.types["."+strings.ToLower(strings.TrimPrefix(ext, "."))] = t
	}
	return h, nil
}

// never is a time before every other.
const never = -1 << 62

// Close lets go of all that is held. Nothing may be served any more.
func (h *Handler) Close() {
	h.flush()
	h.root.release()
}

// flush forgets all entries.
func (h *Handler) flush() {
	for _, e := range h.entries {
		h.cache.remove(e)
	}
}

// Serve answers with the file that the path names.
func (h *Handler) Serve(x *serve.Exchange) {
	if !x.Readable() {
		x.NotAllowed(serve.ReadMethods)
		return
	}
	name := x.Req.Path[1:]
	if x.Req.Rest >= 0 {
		if name = x.Req.Wildcard(); len(name) == 0 && x.Req.Path[len(x.Req.Path)-1] != '/' {
			addSlash(x) // of "/p/*" the request was for "/p"
			return
		}
	}
	e := h.entries[string(name)]
	if e != nil && x.Now()-e.checked < h.cache.revalidate && (e.file == nil || e.file.Intact()) {
		e.used = true
		e.answer(x)
		return
	}
	h.look(x, name, e)
}

// look answers with what is on the disk. e is what the cache has, or nil.
func (h *Handler) look(x *serve.Exchange, name []byte, e *entry) {
	if f := h.flights[string(name)]; f != nil {
		f.join(x)
		return
	}
	now := x.Now()
	q := h.query(string(name), e, now)
	a, wait := q.find(false, h.cache.buffer())
	if a.exhausted() && h.cache.shed() {
		a.drop()
		q.known = fileID{} // that entry may be gone
		a, wait = q.find(false, h.cache.buffer())
	}
	if wait {
		h.fly(x, q)
		return
	}
	res := h.settle(&q, &a)
	res.answer(x)
	res.release()
	h.cache.sweep(now, 1)
}

// query is the question what name leads to now, if e was the answer before.
func (h *Handler) query(name string, e *entry, now int64) query {
	q := query{root: h.root, name: name, index: h.index, hot: h.cache.fileSize, checked: h.checked}
	if now-h.checked >= h.cache.revalidate {
		q.path, q.checked = h.path, now
	}
	if e != nil && !e.racy {
		q.known = e.id
	}
	return q
}

// result is what requests are answered with.
type result struct {
	entry  *entry
	status int // when there is no entry
}

func (r *result) answer(x *serve.Exchange) {
	switch {
	case r.entry != nil:
		r.entry.answer(x)
	case r.status == 301:
		addSlash(x)
	default:
		x.Error(r.status)
	}
}

func (r *result) hold() {
	if r.entry != nil && r.entry.file != nil {
		r.entry.file.hold()
	}
}

// release gives up the hold on the result that settle gave.
func (r *result) release() {
	if r.entry != nil && r.entry.file != nil {
		r.entry.file.Release()
	}
}

// settle takes in an answer from the disk: the cache is brought up to date. The
// caller releases the result.
func (h *Handler) settle(q *query, a *answer) result {
	if a.root != nil {
		h.setRoot(a.root)
	}
	h.checked = max(h.checked, q.checked)
	old := h.entries[q.name]
	if a.status != 0 {
		if old != nil {
			h.cache.remove(old)
		}
		if a.status >= 500 {
			h.cache.tell(fmt.Errorf("files: %s/%s: %w", h.path, q.name, a.err))
		}
		return result{status: a.status}
	}
	if old != nil && a.same && old.id == a.id {
		closeFD(a.fd)
		old.checked = max(old.checked, q.checked)
		old.used = true
		return old.hold()
	}
	if old != nil {
		h.cache.remove(old)
	}
	e := h.newEntry(q, a)
	// What is the same as an entry that is no more has not been read.
	if !a.moving && !a.same {
		h.cache.insert(e)
	}
	return result{entry: e}
}

// setRoot replaces the root by what its path leads to now.
func (h *Handler) setRoot(r *root) {
	if r.same(h.root) {
		r.release() // another request was first
		return
	}
	h.root.release()
	h.root = r
	h.flush()
}

// addSlash answers a request for a folder without the slash at its end.
func addSlash(x *serve.Exchange) {
	b := serve.AppendPath(x.Scratch[:0], x.Req.Path)
	b = append(b, '/')
	if q := x.Req.Query.Of(x.Req.Buf); len(q) > 0 {
		b = append(b, '?')
		b = append(b, q...)
	}
	x.Scratch = b
	x.AddFieldBytes("Location", b)
	x.Error(301)
}
