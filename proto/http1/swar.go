package http1

import (
	"encoding/binary"
	"unsafe"
)

// Eight bytes at a time ("SIMD within a register"). Each function takes eight
// bytes and returns the high bit of those that may end a run; the lowest bit
// set is that of the first one, so bits.TrailingZeros64(m)>>3 is its index.
// Above the first one there may be bits too many, never below.
const (
	ones  = 0x0101010101010101
	sevs  = 0x7f7f7f7f7f7f7f7f
	highs = 0x8080808080808080
)

// word returns b[i:i+8]. The caller has checked i >= 0 and i+8 <= len(b): the
// compiler does not see that it has, and its own checks cost as much as what
// is done with the word. That no caller is wrong is tested with inputs that
// end where readable memory ends.
func word(b []byte, i int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), i))[:])
}

// nameStops finds what is neither letter nor dash: the colon, and a few token
// characters that names seldom have.
func nameStops(x uint64) uint64 {
	l := (x | 0x20*ones) & sevs
	letter := (l + (0x80-'a')*ones) &^ (l + (0x7f-'z')*ones)
	dash := ^((x^'-'*ones)&sevs + sevs)
	return (^(letter | dash) | x) & highs
}

// valueStops finds control characters, tabs and 0x7f, and sometimes a '~'
// behind 0xff.
func valueStops(x uint64) uint64 {
	return ((x - 0x20*ones) | (x + ones)) &^ x & highs
}

// targetStops finds bytes below 0x24, that is controls, space, '!', '"' and
// '#'; 0x7f; and '?'; and sometimes a '~' behind 0xff.
func targetStops(x uint64) uint64 {
	return ((x - 0x24*ones) | (x + ones) | (x ^ '?'*ones - ones)) &^ x & highs
}
