package http1

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
