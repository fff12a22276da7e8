package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxInt bounds every plain number: it fits an int on every platform.
const MaxInt = math.MaxInt32

// Coder writes fields to the end of a frame, or reads them from its front.
// After the first error it does nothing more: nothing is appended, and what is
// read is zero.
type Coder struct {
	frame   string // its type, for errors
	reading bool
	buf     []byte // written so far, or still to be read
	err     error
}

// Fail refuses the message for a field. The first call counts.
func (c *Coder) Fail(field, problem string) {
	if c.err == nil {
		c.err = &FieldError{Frame: c.frame, Field: field, Problem: problem}
	}
}

// Check refuses a message whose fields contradict each other.
func (c *Coder) Check(field string, ok bool, problem string) {
	if !ok {
		c.Fail(field, problem)
	}
}

// take returns the next n bytes of a frame that is read, or nil.
func (c *Coder) take(field string, n int) []byte {
	if c.err == nil && len(c.buf) < n {
		c.Fail(field, fmt.Sprintf("needs %d bytes, %d are left", n, len(c.buf)))
	}
	if c.err != nil {
		return nil
	}
	p := c.buf[:n]
	c.buf = c.buf[n:]
	return p
}

// number moves a number of 0 to limit in a field of size bytes (1, 2, 4, 8).
func (c *Coder) number(field string, v uint64, size int, limit uint64) uint64 {
	var wide [8]byte
	if c.reading {
		copy(wide[:], c.take(field, size))
		v = binary.LittleEndian.Uint64(wide[:])
	}
	if c.err != nil {
		return 0
	}
	if v > limit {
		c.Fail(field, fmt.Sprintf("is %d, at most %d is allowed", v, limit))
		return 0
	}
	if !c.reading {
		binary.LittleEndian.PutUint64(wide[:], v)
		c.buf = append(c.buf, wide[:size]...)
	}
	return v
}

// signed is number for Go's signed types, of which none may be negative.
func (c *Coder) signed(field string, v int64, size int, limit uint64) int64 {
	if !c.reading && v < 0 {
		c.Fail(field, fmt.Sprintf("is %d, negative", v))
	}
	return int64(c.number(field, uint64(v), size, limit))
}

// Integer moves a number of 0 to limit in 4 bytes.
func (c *Coder) Integer(field string, v *int, limit int) {
	*v = int(c.signed(field, int64(*v), 4, uint64(limit)))
}

// Index moves a number that is below limit in 2 bytes.
func (c *Coder) Index(field string, v *int, limit int) {
	*v = int(c.signed(field, int64(*v), 2, uint64(limit-1)))
}

// Duration moves a time in 8 bytes.
func (c *Coder) Duration(field string, v *time.Duration) {
	*v = time.Duration(c.signed(field, int64(*v), 8, math.MaxInt64))
}

// Bits moves any 8 bytes.
func (c *Coder) Bits(field string, v *uint64) {
	*v = c.number(field, *v, 8, math.MaxUint64)
}

// Flag moves a byte that is 0 or 1.
func (c *Coder) Flag(field string, v *bool) {
	var n uint64
	if *v {
		n = 1
	}
	*v = c.number(field, n, 1, 1) == 1
}

// String moves a string of at most limit bytes behind its length.
func (c *Coder) String(field string, v *string, limit int) {
	n := int(c.number(field+" length", uint64(len(*v)), 2, uint64(limit)))
	if c.reading {
		*v = string(c.take(field, n))
	} else if c.err == nil {
		c.buf = append(c.buf, *v...)
	}
}

// Bytes moves bytes, at most limit, behind their number in 2 bytes. Read, they
// are a copy, nil when there are none.
func (c *Coder) Bytes(field string, v *[]byte, limit int) {
	n := int(c.number(field+" length", uint64(len(*v)), 2, uint64(limit)))
	if c.reading {
		*v = append([]byte(nil), c.take(field, n)...)
	} else if c.err == nil {
		c.buf = append(c.buf, *v...)
	}
}

// Text moves free text of at most limit bytes. A report that is cut is better
// than none, so that writing one never fails for its length.
func (c *Coder) Text(field string, v *string, limit int) {
	if !c.reading && len(*v) > limit {
		*v = cut(*v, limit)
	}
	c.String(field, v, limit)
}

// cut returns the start of s in at most n bytes, marked as cut, without
// breaking a character.
func cut(s string, n int) string {
	const mark = " [cut]"
	n -= len(mark)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.ToValidUTF8(s[:n], "?") + mark
}

// List moves a list of at most limit elements behind their count; each moves
// one of them.
func List[T any](c *Coder, field string, v *[]T, limit int, each func(e *T)) {
	n := int(c.number(field+" count", uint64(len(*v)), 2, uint64(limit)))
	if c.reading {
		*v = nil
	}
	for i := 0; i < n && c.err == nil; i++ {
		if c.reading {
			var e T
			*v = append(*v, e)
		}
		each(&(*v)[i])
	}
}
