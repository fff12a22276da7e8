package http1

// field adds the field line whose name is b[name:colon] and whose value lies
// in b[value:end], and acts on the fields that frame the message or rule the
// connection.
func (h *Head) field(b []byte, name, colon, value, end int) Reason {
	for end > value && (b[end-1] == ' ' || b[end-1] == '\t') {
		end--
	}
	f := Field{span(name, colon), span(value, end)}
	h.Fields = append(h.Fields, f)
	switch n := b[name:colon]; len(n) {
	case len("host"):
		if foldEqual(n, "host") {
			return h.hostField(b, f)
		}
	case len("expect"):
		if foldEqual(n, "expect") {
			return h.expectField(b, f)
		}
	case len("connection"):
		if foldEqual(n, "connection") {
			h.connectionField(f.Value.Of(b))
		}
	case len("content-length"):
		if foldEqual(n, "content-length") {
			return h.lengthField(b, f)
		}
	case len("transfer-encoding"):
		if foldEqual(n, "transfer-encoding") {
			return h.codingField(b, f)
		}
	}
	return OK
}

func (h *Head) hostField(b []byte, f Field) Reason {
	if h.hasHost {
		return h.refuse(DuplicateHost, int(f.Name.Off))
	}
	h.hasHost = true
	// "If the authority component is missing or undefined for the target URI,
	// then a client MUST send a Host header field with an empty field value"
	// (RFC 9112 section 3.2).
	if v := f.Value.Of(b); len(v) > 0 || h.Form == FormAbsolute {
		if bad := badHost(v); bad >= 0 {
			return h.refuse(BadHost, int(f.Value.Off)+bad)
		}
	}
	if h.Form != FormAbsolute {
		h.Host = f.Value
		return OK
	}
	if !h.sameHost(b, f.Value) {
		return h.refuse(HostMismatch, int(f.Value.Off))
	}
	return OK
}

func (h *Head) expectField(b []byte, f Field) Reason {
	if !foldEqual(f.Value.Of(b), "100-continue") {
		return h.refuse(BadExpect, int(f.Value.Off))
	}
	// "A server that receives a 100-continue expectation in an HTTP/1.0
	// request MUST ignore that expectation" (RFC 9110 section 10.1.1).
	h.ExpectContinue = h.Minor >= 1
	return OK
}

// connectionField takes the options known here out of a list; options of
// several fields add up. Others name fields that this hop does not act on.
func (h *Head) connectionField(v []byte) {
	for len(v) > 0 {
		var opt []byte
		opt, v = cutOption(v)
		switch {
		case foldEqual(opt, "close"):
			h.Close = true
		case foldEqual(opt, "keep-alive"):
			h.KeepAlive = true
		case foldEqual(opt, "upgrade"):
			// "A server MUST ignore an Upgrade header field that is received
			// in an HTTP/1.0 request" (RFC 9110 section 7.8).
			h.Upgrade = h.Minor >= 1
		}
	}
}

// cutOption returns the first element of a comma-separated list, trimmed, and
// what follows its comma.
func cutOption(v []byte) (opt, rest []byte) {
	opt = v
	for i, c := range v {
		if c == ',' {
			opt, rest = v[:i], v[i+1:]
			break
		}
	}
	for len(opt) > 0 && (opt[0] == ' ' || opt[0] == '\t') {
		opt = opt[1:]
	}
	for len(opt) > 0 && (opt[len(opt)-1] == ' ' || opt[len(opt)-1] == '\t') {
		opt = opt[:len(opt)-1]
	}
	return opt, rest
}

// lengthField reads Content-Length: one number. RFC 9112 section 6.3 would let
// a list of equal numbers pass; who sends one has been confused by someone.
func (h *Head) lengthField(b []byte, f Field) Reason {
	switch {
	case h.HasLength:
		return h.refuse(DuplicateLength, int(f.Name.Off))
	case h.Chunked:
		return h.refuse(LengthAndCoding, int(f.Name.Off))
	case f.Value.Len == 0:
		return h.refuse(BadLength, int(f.Value.Off))
	}
	var n int64
	for i, c := range f.Value.Of(b) {
		d := int64(c) - '0'
		if d < 0 || d > 9 {
			return h.refuse(BadLength, int(f.Value.Off)+i)
		}
		if n > (1<<63-1-d)/10 {
			return h.refuse(LengthTooLarge, int(f.Value.Off))
		}
		n = n*10 + d
	}
	h.HasLength, h.ContentLength = true, n
	return OK
}

// codingField reads Transfer-Encoding: chunked, alone. "A server that receives
// a request message with a transfer coding it does not understand SHOULD
// respond with 501 (Not Implemented)" (RFC 9112 section 6.1).
func (h *Head) codingField(b []byte, f Field) Reason {
	switch {
	case h.Minor == 0:
		return h.refuse(CodingInHTTP10, int(f.Name.Off))
	case h.Chunked:
		return h.refuse(DuplicateCoding, int(f.Name.Off))
	case h.HasLength:
		return h.refuse(LengthAndCoding, int(f.Name.Off))
	case f.Value.Len == 0:
		return h.refuse(EmptyCoding, int(f.Value.Off))
	case !foldEqual(f.Value.Of(b), "chunked"):
		return h.refuse(UnknownCoding, int(f.Value.Off))
	}
	h.Chunked = true
	return OK
}
