package http1

// MaxHead is the size of the largest head, whatever Limits say: Span has 16
// bits.
const MaxHead = 1<<16 - 1

// Span is a run of bytes of the buffer a head was parsed from, by offset, so
// that it survives a move of the buffer and holds no pointer.
type Span struct{ Off, Len uint16 }

// Of returns the bytes of s in buf.
func (s Span) Of(buf []byte) []byte {
	return buf[s.Off : int(s.Off)+int(s.Len) : int(s.Off)+int(s.Len)]
}

// Field is a field line: the name as written, the value without the optional
// white space around it.
type Field struct{ Name, Value Span }

// Form is the form of a request target (RFC 9112 section 3.2).
type Form uint8

// The forms.
const (
	FormOrigin    Form = iota // "/path?query"
	FormAbsolute              // "http://host/path?query"
	FormAsterisk              // "*", with OPTIONS only
	FormAuthority             // "host:port", with CONNECT only; never returned
)

// Limits bound a head. None may be negative.
type Limits struct {
	RequestLine int // bytes of the request line, without its CRLF
	HeaderBytes int // bytes of the whole head, all empty lines included; more than MaxHead is MaxHead
	HeaderCount int // field lines
}

// Head is a request head. The exported fields are valid once Parse has
// returned n > 0, until Reset; Offset once it has refused. The zero value is
// ready for use.
type Head struct {
	Fields []Field // in the order received; the array is reused by Reset

	ContentLength int64 // 0 without a body or with a chunked one

	MethodName Span
	Target     Span // as received
	Path       Span // of the target, not decoded; "/" when an absolute form has none; "*" for the asterisk
	Query      Span // of the target, without '?'
	Host       Span // value of Host, or the authority of an absolute target

	Method Method
	Form   Form
	Minor  uint8 // of the version: HTTP/1.Minor

	Chunked        bool // the body is chunked; otherwise it has ContentLength bytes
	HasLength      bool // a Content-Length was there
	Close          bool // Connection: close
	KeepAlive      bool // Connection: keep-alive
	Upgrade        bool // Connection: upgrade, in a 1.1 request
	ExpectContinue bool // Expect: 100-continue, in a 1.1 request

	Offset int // of the byte that refused the head, from the start of the buffer

	// Progress, owned by Parse: what has been found in the line at hand.
	phase   phase
	refused Reason // in phaseRefused
	hasHost bool
	start   uint16 // of the request line: 0, or 2 behind an empty line
	target  uint16 // start of the target
	query   uint16 // the '?' of the target, 0 if none was seen
	name    uint16 // start of the field name
	colon   uint16 // behind it
	value   uint16 // start of the value
	pos     int    // next byte to look at
}

// Reset makes h ready for another head. It keeps the Fields array.
func (h *Head) Reset() {
	fields := h.Fields[:0]
	*h = Head{} // in place: a literal with Fields in it would be built and copied
	h.Fields = fields
}

// Persistent reports whether the connection may serve another request after
// this one, as far as the client is concerned (RFC 9112 section 9.3).
func (h *Head) Persistent() bool {
	if h.Close {
		return false
	}
	return h.Minor >= 1 || h.KeepAlive
}

// Lookup returns the value of the first field of that name, which is given in
// lower case. The value is a part of buf.
func (h *Head) Lookup(buf []byte, name string) ([]byte, bool) {
	for i := range h.Fields {
		f := &h.Fields[i]
		if int(f.Name.Len) == len(name) && foldEqual(f.Name.Of(buf), name) {
			return f.Value.Of(buf), true
		}
	}
	return nil, false
}
