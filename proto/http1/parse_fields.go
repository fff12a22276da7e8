package http1

// fieldLines reads the field lines, limit at most, and the empty line behind
// them. n == 0 and OK: more bytes are needed.
func (h *Head) fieldLines(b []byte, limit int) (n int, r Reason) {
	if h.phase == phaseLine {
		if r := h.wholeLines(b, h.pos, limit); r != OK {
			return 0, r
		}
		if i := h.pos; i+2 <= len(b) && half(b, i) == crlf {
			return h.finish(i)
		}
	}
	return h.fieldPhases(b, limit)
}

// fieldPhases goes on with field lines in whatever phase it is.
func (h *Head) fieldPhases(b []byte, limit int) (n int, r Reason) {
	for i := h.pos; ; i = h.pos {
		switch h.phase {
		case phaseLine:
			if i == len(b) || b[i] == '\r' && i+1 == len(b) {
				return 0, OK
			}
			if b[i] == '\r' {
				if b[i+1] != '\n' {
					return 0, h.refuse(BareCR, i)
				}
				return h.finish(i)
			}
			if r = h.makeRoom(b, i, limit); r != OK {
				return 0, r
			}
			h.name = uint16(i)
			fallthrough

		case phaseName:
			for i < len(b) && class[b[i]]&tchar != 0 {
				i++
			}
			if i == len(b) {
				h.phase, h.pos = phaseName, i
				return 0, OK
			}
			if b[i] != ':' || i == int(h.name) {
				return 0, h.badName(b, i, int(h.name))
			}
			h.colon = uint16(i)
			i++
			fallthrough

		case phaseSpace:
			for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
				i++
			}
			if i == len(b) {
				h.phase, h.pos = phaseSpace, i
				return 0, OK
			}
			h.value = uint16(i)
			fallthrough

		case phaseValue:
			i = scanValue(b, i)
			if i == len(b) || b[i] == '\r' && i+1 == len(b) {
				h.phase, h.pos = phaseValue, i
				return 0, OK
			}
			if b[i] != '\r' || b[i+1] != '\n' {
				return 0, h.misfit(b, i, phaseValue, BadValueByte, OK)
			}
			h.Fields = append(h.Fields, field(int(h.name), int(h.colon), int(h.value), trimEnd(b, int(h.value), i)))
			if r = h.act(b, &h.Fields[len(h.Fields)-1]); r != OK {
				return 0, r
			}
			h.phase = phaseLine
			if r = h.wholeLines(b, i+2, limit); r != OK {
				return 0, r
			}

		case phaseDone:
			return h.pos, OK
		case phaseRefused:
			return 0, h.refused
		}
	}
}

// wholeLines reads field lines from b[i] on, as long as they are there in whole
// and hold nothing unusual. The first one that is not is left to fieldPhases,
// which knows every case and can stop anywhere.
func (h *Head) wholeLines(b []byte, i, limit int) Reason {
	n := len(h.Fields)
	next, added := scanLines(h.Fields[n:min(cap(h.Fields), limit)], b, i)
	h.pos = next
	h.Fields = h.Fields[:n+added]
	for ; n < len(h.Fields); n++ {
		if f := &h.Fields[n]; mayAct(int(f.Name.Len), b[f.Name.Off]) {
			if r := h.act(b, f); r != OK {
				return r
			}
		}
	}
	return OK
}

// scanLines fills fields with the lines at b[i] and behind, up to one that is
// not all there, or holds anything but letters and dashes before the colon, or
// anything but printable characters behind it, or white space around the value
// but for one space before it. It returns where it stopped, and the number of
// fields filled.
//
// It goes from word to word from the start of a line on, not anew from the
// colon: so no word is looked at twice, but that with the colon, and where the
// next line starts depends on the last word of this one alone. What stops a
// value stops a name too, so end is never before colon, nor a read of two bytes
// there behind the end.
func scanLines(fields []Field, b []byte, i int) (next, n int) {
	for n < len(fields) {
		var x uint64
		var colon, end int
		j := i
		for {
			if j+8 > len(b) {
				return i, n
			}
			x = word(b, j)
			if m := nameStops(x); m != 0 {
				colon = j + first(m)
				break
			}
			j += 8
		}
		for {
			if m := valueStops(x); m != 0 {
				end = j + first(m)
				break
			}
			if j += 8; j+8 <= len(b) {
				x = word(b, j)
			} else {
				x = lastWord(b, j)
			}
		}
		if end+2 > len(b) || colon == i {
			return i, n
		}
		value := colon + 2
		if c := half(b, colon); c != ':'|' '<<8 {
			if value--; c&0xff != ':' {
				return i, n
			}
		}
		if half(b, end) != crlf || b[end-1] == ' ' || b[value] == ' ' {
			return i, n
		}
		fields[n] = field(i, colon, value, end)
		n++
		i = end + 2
	}
	return i, n
}

// makeRoom makes room in the Fields array, up to limit, for the field line that
// starts at b[i].
func (h *Head) makeRoom(b []byte, i, limit int) Reason {
	n := len(h.Fields)
	switch {
	case class[b[i]]&tchar == 0:
		return OK // no name: badName will say what is wrong
	case n >= limit:
		return h.refuse(TooManyFields, i)
	case n == cap(h.Fields):
		f := make([]Field, n, min(max(16, 2*n), limit))
		copy(f, h.Fields)
		h.Fields = f
	}
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

// finish ends the head at the CRLF at i.
func (h *Head) finish(i int) (int, Reason) {
	// "A server MUST respond with a 400 (Bad Request) status code to any
	// HTTP/1.1 request message that lacks a Host header field" (RFC 9112
	// section 3.2).
	if !h.hasHost && h.Minor >= 1 {
		return 0, h.refuse(MissingHost, i)
	}
	h.phase, h.pos = phaseDone, i+2
	return i + 2, OK
}

// scanValue returns the index of the first byte at i or behind that cannot
// stand in a field value, or len(b).
func scanValue(b []byte, i int) int {
	for {
		for ; i+8 <= len(b); i += 8 {
			if m := valueStops(word(b, i)); m != 0 {
				i += first(m)
				break
			}
		}
		// Where one byte is seldom, the next ones may well be too: UTF-8.
		for end := min(i+8, len(b)); i < end; i++ {
			if class[b[i]]&valueEnd != 0 {
				return i
			}
		}
		if i == len(b) {
			return i
		}
	}
}

// trimEnd returns the end of b[value:end] without the white space there.
func trimEnd(b []byte, value, end int) int {
	for end > value && (b[end-1] == ' ' || b[end-1] == '\t') {
		end--
	}
	return end
}
