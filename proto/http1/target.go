package http1

// splitTarget finds the form and the parts of the target of a complete request
// line.
func (h *Head) splitTarget(b []byte) Reason {
	t := int(h.Target.Off)
	end := t + int(h.Target.Len)
	path := t
	switch {
	case b[t] == '/':
		h.Form = FormOrigin
	case b[t] == '*' && h.Target.Len == 1 && h.Method == MethodOptions:
		h.Form = FormAsterisk
	default:
		var r Reason
		if path, r = h.authority(b, t, end); r != OK {
			return r
		}
	}
	h.splitPath(path, int(h.query), end)
	if h.Path.Len == 0 {
		// "If the target URI's path component is empty, the client MUST send
		// '/' as the path" in the origin form (RFC 9112 section 3.2.1); the
		// absolute form may leave it out. A slash stands in its "://".
		h.Path = span(int(h.Host.Off)-1, int(h.Host.Off))
	}
	return OK
}

// splitPath divides a target that ends at end at its '?', if query is not 0.
func (h *Head) splitPath(path, query, end int) {
	if query != 0 {
		h.Query = span(query+1, end)
		end = query
	}
	h.Path = span(path, end)
}

// authority reads the scheme and authority of the absolute form b[t:end] and
// returns where the path starts.
func (h *Head) authority(b []byte, t, end int) (path int, r Reason) {
	host := t + schemeLen(b[t:end])
	if host == t {
		return 0, h.refuse(BadTarget, t)
	}
	path = host
	for path < end && b[path] != '/' && b[path] != '?' {
		path++
	}
	h.Host = span(host, path)
	if bad := badHost(b, h.Host); bad >= 0 {
		return 0, h.refuse(BadHost, bad)
	}
	h.Form = FormAbsolute
	return path, OK
}

// schemeLen returns the length of "http://" or "https://" at the start of
// target, or 0.
func schemeLen(target []byte) int {
	for _, s := range [...]string{"http://", "https://"} {
		if len(target) >= len(s) && foldEqual(target[:len(s)], s) {
			return len(s)
		}
	}
	return 0
}

// sameHost reports whether the Host field at v agrees with the authority of
// the absolute target: the same but for case and a default port.
func (h *Head) sameHost(b []byte, v Span) bool {
	port := ":80"
	if h.Host.Off-h.Target.Off == uint16(len("https://")) {
		port = ":443"
	}
	x, y := trimPort(h.Host.Of(b), port), trimPort(v.Of(b), port)
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if lower[x[i]] != lower[y[i]] {
			return false
		}
	}
	return true
}

// trimPort takes an empty or the default port off a host.
func trimPort(host []byte, port string) []byte {
	n := len(host)
	switch {
	case n > 0 && host[n-1] == ':':
		return host[:n-1]
	case n > len(port) && string(host[n-len(port):]) == port:
		return host[:n-len(port)]
	}
	return host
}
