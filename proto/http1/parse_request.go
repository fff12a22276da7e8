package http1

// requestLine reads up to the CRLF of the request line, which has limit bytes
// at most. It returns OK in a phase before phaseLine when it needs more bytes.
func (h *Head) requestLine(b []byte, limit int) Reason {
	if h.phase == phaseStart {
		if h.plainLine(b[:min(len(b), limit+2)]) {
			return OK
		}
		if r := h.emptyLine(b); r != OK || h.phase == phaseStart {
			return r
		}
	}
	end := int(h.start) + limit + 2 // nothing beyond is looked at, see Parse
	b = b[:min(len(b), end)]
	r := h.requestTokens(b, int(h.start))
	if r == OK && h.phase < phaseLine && len(b) == end {
		return h.refuse(RequestLineTooLong, end-2)
	}
	return r
}

// emptyLine skips one CRLF: "a server that is expecting to receive and parse
// a request-line SHOULD ignore at least one empty line (CRLF) received prior
// to the request-line" (RFC 9112 section 2.2).
func (h *Head) emptyLine(b []byte) Reason {
	switch {
	case len(b) == 0:
		return OK
	case b[0] != '\r':
	case len(b) == 1:
		return OK
	case b[1] != '\n':
		return h.refuse(BareCR, 0)
	default:
		h.start, h.pos = 2, 2
	}
	h.phase = phaseMethod
	return OK
}

// plainLine reads a request line that is all there and holds nothing unusual:
// one of three methods, the origin form, HTTP/1.1. Otherwise it does nothing:
// requestTokens knows every case and can stop anywhere.
func (h *Head) plainLine(b []byte) bool {
	if len(b) < len("GET / HTTP/1.1\r\n") {
		return false
	}
	m, i := commonMethod(word(b, 0))
	if i == 0 || b[i+1] != '/' {
		return false
	}
	target := i + 1
	query := 0
	for end := target; ; {
		if end+8 > len(b) {
			return false
		}
		s := targetStops(word(b, end))
		if s == 0 {
			end += 8
			continue
		}
		end += first(s)
		if b[end] == '?' && query == 0 {
			query = end
			end++
			continue
		}
		if b[end] != ' ' || end+11 > len(b) || word(b, end+1) != http11 || half(b, end+9) != crlf {
			return false
		}
		h.Method, h.Minor = m, 1
		h.MethodName, h.Target = span(0, i), span(target, end)
		h.phase, h.pos = phaseLine, end+11
		h.splitPath(target, query, end)
		return true
	}
}

// commonMethod returns the method at the start of a request line, and its
// length, when it is one of the three that nearly all requests have and a
// space follows. Otherwise the length is 0.
func commonMethod(x uint64) (Method, int) {
	switch {
	case uint32(x) == 'G'|'E'<<8|'T'<<16|' '<<24:
		return MethodGet, 3
	case x<<24 == ('P'|'O'<<8|'S'<<16|'T'<<24|' '<<32)<<24:
		return MethodPost, 4
	case x<<24 == ('H'|'E'<<8|'A'<<16|'D'<<24|' '<<32)<<24:
		return MethodHead, 4
	}
	return MethodOther, 0
}

// requestTokens reads the three parts of the request line, which starts at
// b[start] and may end beyond b.
func (h *Head) requestTokens(b []byte, start int) Reason {
	i := h.pos
	switch h.phase {
	case phaseMethod:
		var r Reason
		if i, r = h.method(b, i, start); i == 0 {
			return r
		}
		h.target = uint16(i)
		fallthrough

	case phaseTarget:
		for ; i < len(b) && class[b[i]]&targetEnd == 0; i++ {
			if b[i] == '?' && h.query == 0 {
				h.query = uint16(i)
			}
		}
		if i == len(b) {
			h.phase, h.pos = phaseTarget, i
			return OK
		}
		if b[i] != ' ' {
			return h.misfit(b, i, phaseTarget, BadTargetByte, MissingVersion)
		}
		if i == int(h.target) {
			return h.refuse(BadTarget, i)
		}
		h.Target = span(int(h.target), i)
		i++
		fallthrough

	case phaseVersion:
		if r := h.version(b, i); r != OK || h.phase == phaseVersion {
			return r
		}
	}
	return h.splitTarget(b)
}

// method reads the rest of any method, from b[i] on, and returns where the
// target starts: 0 when the method is refused or more bytes are needed.
func (h *Head) method(b []byte, i, start int) (target int, r Reason) {
	for ; i < len(b) && class[b[i]]&tchar != 0; i++ {
		if i-start == maxMethod {
			return 0, h.refuse(MethodTooLong, i)
		}
	}
	switch {
	case i == len(b):
		h.pos = i
		return 0, OK
	case i == start:
		return 0, h.misfit(b, i, phaseMethod, BadMethod, EmptyLine)
	case b[i] != ' ':
		return 0, h.misfit(b, i, phaseMethod, BadMethod, MissingVersion)
	}
	h.MethodName = span(start, i)
	h.Method = methodOf(b[start:i])
	if h.Method == MethodConnect {
		return 0, h.refuse(ConnectMethod, start)
	}
	return i + 1, OK
}

// http11 is "HTTP/1.1" as a word.
const http11 = 'H' | 'T'<<8 | 'T'<<16 | 'P'<<24 | '/'<<32 | '1'<<40 | '.'<<48 | '1'<<56

// versionLine is the shape of the rest of a request line: 0 stands for a digit.
const versionLine = "HTTP/0.0\r\n"

// version reads the version at b[i:] and the end of the line, and goes on to
// phaseLine when all of it is there.
func (h *Head) version(b []byte, i int) Reason {
	h.phase, h.pos = phaseVersion, i
	v := b[i:min(len(b), i+len(versionLine))]
	for j, c := range v {
		want := versionLine[j]
		if c == want || want == '0' && c >= '0' && c <= '9' {
			continue
		}
		if want == '\n' {
			return h.refuse(BareCR, i+j-1)
		}
		short := BadVersion
		if j == 0 {
			short = MissingVersion
		}
		r := h.misfit(b, i+j, phaseVersion, BadVersion, short)
		h.pos = i // always from the start: ten bytes at most
		return r
	}
	if len(v) < len(versionLine) {
		return OK
	}
	if v[5] != '1' || v[7] > '1' {
		if v[5] == '2' && string(h.MethodName.Of(b)) == "PRI" && string(h.Target.Of(b)) == "*" {
			return h.refuse(HTTP2Preface, int(h.start))
		}
		return h.refuse(UnsupportedVersion, i+5)
	}
	h.Minor = v[7] - '0'
	h.phase, h.pos = phaseLine, i+len(versionLine)
	return OK
}
