package http1

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// Eight bytes at a time ("SIMD within a register"). The functions that end in
// Stops take a word and return the high bit of the bytes that may end a run.
// The lowest bit set is that of the first such byte; what is above it means
// nothing, because sums carry upwards. A byte of zero ends every run.
const ones = 0x0101010101010101

// word returns b[i:i+8]. The caller has checked i >= 0 and i+8 <= len(b): the
// compiler does not see that it has, and its own checks would cost as much as
// all that is done with the word. Tests put inputs where readable memory ends.
func word(b []byte, i int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), i))[:])
}

// crlf is a line end as half returns it.
const crlf = '\r' | '\n'<<8

// half returns b[i:i+2]; the caller has checked i+2 <= len(b).
func half(b []byte, i int) uint16 {
	return binary.LittleEndian.Uint16((*[2]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), i))[:])
}

// lastWord returns what is left of b from i on, less than eight bytes, with
// zeros behind. b has at least eight bytes.
func lastWord(b []byte, i int) uint64 {
	return word(b, len(b)-8) >> (8 * uint(i+8-len(b)))
}

// first returns the index in its word of the first byte marked in m.
func first(m uint64) int { return bits.TrailingZeros64(m) >> 3 }

// every.dash has a dash in every byte, and so on. They are variables, because
// amd64 has no 64-bit operands in instructions: constants would be moved into
// registers one by one in every turn of a loop, and that takes more room in the
// front of the CPU than all the rest (a head of 702 bytes took 167 ns with
// constants, 138 with variables). Nothing writes to them.
var every = struct {
	one, high, seven         uint64
	bit5, fromA, behindZ     uint64
	dash, slash, fromDash    uint64
	behind9, zero, behindTen uint64
	minusSpace, minus0x24    uint64
	question                 uint64
	percent, backslash       uint64
}{
	one:        ones,
	high:       0x80 * ones,
	seven:      0x7f * ones,
	bit5:       0x20 * ones,
	fromA:      (0x80 - 'a') * ones,
	behindZ:    (0x7f - 'z') * ones,
	dash:       '-' * ones,
	slash:      '/' * ones,
	fromDash:   (0x80 - '-') * ones,
	behind9:    (0x7f - '9') * ones,
	zero:       '0' * ones,
	behindTen:  (0x80 - 10) * ones,
	minusSpace: 1<<64 - 0x20*ones,
	minus0x24:  1<<64 - 0x24*ones,
	question:   '?' * ones,
	percent:    '%' * ones,
	backslash:  '\\' * ones,
}

// notLetters marks all but letters below the first byte of 0x80 or more.
func notLetters(x uint64) uint64 {
	l := x | every.bit5
	return ^(l + every.fromA) | (l + every.behindZ)
}

// nameStops finds what is neither letter nor dash: the colon, and token
// characters that names seldom have.
func nameStops(x uint64) uint64 {
	notDash := (x ^ every.dash) + every.seven
	return (notLetters(x)&notDash | x) & every.high
}

// hostStops finds what is neither letter, digit, dash nor dot: the colon, and
// characters that hosts seldom have.
func hostStops(x uint64) uint64 {
	notDashTo9 := ^(x + every.fromDash) | (x + every.behind9)
	slash := ^((x ^ every.slash) + every.seven)
	return (notLetters(x)&(notDashTo9|slash) | x) & every.high
}

// zeros marks the bytes of zero, and sometimes one of 1 above such a byte.
func zeros(x uint64) uint64 { return (x - every.one) &^ x & every.high }

// digitStops finds what is no digit.
func digitStops(x uint64) uint64 {
	d := x ^ every.zero
	return ((d + every.behindTen) | d) & every.high
}

// valueStops finds control characters, tabs among them, and bytes of 0x7f and
// more, of which the latter are seldom.
func valueStops(x uint64) uint64 {
	return ((x + every.minusSpace) | (x + every.one)) & every.high
}

// targetStops finds bytes below 0x24, that is controls, space, '!', '"' and
// '#'; '?'; and bytes of 0x7f and more.
func targetStops(x uint64) uint64 {
	return ((x + every.minus0x24) | (x + every.one) | ((x ^ every.question) - every.one)) & every.high
}
