package http1

import "math/bits"

// phase is what stands at Head.pos. Parse goes through the phases in this
// order, and from phaseValue back to phaseLine for each field line. When the
// buffer ends, it keeps the phase and the place, and goes on there.
type phase uint8

const (
	phaseStart   phase = iota // nothing seen, or the CR of an empty line -> phaseMethod
	phaseMethod               // in the method -> phaseTarget at SP
	phaseTarget               // in the target -> phaseVersion at SP
	phaseVersion              // at the start of the version -> phaseLine behind CRLF
	phaseLine                 // at the start of a line -> phaseName, or phaseDone behind CRLF
	phaseName                 // in a field name -> phaseSpace behind the colon
	phaseSpace                // in the white space before a value -> phaseValue
	phaseValue                // in a value -> phaseLine behind CRLF
	phaseDone                 // the head is complete
	phaseRefused              // and stays so until Reset
)

// Parse reads a request head from buf. On each call until Reset, buf starts at
// the same byte of the stream and only grows longer; it may have moved. lim
// must not change in between.
//
// When the head is complete, n > 0 is its length, an empty line before the
// request line included. When more bytes are needed, n is 0 and r is OK. When
// the head is refused, r says why and h.Offset where. A call after the head
// was complete or refused gives the same answer again.
func (h *Head) Parse(buf []byte, lim *Limits) (n int, r Reason) {
	if h.phase < phaseLine {
		if r := h.requestLine(buf, lim); r != OK || h.phase < phaseLine {
			return 0, r
		}
	}
	return h.fieldLines(buf, lim)
}

// refuse ends the head: reason r, found at offset off.
func (h *Head) refuse(r Reason, off int) Reason {
	h.phase, h.refused, h.Offset = phaseRefused, r, off
	return r
}

// misfit refuses the byte at b[i], which does not belong in phase p: wrong
// unless it is a line end, short when the line ends there. A CR that is the
// last byte so far decides nothing: then misfit returns OK, to wait for the
// next byte.
func (h *Head) misfit(b []byte, i int, p phase, wrong, short Reason) Reason {
	switch {
	case b[i] == '\n':
		return h.refuse(BareLF, i)
	case b[i] != '\r':
		return h.refuse(wrong, i)
	case i+1 == len(b):
		h.phase, h.pos = p, i
		return OK
	case b[i+1] != '\n':
		return h.refuse(BareCR, i)
	}
	return h.refuse(short, i)
}

// requestLine reads up to the CRLF of the request line. It returns OK in a
// phase before phaseLine when it needs more bytes.
//
// Its end and that of the whole head bound what it looks at: to see nothing
// beyond the limit is what makes the answer independent of how much of a long
// line has arrived.
func (h *Head) requestLine(buf []byte, lim *Limits) Reason {
	if h.phase == phaseStart {
		if r := h.emptyLine(buf); r != OK || h.phase == phaseStart {
			return r
		}
	}
	start := int(h.start)
	end := start + min(lim.RequestLine+2, lim.HeaderBytes, MaxHead-start)
	b := buf[:min(len(buf), end)]
	if r := h.requestTokens(b, start); r != OK || h.phase == phaseLine || len(b) < end {
		return r
	}
	if end < start+lim.RequestLine+2 {
		return h.refuse(HeadTooLarge, end)
	}
	return h.refuse(RequestLineTooLong, start+lim.RequestLine)
}

// emptyLine skips one CRLF: "a server that is expecting to receive and parse
// a request-line SHOULD ignore at least one empty line (CRLF) received prior
// to the request-line" (RFC 9112 section 2.2).
func (h *Head) emptyLine(buf []byte) Reason {
	switch {
	case len(buf) == 0:
		return OK
	case buf[0] != '\r':
	case len(buf) == 1:
		return OK
	case buf[1] != '\n':
		return h.refuse(BareCR, 0)
	default:
		h.start, h.pos = 2, 2
	}
	h.phase = phaseMethod
	return OK
}

