package http1

// NormalizePath decodes and cleans the path of a target, once, before anything
// is routed by it: %XX decoded, "//" merged, dot segments removed, encoded ones
// too. A trailing slash stays, bytes of 0x80 and above stay. What was decoded
// is not decoded again: "%252e" becomes "%2e".
//
// When there is nothing to do, path is raw itself. Otherwise it is appended to
// dst and path is the appended part, never longer than raw. "*" is returned as
// it is.
//
// Refused is what file systems, handlers and upstreams may read in another way
// than the route was chosen: ".." above the root, an encoded NUL, an encoded
// slash or backslash, a backslash, a '%' without two hexadecimal digits.
func NormalizePath(dst, raw []byte) (path []byte, r Reason) {
	if len(raw) == 0 || raw[0] != '/' {
		if string(raw) == "*" {
			return raw, OK
		}
		return nil, PathNotAbsolute
	}
	if plainPath(raw) {
		return raw, OK
	}
	base := len(dst)
	dst = append(dst, '/')
	seg := len(dst) // start of the segment at hand
	for i := 1; i < len(raw); i++ {
		c := raw[i]
		switch c {
		case '/':
			if dst, seg, r = endSegment(dst, base, seg, true); r != OK {
				return nil, r
			}
			continue
		case '\\':
			return nil, PathBackslash
		case '%':
			if c, r = unescape(raw[i+1:]); r != OK {
				return nil, r
			}
			i += 2
		}
		dst = append(dst, c)
	}
	if dst, _, r = endSegment(dst, base, seg, false); r != OK {
		return nil, r
	}
	if string(dst[base:]) == string(raw) {
		return raw, OK
	}
	return dst[base:], OK
}

// endSegment acts on the segment dst[seg:]: drops it if it is empty or ".",
// drops it and the one before if it is "..", otherwise keeps it, with a slash
// when one follows. It returns the start of the next segment.
func endSegment(dst []byte, base, seg int, slash bool) ([]byte, int, Reason) {
	switch string(dst[seg:]) {
	case "", ".":
		return dst[:seg], seg, OK
	case "..":
		if seg == base+1 {
			return dst, seg, PathAboveRoot
		}
		for seg--; dst[seg-1] != '/'; seg-- {
			// To the start of the segment before.
		}
		return dst[:seg], seg, OK
	}
	if slash {
		dst = append(dst, '/')
	}
	return dst, len(dst), OK
}

// unescape reads the two digits behind a '%'.
func unescape(b []byte) (byte, Reason) {
	if len(b) < 2 || class[b[0]]&class[b[1]]&hexDigit == 0 {
		return 0, PathBadEscape
	}
	switch c := hexValue(b[0])<<4 | hexValue(b[1]); c {
	case 0:
		return 0, PathNUL
	case '/', '\\':
		return 0, PathEncodedSlash
	default:
		return c, OK
	}
}

// hexValue returns the value of a hexadecimal digit.
func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&0xf + 9
}

// plainPath reports whether a path surely has nothing to decode or clean. It
// takes every dot behind a slash for a dot segment.
func plainPath(raw []byte) bool {
	i := 0
	for ; i+9 <= len(raw); i += 8 {
		x, next := word(raw, i), word(raw, i+1)
		pair := zeros(x^every.slash) & zeros(next|every.one^every.slash) // '.'|1 is '/'
		if pair|zeros(x^every.percent)|zeros(x^every.backslash) != 0 {
			return false
		}
	}
	prev := byte(0) // the pair across i has been looked at
	for ; i < len(raw); i++ {
		c := raw[i]
		if c == '%' || c == '\\' || prev == '/' && (c == '/' || c == '.') {
			return false
		}
		prev = c
	}
	return true
}
