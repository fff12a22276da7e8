package static

import (
	"bytes"

	"srvctl/proto/http1"
	"srvctl/worker/serve"
)

// condition is a field that may lead to another answer than the whole file.
type condition uint8

const (
	ifMatch condition = iota
	ifUnmodifiedSince
	ifNoneMatch
	ifModifiedSince
	ifRange
	rangeField
	numConditions
)

var conditionNames = [numConditions]string{
	ifMatch:           "if-match",
	ifUnmodifiedSince: "if-unmodified-since",
	ifNoneMatch:       "if-none-match",
	ifModifiedSince:   "if-modified-since",
	ifRange:           "if-range",
	rangeField:        "range",
}

// conditions are the positions of those fields among the request's.
type conditions struct {
	first [numConditions]int16 // from 1; 0: there is none
	again [numConditions]bool  // there are several
}

// scan looks for the fields, once for all of them, and reports whether there
// are any. Few of the usual fields have names of these lengths, so most are
// passed by with one comparison.
func (c *conditions) scan(r *serve.Request) (any bool) {
	for i := range r.Fields {
		name := r.Fields[i].Name
		var k condition
		switch name.Len {
		case 5:
			k = rangeField
		case 8:
			if k = ifMatch; r.Buf[name.Off+3]|0x20 == 'r' {
				k = ifRange
			}
		case 13:
			k = ifNoneMatch
		case 17:
			k = ifModifiedSince
		case 19:
			k = ifUnmodifiedSince
		default:
			continue
		}
		if !equalFold(name.Of(r.Buf), conditionNames[k]) {
			continue
		}
		any = true
		if c.first[k] == 0 {
			c.first[k] = int16(i + 1)
		} else {
			c.again[k] = true
		}
	}
	return any
}

// equalFold compares with a name in lower case of the same length.
func equalFold(b []byte, lower string) bool {
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

// evaluate returns the status of the answer, in the order of RFC 9110 section
// 13.2.2, and of 206 the range.
func (c *conditions) evaluate(x *serve.Exchange, e *entry) (status int, off, n int64) {
	r := &x.Req
	if c.first[ifMatch] != 0 {
		if !c.anyMatch(r, ifMatch, e, true) {
			return 412, 0, 0
		}
	} else if t, ok := c.date(r, ifUnmodifiedSince); ok && e.modified > t {
		return 412, 0, 0
	}
	if c.first[ifNoneMatch] != 0 {
		if c.anyMatch(r, ifNoneMatch, e, false) {
			return 304, 0, 0
		}
	} else if t, ok := c.date(r, ifModifiedSince); ok && e.modified <= t {
		return 304, 0, 0
	}
	// "A server MUST ignore a Range header field received with a request
	// method that is unrecognized or for which range handling is not defined.
	// For this specification, GET is the only method for which range handling
	// is defined" (RFC 9110 section 14.2).
	if c.first[rangeField] == 0 || c.again[rangeField] || r.Method != http1.MethodGet || !c.rangeHolds(r, e) {
		return 200, 0, 0
	}
	v, _ := c.value(r, rangeField)
	return parseRange(v, e.id.size)
}

// value returns the value of a field that there is one of.
func (c *conditions) value(r *serve.Request, k condition) ([]byte, bool) {
	if c.first[k] == 0 || c.again[k] {
		return nil, false
	}
	return r.Fields[c.first[k]-1].Value.Of(r.Buf), true
}

// date returns the time a field gives. "A recipient MUST ignore the field if
// the received value is not a valid HTTP-date" (RFC 9110 sections 13.1.3 and
// 13.1.4), and two are none.
func (c *conditions) date(r *serve.Request, k condition) (seconds int64, ok bool) {
	v, ok := c.value(r, k)
	if !ok {
		return 0, false
	}
	t, ok := http1.ParseDate(v)
	return t.Unix(), ok
}

// anyMatch reports whether one of the tags listed in the fields of that name is
// the entry's.
func (c *conditions) anyMatch(r *serve.Request, k condition, e *entry, strong bool) bool {
	for i := int(c.first[k]) - 1; i < len(r.Fields); i++ {
		f := &r.Fields[i]
		if int(f.Name.Len) == len(conditionNames[k]) && equalFold(f.Name.Of(r.Buf), conditionNames[k]) &&
			tagListed(f.Value.Of(r.Buf), e.etag, strong) {
			return true
		}
		if !c.again[k] {
			break
		}
	}
	return false
}

// tagListed reports whether tag is among the entity tags of list, or list is
// "*". In the strong comparison a weak tag equals nothing. What cannot be read
// ends the list.
func tagListed(list, tag []byte, strong bool) bool {
	if len(list) == 1 && list[0] == '*' {
		return true
	}
	for {
		list = bytes.TrimLeft(list, " \t,")
		weak := bytes.HasPrefix(list, []byte("W/"))
		if weak {
			list = list[2:]
		}
		if len(list) == 0 || list[0] != '"' {
			return false
		}
		end := bytes.IndexByte(list[1:], '"')
		if end < 0 {
			return false
		}
		end += 2
		if bytes.Equal(list[:end], tag) && !(weak && strong) {
			return true
		}
		list = list[end:]
	}
}

// rangeHolds reports whether If-Range, if there is one, names the entry's
// present state: by its tag in the strong comparison, or by exactly its time,
// unless the file changed so recently that the time may stand for two states.
func (c *conditions) rangeHolds(r *serve.Request, e *entry) bool {
	if c.first[ifRange] == 0 {
		return true
	}
	v, ok := c.value(r, ifRange)
	if !ok {
		return false
	}
	if len(v) > 0 && v[0] == '"' {
		return bytes.Equal(v, e.etag)
	}
	t, ok := http1.ParseDate(v)
	return ok && t.Unix() == e.modified && !e.young
}
