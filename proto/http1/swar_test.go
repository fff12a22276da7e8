package http1

// White box: a wrong bit in one of these masks would show in a few of the
// inputs that the other tests send, or in none.

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

var stops = []struct {
	name string
	mask func(uint64) uint64
	stop func(c byte) bool
}{
	{"name", nameStops, func(c byte) bool { return !letter(c) && c != '-' }},
	{"host", hostStops, func(c byte) bool { return !letter(c) && !number(c) && c != '-' && c != '.' }},
	{"digit", digitStops, func(c byte) bool { return !number(c) }},
	{"value", valueStops, func(c byte) bool { return c < ' ' || c >= 0x7f }},
	{"target", targetStops, func(c byte) bool { return c < 0x24 || c == '?' || c >= 0x7f }},
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func number(c byte) bool { return c >= '0' && c <= '9' }

// TestStops puts each pair of bytes at each place of a word: a sum that carries
// from one byte into the next, where it must not, shows in a pair.
func TestStops(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, s := range stops {
		var pass []byte
		for c := range 256 {
			if !s.stop(byte(c)) {
				pass = append(pass, byte(c))
			}
		}
		for at := range 7 {
			for pair := range 1 << 16 {
				var w [8]byte
				for i := range w {
					if w[i] = byte(rnd.Uint32()); i < at {
						w[i] = pass[rnd.IntN(len(pass))]
					}
				}
				w[at], w[at+1] = byte(pair), byte(pair>>8)
				want := 0
				for want < 8 && !s.stop(w[want]) {
					want++
				}
				if got := first(s.mask(binary.LittleEndian.Uint64(w[:]))); got != want {
					t.Fatalf("%sStops(% x): first is %d, want %d", s.name, w, got, want)
				}
			}
		}
	}
}

func TestLastWord(t *testing.T) {
	b := []byte("0123456789abcdef")
	for i := 9; i <= len(b); i++ {
		var want [8]byte
		copy(want[:], b[i:])
		if got := lastWord(b, i); got != binary.LittleEndian.Uint64(want[:]) {
			t.Errorf("lastWord(%q, %d) = %#x, want % x", b, i, got, want)
		}
	}
}

// TestZeros: no zero is missed; one that is none is above one that is.
func TestZeros(t *testing.T) {
	for at := range 7 {
		for pair := range 1 << 16 {
			w := [8]byte{9, 9, 9, 9, 9, 9, 9, 9}
			w[at], w[at+1] = byte(pair), byte(pair>>8)
			want := 8
			if w[at+1] == 0 {
				want = at + 1
			}
			if w[at] == 0 {
				want = at
			}
			if got := first(zeros(binary.LittleEndian.Uint64(w[:]))); got != want {
				t.Fatalf("zeros(% x): first is %d, want %d", w, got, want)
			}
		}
	}
}
