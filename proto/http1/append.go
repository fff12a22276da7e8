package http1

import "strconv"

// AppendStatusLine appends the status line of an HTTP/1.1 response with the
// registered reason phrase: "HTTP/1.1 200 OK" CRLF. A code that is not of
// three digits becomes 500: a client could not read the response at all.
func AppendStatusLine(dst []byte, code int) []byte {
	if code == 200 {
		return append(dst, "HTTP/1.1 200 OK\r\n"...)
	}
	if code < 100 || code > 999 {
		code = 500
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = append(dst, byte('0'+code/100), byte('0'+code/10%10), byte('0'+code%10), ' ')
	dst = append(dst, StatusText(code)...)
	return append(dst, '\r', '\n')
}

// AppendField appends a field line. Control characters in value, CR, LF and
// NUL above all, become spaces, so that no value can add a line. name must be
// a token: it is the caller's, never a client's.
func AppendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ':', ' ')
	from := len(dst)
	dst = append(dst, value...)
	blank(dst[from:])
	return append(dst, '\r', '\n')
}

// AppendFieldBytes is AppendField for a value that is bytes.
func AppendFieldBytes(dst []byte, name string, value []byte) []byte {
	dst = append(dst, name...)
	dst = append(dst, ':', ' ')
	from := len(dst)
	dst = append(dst, value...)
	blank(dst[from:])
	return append(dst, '\r', '\n')
}

// blank overwrites what cannot stand in a field value with spaces.
func blank(v []byte) {
	for i := scanValue(v, 0); i < len(v); i = scanValue(v, i) {
		v[i] = ' '
	}
}

// AppendContentLength appends the Content-Length line for n bytes.
func AppendContentLength(dst []byte, n int64) []byte {
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, '\r', '\n')
}

// AppendChunkHeader appends the size line of a chunk of n bytes. The data and
// a CRLF follow it. n must be positive: a chunk of no bytes is the last one.
func AppendChunkHeader(dst []byte, n int) []byte {
	dst = strconv.AppendInt(dst, int64(n), 16)
	return append(dst, '\r', '\n')
}

// AppendLastChunk appends the last chunk, the trailers, which are complete
// lines or nil, and the end of a chunked body.
func AppendLastChunk(dst []byte, trailers []byte) []byte {
	dst = append(dst, "0\r\n"...)
	dst = append(dst, trailers...)
	return append(dst, '\r', '\n')
}
