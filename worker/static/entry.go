package static

import (
	"path"
	"strconv"
	"strings"
	"time"

	"srvctl/proto/http1"
	"srvctl/worker/serve"
)

// entry is a file as it is served: with its content, or open.
type entry struct {
	owner *Handler
	key   string // what it is found by; the name asked for
	id    fileID
	racy  bool // see answer
	young bool // see answer
	// checked is when it was last known to be what the key leads to.
	checked int64

	lines    []byte // fields of every answer, complete lines
	etag     []byte // in lines
	modified int64  // seconds, as in Last-Modified

	whole       *serve.Ready // 200 with the content, or nil
	notModified *serve.Ready // 304, made when it is first needed
	file        *openedFile  // when there is no whole

	// Of the cache.
	ring       *ring // that it is in, nil when it is not cached
	next, prev *entry
	cost       int64
	used       bool // since the hand of the ring passed
}

// newEntry makes an entry of what was found. The caller has a hold on its file.
func (h *Handler) newEntry(q *query, a *answer) *entry {
	e := &entry{
		owner: h, key: q.name, id: a.id, racy: a.racy, young: a.young, checked: q.checked,
		modified: max(0, time.Unix(0, a.id.mtime).Unix()),
	}
	b := make([]byte, 0, 256)
	b = http1.AppendField(b, "Content-Type", h.typeOf(a.name))
	b = append(b, "Last-Modified: "...)
	b = http1.AppendDate(b, time.Unix(e.modified, 0).UTC())
	b = append(b, "\r\nETag: "...)
	from := len(b)
	b = appendETag(b, a.id)
	to := len(b)
	b = append(b, "\r\nAccept-Ranges: bytes\r\n"...)
	if h.control != "" {
		b = http1.AppendField(b, "Cache-Control", h.control)
	}
	e.lines, e.etag = b, b[from:to:to]
	if a.body != nil {
		closeFD(a.fd)
		e.whole = serve.NewReady(200, e.lines, a.body)
	} else {
		e.file = newFile(a.fd, a.id.size, a.id.mtime)
	}
	return e
}

// appendETag appends the entity tag: the time of modification, in nanoseconds,
// and the size, both hexadecimal. It is the same on every machine that has the
// same file.
func appendETag(b []byte, id fileID) []byte {
	b = append(b, '"')
	b = strconv.AppendUint(b, uint64(id.mtime), 16)
	b = append(b, '-')
	b = strconv.AppendInt(b, id.size, 16)
	return append(b, '"')
}

// typeOf returns the media type of a file by its name.
func (h *Handler) typeOf(name string) string {
	ext := strings.ToLower(path.Ext(name))
	if t, ok := h.types[ext]; ok {
		return t
	}
	if t, ok := types[ext]; ok {
		return t
	}
	return "application/octet-stream"
}

// hold returns the entry as a result.
func (e *entry) hold() result {
	r := result{entry: e}
	r.hold()
	return r
}

// answer answers x with the entry: with all of it, a part, or what its
// conditions lead to.
func (e *entry) answer(x *serve.Exchange) {
	var c conditions
	if !c.scan(&x.Req) {
		e.sendAll(x)
		return
	}
	switch v, off, n := c.evaluate(x, e); v {
	case 200:
		e.sendAll(x)
	case 206:
		e.sendPart(x, off, n)
	case 304:
		x.Send(e.ready304())
	case 416:
		b := append(x.Scratch[:0], "bytes */"...)
		x.Scratch = strconv.AppendInt(b, e.id.size, 10)
		x.AddFieldBytes("Content-Range", x.Scratch)
		x.Error(416)
	default:
		x.Error(v)
	}
}

func (e *entry) sendAll(x *serve.Exchange) {
	if e.whole != nil {
		x.Send(e.whole)
		return
	}
	x.AddFieldLines(e.lines)
	e.file.hold()
	x.SendFile(e.file, 0, e.id.size)
}

func (e *entry) sendPart(x *serve.Exchange, off, n int64) {
	x.SetStatus(206)
	x.AddFieldLines(e.lines)
	b := append(x.Scratch[:0], "bytes "...)
	b = strconv.AppendInt(b, off, 10)
	b = append(b, '-')
	b = strconv.AppendInt(b, off+n-1, 10)
	b = append(b, '/')
	x.Scratch = strconv.AppendInt(b, e.id.size, 10)
	x.AddFieldBytes("Content-Range", x.Scratch)
	if e.whole != nil {
		x.Bytes(e.whole.Body()[off : off+n])
		return
	}
	e.file.hold()
	x.SendFile(e.file, off, n)
}

// ready304 returns the answer to a client that has the file already. "The
// server generating a 304 response MUST generate any of the following header
// fields that would have been sent in a 200 (OK) response to the same request:
// Content-Location, Date, ETag, and Vary; Cache-Control and Expires" (RFC 9110
// section 15.4.5). Last-Modified goes with them as it does everywhere.
func (e *entry) ready304() *serve.Ready {
	if e.notModified == nil {
		_, lines, _ := strings.Cut(string(e.lines), "\r\n") // Content-Type comes first
		lines = strings.Replace(lines, "Accept-Ranges: bytes\r\n", "", 1)
		e.notModified = serve.NewReady(304, []byte(lines), nil)
	}
	return e.notModified
}
