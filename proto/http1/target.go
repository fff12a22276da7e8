package http1

// splitTarget finds the form and the parts of the target of a complete request
// line. It runs once per head.
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
	q := end
	if h.mark2 != 0 {
		q = int(h.mark2)
		h.Query = span(q+1, end)
	}
	if path < q {
		h.Path = span(path, q)
	} else {
		// "If the target URI's path component is empty, the client MUST send
		// '/' as the path" in the origin form (RFC 9112 section 3.2.1); the
		// absolute form may leave it out. A slash stands in its "://".
		h.Path = span(int(h.Host.Off)-1, int(h.Host.Off))
	}
	return OK
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
	if bad := badHost(b[host:path]); bad >= 0 {
		return 0, h.refuse(BadHost, host+bad)
	}
	h.Form = FormAbsolute
	h.Host = span(host, path)
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

// badHost returns the offset of what is wrong in a uri-host [":" port], or -1.
func badHost(v []byte) int {
	i := 0
	if len(v) > 0 && v[0] == '[' {
		for i = 1; i < len(v) && v[i] != ']'; i++ {
			// To the end of the literal.
		}
		if i == len(v) || !validIPv6(v[1:i]) {
			return 0
		}
		i++
	} else {
		for i < len(v) && class[v[i]]&hostChar != 0 {
			i++
		}
		if i == 0 {
			return 0
		}
	}
	if i == len(v) {
		return -1
	}
	if v[i] != ':' {
		return i
	}
	port := 0
	for i++; i < len(v); i++ {
		d := int(v[i]) - '0'
		if d < 0 || d > 9 {
			return i
		}
		if port = port*10 + d; port > 65535 {
			return i
		}
	}
	return -1
}

// validIPv6 reports whether v is an IPv6address of RFC 3986: no zone.
func validIPv6(v []byte) bool {
	groups, gap := 0, false
	for i := 0; ; {
		if len(v)-i >= 2 && v[i] == ':' && v[i+1] == ':' {
			if gap {
				return false
			}
			gap = true
			i += 2
		} else if i > 0 {
			if i == len(v) || v[i] != ':' {
				break
			}
			i++
		}
		if gap && i == len(v) && v[i-1] == ':' && v[i-2] == ':' {
			return groups < 8
		}
		n := 0
		for i+n < len(v) && class[v[i+n]]&hexDigit != 0 {
			n++
		}
		if i+n < len(v) && v[i+n] == '.' {
			if !validIPv4(v[i:]) {
				return false
			}
			groups += 2
			i = len(v)
			return groups == 8 || gap && groups < 8
		}
		if n == 0 || n > 4 {
			return false
		}
		groups++
		i += n
		if i == len(v) {
			return groups == 8 || gap && groups < 8
		}
	}
	return false
}

// validIPv4 reports whether v is four decimal octets without leading zeros.
func validIPv4(v []byte) bool {
	octets, n, digits := 0, 0, 0
	for i := 0; ; i++ {
		if i < len(v) && v[i] >= '0' && v[i] <= '9' {
			if digits > 0 && n == 0 {
				return false
			}
			n = n*10 + int(v[i]-'0')
			digits++
			if n > 255 {
				return false
			}
			continue
		}
		if digits == 0 {
			return false
		}
		octets++
		if i == len(v) {
			return octets == 4
		}
		if v[i] != '.' || octets == 4 {
			return false
		}
		n, digits = 0, 0
	}
}
