package control

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// maxInt bounds every plain number: it fits an int on every platform.
const maxInt = math.MaxInt32

// coder writes fields to the end of buf, or reads them from its front. After
// the first error it does nothing more: nothing is appended, and what is read
// is zero.
type coder struct {
	kind    Type
	reading bool
	buf     []byte // written so far, or still to be read
	err     error
}

func (c *coder) fail(field, problem string) {
	if c.err == nil {
		c.err = &FieldError{Type: c.kind, Field: field, Problem: problem}
	}
}

// check refuses a message whose fields contradict each other.
func (c *coder) check(field string, ok bool, problem string) {
	if !ok {
		c.fail(field, problem)
	}
}

// take returns the next n bytes of a frame that is read, or nil.
func (c *coder) take(field string, n int) []byte {
	if c.err == nil && len(c.buf) < n {
		c.fail(field, fmt.Sprintf("needs %d bytes, %d are left", n, len(c.buf)))
	}
	if c.err != nil {
		return nil
	}
	p := c.buf[:n]
	c.buf = c.buf[n:]
	return p
}

// number moves a number of 0 to limit in a field of size bytes (1, 2, 4, 8).
func (c *coder) number(field string, v uint64, size int, limit uint64) uint64 {
	var wide [8]byte
	if c.reading {
		copy(wide[:], c.take(field, size))
		v = binary.LittleEndian.Uint64(wide[:])
	}
	if c.err != nil {
		return 0
	}
	if v > limit {
		c.fail(field, fmt.Sprintf("is %d, at most %d is allowed", v, limit))
		return 0
	}
	if !c.reading {
		binary.LittleEndian.PutUint64(wide[:], v)
		c.buf = append(c.buf, wide[:size]...)
	}
	return v
}

// signed is number for Go's signed types, of which none may be negative.
func (c *coder) signed(field string, v int64, size int, limit uint64) int64 {
	if !c.reading && v < 0 {
		c.fail(field, fmt.Sprintf("is %d, negative", v))
	}
	return int64(c.number(field, uint64(v), size, limit))
}

func (c *coder) integer(field string, v *int, limit int) {
	*v = int(c.signed(field, int64(*v), 4, uint64(limit)))
}

func (c *coder) duration(field string, v *time.Duration) {
	*v = time.Duration(c.signed(field, int64(*v), 8, math.MaxInt64))
}

func (c *coder) bits(field string, v *uint64) {
	*v = c.number(field, *v, 8, math.MaxUint64)
}

func (c *coder) boolean(field string, v *bool) {
	var n uint64
	if *v {
		n = 1
	}
	*v = c.number(field, n, 1, 1) == 1
}

// bytes moves a string of at most limit bytes behind its length.
func (c *coder) bytes(field string, v *string, limit int) {
	n := int(c.number(field+" length", uint64(len(*v)), 2, uint64(limit)))
	if c.reading {
		*v = string(c.take(field, n))
	} else if c.err == nil {
		c.buf = append(c.buf, *v...)
	}
}

func (c *coder) name(field string, v *string) { c.bytes(field, v, MaxName) }

// text moves free text. A report that is cut is better than none, so that
// writing one never fails for its length.
func (c *coder) text(field string, v *string) {
	if !c.reading && len(*v) > MaxText {
		*v = cut(*v, MaxText)
	}
	c.bytes(field, v, MaxText)
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

// count moves the number of elements of a list.
func (c *coder) count(field string, n, limit int) int {
	return int(c.number(field+" count", uint64(n), 2, uint64(limit)))
}

func (c *coder) names(field string, v *[]string, limit int) {
	n := c.count(field, len(*v), limit)
	if c.reading {
		*v = nil
		for ; n > 0 && c.err == nil; n-- {
			*v = append(*v, "")
			c.name(field, &(*v)[len(*v)-1])
		}
		return
	}
	for i := range *v {
		c.name(field, &(*v)[i])
	}
}

func (c *coder) slots(field string, v *[]int)     { c.indexes(field, v, MaxSlots) }
func (c *coder) listeners(field string, v *[]int) { c.indexes(field, v, MaxListeners) }

// indexes moves a list of at most limit numbers that are below limit.
func (c *coder) indexes(field string, v *[]int, limit int) {
	n := c.count(field, len(*v), limit)
	if c.reading {
		*v = nil
	}
	for i := 0; i < n && c.err == nil; i++ {
		var index int
		if !c.reading {
			index = (*v)[i]
		}
		index = c.index(field, index, limit)
		if c.reading {
			*v = append(*v, index)
		}
	}
}

// index moves a number that is below limit.
func (c *coder) index(field string, v, limit int) int {
	return int(c.signed(field, int64(v), 2, uint64(limit-1)))
}

// pairs moves a list of pairs of listeners.
func (c *coder) pairs(field string, v *[]Pair) {
	n := c.count(field, len(*v), MaxListeners)
	if c.reading {
		*v = nil
	}
	for i := 0; i < n && c.err == nil; i++ {
		var p Pair
		if !c.reading {
			p = (*v)[i]
		}
		p.Old = c.index(field, p.Old, MaxListeners)
		p.New = c.index(field, p.New, MaxListeners)
		if c.reading {
			*v = append(*v, p)
		}
	}
}
