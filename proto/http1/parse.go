package http1

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
	// Nothing beyond the limit is looked at: that is what makes the answer
	// independent of how much more has arrived.
	end := min(lim.HeaderBytes, MaxHead)
	b := buf[:min(len(buf), end)]
	if h.phase < phaseLine {
		r = h.requestLine(b, lim.RequestLine)
	}
	if h.phase >= phaseLine && r == OK {
		n, r = h.fieldLines(b, lim.HeaderCount)
	}
	if n == 0 && r == OK && len(b) == end {
		r = h.refuse(HeadTooLarge, end)
	}
	return n, r
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

// field returns the field of the name [name:colon] and the value [value:end].
// Cut from one word, its four parts are stored at once, and can be loaded so
// at once: a load does not wait for parts of what it loads to leave the CPU's
// store buffer.
func field(name, colon, value, end int) Field {
	w := uint64(name) | uint64(colon-name)<<16 | uint64(value)<<32 | uint64(end-value)<<48
	return Field{
		Name:  Span{uint16(w), uint16(w >> 16)},
		Value: Span{uint16(w >> 32), uint16(w >> 48)},
	}
}

func span(from, to int) Span { return Span{Off: uint16(from), Len: uint16(to - from)} }
