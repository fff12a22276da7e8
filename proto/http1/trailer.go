package http1

// maxForbidden is the length of the longest name in forbiddenTrailer.
const maxForbidden = len("proxy-authentication-info")

// forbiddenTrailer reports whether a field of that name, in lower case, may
// not be a trailer: those for "message framing, routing, request modifiers,
// authentication, or content format" (RFC 9110 section 6.5.1). Whoever merges
// trailers into the fields of the head would undo what was decided by the head.
func forbiddenTrailer(name []byte) bool {
	switch string(name) {
	case "content-length", "transfer-encoding", "trailer", "te", "connection", "keep-alive", "upgrade", "proxy-connection", // framing
		"host", "forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "max-forwards", // routing
		"cache-control", "expect", "pragma", "range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", // modifiers
		"authorization", "proxy-authorization", "authentication-info", "proxy-authentication-info", "cookie", "set-cookie", // authentication
		"content-encoding", "content-type", "content-range": // content format
		return true
	}
	return false
}

// trailerByte takes a byte of the trailer section, which obeys the rules of
// the fields in a head.
func (d *Chunked) trailerByte(c byte, i int) (int, Reason) {
	if d.trailer == maxTrailerBytes {
		return i, TrailersTooLarge
	}
	d.trailer++
	if r := d.trailerStep(c); r != OK {
		return i, r
	}
	// The lines are kept, the CRLF of the empty line is not.
	if d.KeepTrailers && d.state < trailerEndLF {
		d.Trailers = append(d.Trailers, c)
	}
	return i + 1, OK
}

func (d *Chunked) trailerStep(c byte) Reason {
	switch d.state {
	case trailerStart:
		return d.trailerLine(c)
	case trailerName:
		return d.trailerNameByte(c)
	case trailerValue:
		switch {
		case c == '\r':
			d.state = trailerLF
		case c == '\n':
			return BareLF
		case class[c]&valueEnd != 0:
			return BadValueByte
		}
	default: // trailerNameLF, trailerLF, trailerEndLF
		switch {
		case c != '\n':
			return BareCR
		case d.state == trailerNameLF:
			return MissingColon
		case d.state == trailerLF:
			d.state = trailerStart
		default:
			d.state = chunkDone
		}
	}
	return OK
}

// trailerLine takes the first byte of a line.
func (d *Chunked) trailerLine(c byte) Reason {
	switch {
	case c == '\r':
		d.state = trailerEndLF
		return OK
	case (c == ' ' || c == '\t') && d.count == 0:
		return LeadingSpace
	case c == ' ' || c == '\t':
		return ObsFold
	case d.count == maxTrailerCount:
		return TooManyTrailers
	}
	d.count++
	d.nameLen = 0
	d.state = trailerName
	return d.trailerNameByte(c)
}

// trailerNameByte takes a byte of a name, or its colon.
func (d *Chunked) trailerNameByte(c byte) Reason {
	switch {
	case class[c]&tchar != 0:
		if int(d.nameLen) < len(d.name) {
			d.name[d.nameLen] = lower[c]
		}
		if int(d.nameLen) <= len(d.name) {
			d.nameLen++
		}
		return OK
	case c == ':' && d.nameLen == 0:
		return EmptyName
	case c == ':':
		if int(d.nameLen) <= len(d.name) && forbiddenTrailer(d.name[:d.nameLen]) {
			return ForbiddenTrailer
		}
		d.state = trailerValue
		return OK
	case c == '\r':
		d.state = trailerNameLF
		return OK
	case c == '\n':
		return BareLF
	case c == ' ' || c == '\t':
		return SpaceInName
	}
	return BadNameByte
}
