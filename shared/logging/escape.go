package logging

import (
	"encoding/binary"
	"unicode/utf8"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special tells whether any of eight bytes must be escaped in a quoted string:
// those outside 0x20..0x7e, the quote and the backslash. Borrows and carries
// cross into a neighbour only from a byte that is itself special.
func special(x uint64) bool {
	control := x - 0x20*ones
	quote := (x ^ '"'*ones) - ones
	backslash := (x ^ '\\'*ones) - ones
	del := x + ones
	return (x|control|quote|backslash|del)&highs != 0
}

// plain returns the length of the start of s that needs no escape, rounded
// down to a multiple of eight, or len(s) when none of it does.
func plain(s []byte) int {
	if len(s) < 8 {
		for i, c := range s {
			if isSpecial(c) {
				return i
			}
		}
		return len(s)
	}
	i := 0
	for ; i+8 <= len(s); i += 8 {
		if special(binary.LittleEndian.Uint64(s[i:])) {
			return i
		}
	}
	if i < len(s) && special(binary.LittleEndian.Uint64(s[len(s)-8:])) {
		return i
	}
	return len(s)
}

func isSpecial(c byte) bool { return c < 0x20 || c > 0x7e || c == '"' || c == '\\' }

// appendJSON appends s as the inside of a JSON string: valid UTF-8 without any
// character that ends a line or drives a terminal. Bytes that are not UTF-8
// become U+FFFD.
func appendJSON(dst, s []byte) []byte {
	i := plain(s)
	dst = append(dst, s[:i]...)
	for i < len(s) {
		n := 1
		if c := s[i]; c < utf8.RuneSelf {
			dst = appendJSONByte(dst, c)
		} else {
			dst, n = appendJSONRune(dst, s[i:])
		}
		i += n
	}
	return dst
}

const hexLower = "0123456789abcdef"

func appendJSONByte(dst []byte, c byte) []byte {
	switch {
	case !isSpecial(c):
		return append(dst, c)
	case c == '"' || c == '\\':
		return append(dst, '\\', c)
	case c == '\n':
		return append(dst, '\\', 'n')
	case c == '\r':
		return append(dst, '\\', 'r')
	case c == '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexLower[c>>4], hexLower[c&15])
}

// appendJSONRune appends the character that s starts with and returns its
// length in s.
func appendJSONRune(dst, s []byte) ([]byte, int) {
	r, n := utf8.DecodeRune(s)
	switch {
	case r == utf8.RuneError && n == 1:
		return append(dst, `\ufffd`...), n
	case r < 0xa0, r == 0x2028, r == 0x2029: // C1 controls; separators of lines and paragraphs
		return append(dst, '\\', 'u', hexLower[r>>12], hexLower[r>>8&15], hexLower[r>>4&15], hexLower[r&15]), n
	}
	return append(dst, s[:n]...), n
}

// lenJSON returns the number of bytes that appendJSON appends.
func lenJSON(s []byte) (n int) {
	for i := 0; i < len(s); {
		var room [8]byte
		if c := s[i]; c < utf8.RuneSelf {
			n += len(appendJSONByte(room[:0], c))
			i++
		} else {
			out, m := appendJSONRune(room[:0], s[i:])
			n += len(out)
			i += m
		}
	}
	return n
}

const hexUpper = "0123456789ABCDEF"

// appendNginx appends s as nginx does with escape=default: "characters '"',
// '\', and other characters with values less than 32 or above 126 are escaped
// as '\xXX'". Nothing at all is "-".
// https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format
func appendNginx(dst, s []byte) []byte {
	if len(s) == 0 {
		return append(dst, '-')
	}
	i := plain(s)
	dst = append(dst, s[:i]...)
	for ; i < len(s); i++ {
		if c := s[i]; isSpecial(c) {
			dst = append(dst, '\\', 'x', hexUpper[c>>4], hexUpper[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// lenNginx returns the number of bytes that appendNginx appends.
func lenNginx(s []byte) int {
	n := max(len(s), 1)
	for _, c := range s {
		if isSpecial(c) {
			n += 3
		}
	}
	return n
}
