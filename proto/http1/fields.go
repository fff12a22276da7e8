package http1

// Parts of the names of the fields that mean something here, as words.
const (
	wordHost     = 'h' | 'o'<<8 | 's'<<16 | 't'<<24
	wordExpect   = 'e' | 'x'<<8 | 'p'<<16 | 'e'<<24 | 'c'<<32 | 't'<<40
	wordNnection = 'n' | 'n'<<8 | 'e'<<16 | 'c'<<24 | 't'<<32 | 'i'<<40 | 'o'<<48 | 'n'<<56
	wordContent  = 'c' | 'o'<<8 | 'n'<<16 | 't'<<24 | 'e'<<32 | 'n'<<40 | 't'<<48 | '-'<<56
	wordTLength  = 't' | '-'<<8 | 'l'<<16 | 'e'<<24 | 'n'<<32 | 'g'<<40 | 't'<<48 | 'h'<<56
	wordTransfer = 't' | 'r'<<8 | 'a'<<16 | 'n'<<24 | 's'<<32 | 'f'<<40 | 'e'<<48 | 'r'<<56
	wordEncoding = 'e' | 'n'<<8 | 'c'<<16 | 'o'<<24 | 'd'<<32 | 'i'<<40 | 'n'<<48 | 'g'<<56
)

// mayAct reports whether a name of that length and first letter can be one of
// those that act knows.
func mayAct(n int, c byte) bool {
	switch n<<8 | int(c|0x20) {
	case len("host")<<8 | 'h', len("expect")<<8 | 'e', len("connection")<<8 | 'c',
		len("content-length")<<8 | 'c', len("transfer-encoding")<<8 | 't':
		return true
	}
	return false
}

// act does what a field demands that frames the message or rules the
// connection.
//
// At least a request line stands before a name, so the eight bytes up to its
// end can be read. To set the bit that tells a from A cannot confuse names: no
// token character but a letter becomes a letter, and none but '-' becomes '-'.
func (h *Head) act(b []byte, f *Field) Reason {
	name := int(f.Name.Off)
	tail := word(b, name+int(f.Name.Len)-8) | 0x20*ones
	switch int(f.Name.Len) {
	case len("host"):
		if tail>>32 == wordHost {
			return h.hostField(b, f)
		}
	case len("expect"):
		if tail>>16 == wordExpect {
			return h.expectField(b, f)
		}
	case len("connection"):
		if tail == wordNnection && b[name]|0x20 == 'c' && b[name+1]|0x20 == 'o' {
			h.connectionField(f.Value.Of(b))
		}
	case len("content-length"):
		if tail == wordTLength && word(b, name)|0x20*ones == wordContent {
			return h.lengthField(b, f)
		}
	case len("transfer-encoding"):
		if tail == wordEncoding && word(b, name)|0x20*ones == wordTransfer && b[name+8] == '-' {
			return h.codingField(b, f)
		}
	}
	return OK
}

func (h *Head) hostField(b []byte, f *Field) Reason {
	if h.hasHost {
		return h.refuse(DuplicateHost, int(f.Name.Off))
	}
	h.hasHost = true
	// "If the authority component is missing or undefined for the target URI,
	// then a client MUST send a Host header field with an empty field value"
	// (RFC 9112 section 3.2).
	from, end := int(f.Value.Off), int(f.Value.Off)+int(f.Value.Len)
	if !plainHost(b, from, end) && (from < end || h.Form == FormAbsolute) {
		if bad := badHost(b, f.Value); bad >= 0 {
			return h.refuse(BadHost, bad)
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

func (h *Head) expectField(b []byte, f *Field) Reason {
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
	if foldEqual(v, "keep-alive") {
		h.KeepAlive = true
		return
	}
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
func (h *Head) lengthField(b []byte, f *Field) Reason {
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
func (h *Head) codingField(b []byte, f *Field) Reason {
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
