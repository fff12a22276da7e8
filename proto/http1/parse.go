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
	b, end, long := buf, start+lim.RequestLine+2, RequestLineTooLong
	if head := start + min(lim.HeaderBytes, MaxHead-start); head < end {
		end, long = head, HeadTooLarge
	}
	if len(b) >= end {
		b = b[:end]
	}
	r := h.requestTokens(b, start)
	if r == OK && h.phase < phaseLine && len(b) == end {
		if long == RequestLineTooLong {
			end -= 2
		}
		return h.refuse(long, end)
	}
	return r
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

// requestTokens reads the three parts of the request line of b.
func (h *Head) requestTokens(b []byte, start int) Reason {
	i := h.pos
	switch h.phase {
	case phaseMethod:
		for ; i < len(b) && class[b[i]]&tchar != 0; i++ {
			if i-start == maxMethod {
				return h.refuse(MethodTooLong, i)
			}
		}
		if i == len(b) {
			h.pos = i
			return OK
		}
		if b[i] != ' ' || i == start {
			short := MissingVersion
			if i == start {
				short = EmptyLine
			}
			return h.misfit(b, i, phaseMethod, BadMethod, short)
		}
		h.MethodName = span(start, i)
		h.Method = methodOf(b[start:i])
		if h.Method == MethodConnect {
			return h.refuse(ConnectMethod, start)
		}
		i++
		h.mark, h.mark2 = uint16(i), 0
		fallthrough

	case phaseTarget:
	target:
		for {
			i = scanTarget(b, i)
			if i == len(b) {
				h.phase, h.pos = phaseTarget, i
				return OK
			}
			switch b[i] {
			case ' ':
				break target
			case '?':
				if h.mark2 == 0 {
					h.mark2 = uint16(i)
				}
			case '!', '"':
			default:
				return h.misfit(b, i, phaseTarget, BadTargetByte, MissingVersion)
			}
			i++
		}
		h.Target = span(int(h.mark), i)
		if h.Target.Len == 0 {
			return h.refuse(BadTarget, i)
		}
		i++
		fallthrough

	case phaseVersion:
		h.phase, h.pos = phaseVersion, i
		if r := h.version(b, i); r != OK || h.phase == phaseVersion {
			return r
		}
		return h.splitTarget(b)
	}
	return OK
}

// versionLine is the shape of the rest of a request line: 0 stands for a digit.
const versionLine = "HTTP/0.0\r\n"

// version reads the version at b[i:] and the end of the line, and goes on to
// phaseLine when all of it is there.
func (h *Head) version(b []byte, i int) Reason {
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
// order of the wire, and only a resumed line starts elsewhere than at the top.
func (h *Head) fieldLines(buf []byte, lim *Limits) (n int, r Reason) {
	b, end := buf, int(h.start)+min(lim.HeaderBytes, MaxHead-int(h.start))
	if len(b) > end {
		b = b[:end]
	}
	i, name, mark, mark2 := h.pos, int(h.name), int(h.mark), int(h.mark2)
	p := h.phase
	for {
		switch p {
		case phaseLine:
			if i == len(b) {
				goto stall
			}
			if b[i] == '\r' {
				if i+1 == len(b) {
					goto stall
				}
				return h.finish(b, i)
			}
			if r := h.lineStart(b[i], i, lim); r != OK {
				return 0, r
			}
			name = i
			fallthrough

		case phaseName:
			p = phaseName
			i = scanName(b, i)
			if i == len(b) {
				goto stall
			}
			if b[i] != ':' || i == name {
				h.name = uint16(name)
				if r = h.badName(b, i); r == OK {
					goto stall
				}
				return 0, r
			}
			mark2 = i
			i++
			fallthrough

		case phaseSpace:
			p = phaseSpace
			for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
				i++
			}
			if i == len(b) {
				goto stall
			}
			mark = i
			fallthrough

		case phaseValue:
			p = phaseValue
			i = scanValue(b, i)
			if i+1 >= len(b) && (i == len(b) || b[i] == '\r') {
				goto stall
			}
			if b[i] != '\r' || b[i+1] != '\n' {
				return 0, h.misfit(b, i, phaseValue, BadValueByte, OK)
			}
			if r = h.field(b, name, mark2, mark, i); r != OK {
				return 0, r
			}
			i += 2
			p = phaseLine

		default: // phaseDone, phaseRefused
			if h.phase == phaseDone {
				return h.pos, OK
			}
			return 0, h.refused
		}
	}
stall:
	h.phase, h.pos = p, i
	h.name, h.mark, h.mark2 = uint16(name), uint16(mark), uint16(mark2)
	if len(b) == end {
		return 0, h.refuse(HeadTooLarge, end)
	}
	return 0, OK
}

// lineStart checks the first byte of a field line.
func (h *Head) lineStart(c byte, i int, lim *Limits) Reason {
	switch {
	case c == ' ' || c == '\t':
		if len(h.Fields) == 0 {
			return h.refuse(LeadingSpace, i)
		}
		return h.refuse(ObsFold, i)
	case len(h.Fields) >= lim.HeaderCount:
		return h.refuse(TooManyFields, i)
	case len(h.Fields) == cap(h.Fields):
		h.grow(lim.HeaderCount)
	}
	return OK
}

// grow makes room for more fields, up to limit.
func (h *Head) grow(limit int) {
	f := make([]Field, len(h.Fields), min(max(16, 2*cap(h.Fields)), limit))
	copy(f, h.Fields)
	h.Fields = f
}

// badName refuses the byte at i where a field name ends without a colon.
func (h *Head) badName(b []byte, i int) Reason {
	switch {
	case b[i] == ':':
		return h.refuse(EmptyName, i)
	case b[i] == ' ' || b[i] == '\t':
		return h.refuse(SpaceInName, i)
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

// scanTarget returns the index of the first byte at i or behind that may end
// a target or its path: below 0x24, '?', or 0x7f; len(b) if there is none.
func scanTarget(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		x := load64(b[i:])
		q := x ^ '?'*ones
		m := (x - 0x24*ones | (x&sevs + ones) | (q - ones)) & ^x & highs
		if m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c < 0x24 || c == '?' || c == 0x7f {
			break
		}
	}
	return i
}

// scanName returns the index of the first byte at i or behind that is not a
// token character, or len(b).
func scanName(b []byte, i int) int {
	for i < len(b) && class[b[i]]&tchar != 0 {
		i++
	}
	return i
}

// scanValue returns the index of the first byte at i or behind that cannot
// stand in a field value, or len(b).
func scanValue(b []byte, i int) int {
	for i < len(b) {
		for ; i+8 <= len(b); i += 8 {
			x := load64(b[i:])
			m := (x - 0x20*ones | (x&sevs + ones)) & ^x & highs
			if m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
		}
		for ; i < len(b) && b[i] >= ' ' && b[i] != 0x7f; i++ {
			// The rest of less than eight bytes.
		}
		if i == len(b) || b[i] != '\t' {
			break
		}
		i++
	}
	return i
}