// requestTokens reads the three parts of the request line, which starts at
// b[start] and may end beyond b.
func (h *Head) requestTokens(b []byte, start int) Reason {
	i, mark, query := h.pos, int(h.mark), int(h.mark2)
	switch h.phase {
	case phaseMethod:
		if n := h.commonMethod(b, i); n > 0 {
			i += n
		} else if n, r := h.method(b, i, start); n == 0 {
			return r
		} else {
			i = n
		}
		mark = i
		fallthrough

	case phaseTarget:
	target:
		for {
			for ; i+8 <= len(b); i += 8 {
				if m := targetStops(word(b, i)); m != 0 {
					i += bits.TrailingZeros64(m) >> 3
					break
				}
			}
			if i == len(b) {
				h.phase, h.pos, h.mark, h.mark2 = phaseTarget, i, uint16(mark), uint16(query)
				return OK
			}
			switch c := b[i]; {
			case c == ' ':
				break target
			case c == '?' && query == 0:
				query = i
			case class[c]&targetEnd != 0:
				h.mark, h.mark2 = uint16(mark), uint16(query)
				return h.misfit(b, i, phaseTarget, BadTargetByte, MissingVersion)
			}
			i++
		}
		if i == mark {
			return h.refuse(BadTarget, i)
		}
		h.Target = span(mark, i)
		h.mark2 = uint16(query)
		i++
		fallthrough

	case phaseVersion:
		if i+10 <= len(b) && word(b, i) == http11 && b[i+8] == '\r' && b[i+9] == '\n' {
			h.Minor = 1
			h.phase, h.pos = phaseLine, i+len(versionLine)
		} else if r := h.version(b, i); r != OK || h.phase == phaseVersion {
			return r
		}
	}
	return h.splitTarget(b, query)
}

// commonMethod reads one of the methods that nearly every request has, with
// the space behind it, and returns their length; 0 if it is another one.
func (h *Head) commonMethod(b []byte, i int) int {
	if i != int(h.start) || i+8 > len(b) {
		return 0
	}
	x, n := word(b, i), 0
	switch {
	case uint32(x) == 'G'|'E'<<8|'T'<<16|' '<<24:
		h.Method, n = MethodGet, 3
	case x<<24 == ('P'|'O'<<8|'S'<<16|'T'<<24|' '<<32)<<24:
		h.Method, n = MethodPost, 4
	case x<<24 == ('H'|'E'<<8|'A'<<16|'D'<<24|' '<<32)<<24:
		h.Method, n = MethodHead, 4
	default:
		return 0
	}
	h.MethodName = span(i, i+n)
	return n + 1
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

// fieldLines reads the field lines and the empty line behind them.
//
// Longer than others: the phases of a line fall through to each other in the
// order of the wire, and only a resumed line starts elsewhere than at the top;
// and the loops that look at every byte stand here, since a call for each name
// and value would cost as much as they do.
func (h *Head) fieldLines(buf []byte, lim *Limits) (n int, r Reason) {
	end := int(h.start) + min(lim.HeaderBytes, MaxHead-int(h.start))
	b := buf[:min(len(buf), end)]
	room := min(cap(h.Fields), lim.HeaderCount)
	i, name, colon, value := h.pos, int(h.name), int(h.mark2), int(h.mark)
	p := h.phase
	for {
		switch p {
		case phaseLine:
			if i+1 >= len(b) && (i == len(b) || b[i] == '\r') {
				goto stall
			}
			if b[i] == '\r' {
				return h.finish(b, i)
			}
			if len(h.Fields) >= room {
				if r = h.makeRoom(b, i, lim.HeaderCount); r != OK {
					return 0, r
				}
				room = cap(h.Fields)
			}
			name = i
			fallthrough

		case phaseName:
			for ; i+8 <= len(b); i += 8 {
				if m := nameStops(word(b, i)); m != 0 {
					i += bits.TrailingZeros64(m) >> 3
					break
				}
			}
			for i < len(b) && class[b[i]]&tchar != 0 {
				i++
			}
			if i == len(b) {
				p = phaseName
				goto stall
			}
			if b[i] != ':' || i == name {
				p = phaseName
				if r = h.badName(b, i, name); r == OK {
					goto stall
				}
				return 0, r
			}
			colon = i
			i++
			fallthrough

		case phaseSpace:
			for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
				i++
			}
			if i == len(b) {
				p = phaseSpace
				goto stall
			}
			value = i
			fallthrough

		case phaseValue:
			for ; i+8 <= len(b); i += 8 {
				if m := valueStops(word(b, i)); m != 0 {
					i += bits.TrailingZeros64(m) >> 3
					break
				}
			}
			if i+1 >= len(b) || b[i] != '\r' || b[i+1] != '\n' {
				i = scanValue(b, i)
				if i+1 >= len(b) && (i == len(b) || b[i] == '\r') {
					p = phaseValue
					goto stall
				}
				if b[i] != '\r' || b[i+1] != '\n' {
					return 0, h.misfit(b, i, phaseValue, BadValueByte, OK)
				}
			}
			if r = h.field(b, name, colon, value, i); r != OK {
				return 0, r
			}
			i += 2
			p = phaseLine

		default: // phaseDone, phaseRefused
			if p == phaseDone {
				return h.pos, OK
			}
			return 0, h.refused
		}
	}
stall:
	h.phase, h.pos = p, i
	h.name, h.mark2, h.mark = uint16(name), uint16(colon), uint16(value)
	if len(b) == end {
		return 0, h.refuse(HeadTooLarge, end)
	}
	return 0, OK
}

