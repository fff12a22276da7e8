package static

import "bytes"

// parseRange reads a Range field for a file of that size. It returns 206 and
// the range; 416 when the range lies behind the end; 200 when the field is to
// be ignored: other units, several ranges, no valid syntax, an empty file.
func parseRange(v []byte, size int64) (status int, off, n int64) {
	const unit = "bytes="
	if len(v) < len(unit) || !equalFold(v[:len(unit)], unit) || size == 0 {
		return 200, 0, 0
	}
	from, to, ok := bytes.Cut(bytes.Trim(v[len(unit):], " \t"), []byte("-"))
	if !ok {
		return 200, 0, 0
	}
	first, haveFirst := parseInt(from)
	last, haveLast := parseInt(to)
	switch {
	case len(from) > 0 && !haveFirst, len(to) > 0 && !haveLast, !haveFirst && !haveLast:
		return 200, 0, 0
	case !haveFirst: // the last so many bytes
		if last == 0 {
			return 416, 0, 0
		}
		n = min(last, size)
		return 206, size - n, n
	case !haveLast:
		last = size - 1
	case last < first:
		return 200, 0, 0
	}
	if first >= size {
		return 416, 0, 0
	}
	return 206, first, min(last, size-1) - first + 1
}

// parseInt reads a number of digits only. One that is too large for an int64 is
// larger than any file, and stays so.
func parseInt(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n > (1<<63-1-9)/10 {
			n = 1<<63 - 1
			continue
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(b) > 0
}
