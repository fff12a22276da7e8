package http1

// badHost returns the offset of what is wrong in the uri-host [":" port] at v,
// or -1.
func badHost(b []byte, v Span) int {
	start, end := int(v.Off), int(v.Off)+int(v.Len)
	b = b[:end]
	i := start
	if i < end && b[i] == '[' {
		for i < end && b[i] != ']' {
			i++
		}
		if i == end || !validIPv6(b[start+1:i]) {
			return start
		}
		i++
	} else {
		for i < end && class[b[i]]&hostChar != 0 {
			i++
		}
	}
	switch {
	case i == start:
		return i
	case i == end:
		return -1
	case b[i] != ':':
		return i
	}
	port := i + 1
	for i++; i < end && b[i] >= '0' && b[i] <= '9'; i++ {
		if i == port+5 {
			return i
		}
	}
	switch {
	case i < end:
		return i
	case i == port+5 && string(b[port:]) > "65535":
		return port
	}
	return -1
}

// plainHost reports whether b[i:end] surely is a host: letters, digits, dashes
// and dots, and a port of up to four digits. What follows it in b cannot be a
// part of a host.
func plainHost(b []byte, i, end int) bool {
	start := i
	for ; i+8 <= len(b); i += 8 {
		if m := hostStops(word(b, i)); m != 0 {
			i += first(m)
			break
		}
	}
	if i > start && i+9 <= len(b) && b[i] == ':' {
		n := first(digitStops(word(b, i+1)))
		if n > 4 {
			return false
		}
		i += 1 + n
	}
	return i == end && i > start
}

// validIPv6 reports whether v is an IPv6address of RFC 3986: eight groups of up
// to four hexadecimal digits, the last two maybe as an IPv4 address, or fewer
// with one "::" for the rest. No zone.
func validIPv6(v []byte) bool {
	groups, gap := 0, false
	if len(v) >= 2 && v[0] == ':' && v[1] == ':' {
		gap = true
		v = v[2:]
	}
	for len(v) > 0 || !gap {
		n := 0
		for n < len(v) && class[v[n]]&hexDigit != 0 {
			n++
		}
		if n < len(v) && v[n] == '.' {
			if !validIPv4(v) {
				return false
			}
			groups += 2
			break
		}
		if n == 0 || n > 4 {
			return false
		}
		groups++
		v = v[n:]
		if len(v) == 0 {
			break
		}
		if v[0] != ':' || len(v) == 1 {
			return false
		}
		v = v[1:]
		if v[0] == ':' {
			if gap {
				return false
			}
			gap = true
			v = v[1:]
		}
	}
	return !gap && groups == 8 || gap && groups < 8
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