// makeRoom grows the full Fields array, up to limit, for the field line that
// starts at b[i].
func (h *Head) makeRoom(b []byte, i, limit int) Reason {
	n := len(h.Fields)
	switch {
	case class[b[i]]&tchar == 0:
		return OK // no name: badName will say what is wrong
	case n >= limit:
		return h.refuse(TooManyFields, i)
	}
	f := make([]Field, n, min(max(16, 2*n), limit))
	copy(f, h.Fields)
	h.Fields = f
	return OK
}

// badName refuses the byte at i, where the field name that starts at b[name]
// ends without a colon.
func (h *Head) badName(b []byte, i, name int) Reason {
	space := b[i] == ' ' || b[i] == '\t'
	switch {
	case space && i > name:
		return h.refuse(SpaceInName, i)
	case space && len(h.Fields) > 0:
		return h.refuse(ObsFold, i)
	case space:
		return h.refuse(LeadingSpace, i)
	case b[i] == ':':
		return h.refuse(EmptyName, i)
	}
	return h.misfit(b, i, phaseName, BadNameByte, MissingColon)
}

// finish ends the head at its empty line, whose CR is b[i].
func (h *Head) finish(b []byte, i int) (int, Reason) {
	if b[i+1] != '\n' {
		return 0, h.refuse(BareCR, i)
	}
	// "A server MUST respond with a 400 (Bad Request) status code to any
	// HTTP/1.1 request message that lacks a Host header field" (RFC 9112
	// section 3.2).
	if !h.hasHost && h.Minor >= 1 {
		return 0, h.refuse(MissingHost, i)
	}
	h.phase, h.pos = phaseDone, i+2
	return i + 2, OK
}

func span(from, to int) Span { return Span{Off: uint16(from), Len: uint16(to - from)} }

// scanValue returns the index of the first byte at i or behind that cannot
// stand in a field value, or len(b).
func scanValue(b []byte, i int) int {
	for ; ; i++ {
		for ; i+8 <= len(b); i += 8 {
			if m := valueStops(word(b, i)); m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
		}
		if i == len(b) || class[b[i]]&valueEnd != 0 {
			return i
		}
	}
}
