package serve

import "srvctl/proto/http1"

// Bounds of the echo of a body.
const (
	// echoSmall: a body of a known length up to this is built in Scratch.
	echoSmall = 4 << 10
	// echoHold is how much of a body is held before the answer begins: until
	// then the answer can still say how long the whole body is.
	echoHold = 256 << 10
	// echoMost is how much of a body is held at once for a client that sends
	// without reading. It is the usual limit of a body, so that such a client
	// is not left waiting for ever.
	echoMost = 1 << 20
	// echoRead is the most that one delivery of the carrier holds.
	echoRead = 64 << 10
	// echoMemory bounds what all echoes of a worker hold.
	echoMemory = 64 << 20
)

// echoBudget is counted for the process, because the bound is: a worker's.
var echoBudget = budget{most: echoMemory}

// NewEcho returns a handler that sends back what the server received, for any
// method. what is
//
//	body     the body, with its Content-Type
//	headers  the fields as received, "Name: value" lines
//	cookies  "name=value" lines
//	request  request line, fields and body
//
// A body up to 256 KiB comes back with a Content-Length. A longer one comes
// back while it arrives, in chunks if it came in chunks, and the client is read
// from only as fast as it reads, but for a MiB that is held meanwhile. When
// the memory for that is used up the answer is 503.
func NewEcho(what string) Handler { return newEcho(what, &echoBudget) }

func newEcho(what string, b *budget) Handler {
	switch what {
	case "body", "headers", "cookies", "request":
		return &echo{what: what, budget: b}
	}
	panic("serve: echo of " + what)
}

type echo struct {
	what   string
	budget *budget
}

var (
	// The type is the client's word: no browser shall read something else into
	// the bytes.
	echoLines = []byte("Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n")
	echoText  = []byte("Content-Type: text/plain; charset=utf-8\r\n")
)

func (h *echo) Serve(x *Exchange) {
	switch h.what {
	case "headers":
		x.Scratch = appendFields(x.Scratch[:0], &x.Req)
	case "cookies":
		x.Scratch = appendCookies(x.Scratch[:0], &x.Req)
	case "request":
		x.Scratch = appendHead(x.Scratch[:0], &x.Req)
	}
	if !x.Req.HasBody() || h.what == "headers" || h.what == "cookies" {
		h.addFields(x)
		x.Bytes(x.Scratch)
		return
	}
	h.body(x)
}

// body answers with what Scratch holds, followed by the request's body.
func (h *echo) body(x *Exchange) {
	length := int64(-1)
	if !x.Req.Chunked {
		length = x.Req.ContentLength
	}
	if length >= 0 && length <= echoSmall {
		x.Receive(echoScratch{h})
		return
	}
	s := &echoBody{h: h, prefix: x.Scratch, length: length}
	switch {
	case x.Req.Method == http1.MethodHead:
		// Nobody would read what is held, so nothing is.
		s.answer(x)
	case !s.reserve():
		x.Busy()
	default:
		x.Receive(s)
	}
}

// addFields adds the fields of the answer. That is done with the answer, not
// before: an error of the carrier's has its own.
func (h *echo) addFields(x *Exchange) {
	x.AddFieldLines(echoLines)
	if h.what != "body" {
		x.AddFieldLines(echoText)
		return
	}
	if v, ok := x.Req.Header("content-type"); ok && len(v) > 0 {
		x.AddFieldBytes("Content-Type", v)
		return
	}
	x.AddField("Content-Type", "application/octet-stream")
}

// echoScratch gathers a small body in Scratch.
type echoScratch struct{ h *echo }

// Data is the Sink's.
func (echoScratch) Data(x *Exchange, p []byte) bool {
	x.Scratch = append(x.Scratch, p...)
	return true
}

// End is the Sink's.
func (s echoScratch) End(x *Exchange, err error) {
	if err == nil {
		s.h.addFields(x)
		x.Bytes(x.Scratch)
	}
}

// appendHead appends request line, fields and empty line as received.
func appendHead(dst []byte, r *Request) []byte {
	dst = append(dst, r.MethodBytes()...)
	dst = append(dst, ' ')
	dst = append(dst, r.Target.Of(r.Buf)...)
	dst = append(dst, " HTTP/1."...)
	dst = append(dst, '0'+r.Minor, '\r', '\n')
	for _, f := range r.Fields {
		dst = appendField(dst, r.Buf, f, "\r\n")
	}
	return append(dst, '\r', '\n')
}

// appendFields appends the fields as received, a line each.
func appendFields(dst []byte, r *Request) []byte {
	for _, f := range r.Fields {
		dst = appendField(dst, r.Buf, f, "\n")
	}
	return dst
}

func appendField(dst, buf []byte, f http1.Field, end string) []byte {
	dst = append(dst, f.Name.Of(buf)...)
	dst = append(dst, ": "...)
	dst = append(dst, f.Value.Of(buf)...)
	return append(dst, end...)
}

// appendCookies appends the cookies of all Cookie fields, a line each.
func appendCookies(dst []byte, r *Request) []byte {
	for _, f := range r.Fields {
		if f.Name.Len != 6 || !equalFold(f.Name.Of(r.Buf), "cookie") {
			continue
		}
		from := len(dst)
		for _, c := range f.Value.Of(r.Buf) {
			switch {
			case c == ';':
				dst = endLine(dst, from)
				from = len(dst)
			case c != ' ' || len(dst) > from: // no leading space
				dst = append(dst, c)
			}
		}
		dst = endLine(dst, from)
	}
	return dst
}

// endLine ends the line that begins at from, unless it is empty.
func endLine(dst []byte, from int) []byte {
	if len(dst) == from {
		return dst
	}
	return append(dst, '\n')
}

// equalFold compares with a name in lower case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
