package serve

import (
	"srvctl/proto/http1"
)

// ServerField is the field line that every response carries.
const ServerField = "Server: srvctl\r\n"

// inlineBody is the size up to which a body is copied behind its head rather
// than sent as a second piece: below it one copy is cheaper than one more
// element of a vector.
const inlineBody = 8 << 10

// Ready is a whole response rendered beforehand, but for the date and the
// connection option. It is read-only and may be shared by loops.
type Ready struct {
	Status int
	block  []byte // status line, Server, Date, fields, Content-Length, CRLF, body
	date   int    // where in block the date stands
	option int    // where a Connection field goes: before the empty line
	body   int    // where the body begins
}

// NewReady renders a response. fields are complete lines ended by CRLF and
// hold no framing fields. The body is copied. Statuses without a body (204,
// 304) get neither a body nor a length.
func NewReady(status int, fields []byte, body []byte) *Ready {
	r := &Ready{Status: status}
	b := make([]byte, 0, 160+len(fields)+len(body))
	b = http1.AppendStatusLine(b, status)
	b = append(b, ServerField...)
	b = append(b, "Date: "...)
	r.date = len(b)
	b = append(b, "Thu, 01 Jan 1970 00:00:00 GMT\r\n"...)
	b = append(b, fields...)
	if status != 204 && status != 304 {
		b = http1.AppendContentLength(b, int64(len(body)))
	} else {
		body = nil
	}
	r.option = len(b)
	b = append(b, "\r\n"...)
	r.body = len(b)
	r.block = append(b, body...)
	return r
}

// Append renders the response behind dst. option is a complete Connection line
// or nil, extra are further field lines, date is http1.DateLen bytes long. The
// body is left out for HEAD. rest is what of the body was not appended because
// it is better sent from where it is.
func (r *Ready) Append(dst []byte, date, option, extra []byte, head bool) (out, rest []byte) {
	at := len(dst)
	end := len(r.block)
	if head {
		end = r.body
	} else if end-r.body > inlineBody {
		rest = r.block[r.body:]
		end = r.body
	}
	if len(option) == 0 && len(extra) == 0 {
		dst = append(dst, r.block[:end]...)
	} else {
		dst = append(dst, r.block[:r.option]...)
		dst = append(dst, extra...)
		dst = append(dst, option...)
		dst = append(dst, r.block[r.option:end]...)
	}
	copy(dst[at+r.date:], date[:http1.DateLen])
	return dst, rest
}

// Body returns the body. It must not be changed.
func (r *Ready) Body() []byte { return r.block[r.body:] }

// Size is the memory r takes, in bytes, for those who keep many.
func (r *Ready) Size() int { return cap(r.block) + 64 }
