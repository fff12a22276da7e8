package conf

import (
	"net/netip"
	"strconv"
	"strings"
)

// normalHost gives a host as requests are compared with it: lower case, no dot
// at the end, IPv6 addresses in brackets.
func normalHost(s string) (string, fault) {
	host := strings.TrimSuffix(strings.ToLower(s), ".")
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil && ip.Zone() == "" {
		if ip.Is6() {
			return "[" + ip.String() + "]", fault{}
		}
		return ip.String(), fault{}
	}
	if wrong := checkHost(host); wrong != "" {
		return "", fault{quote(s) + " " + wrong, betterHost(host)}
	}
	return host, fault{}
}

// checkHost says what is wrong with a name in lower case, or "". The limits
// are those of DNS (RFC 1035, section 2.3.4); underscores are not for host
// names by the letter, but are in use.
func checkHost(host string) string {
	name := strings.TrimPrefix(host, "*.")
	switch {
	case host == "*":
		return "stands for every host: leave hosts empty for that"
	case name == "":
		return "is no host"
	case strings.Contains(name, "*"):
		return `has * at a place where it cannot stand; it stands for whole labels in front: "*.example.com"`
	case len(name) > 253:
		return "is longer than 253 letters"
	case strings.Contains(name, "/"):
		return "is no host but a URL"
	case strings.Contains(name, ":"):
		return "has a port; ports are the listeners' matter"
	}
	if last := name[strings.LastIndexByte(name, '.')+1:]; last != "" && isDigits(last) {
		return "ends in a number and is no IP address"
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return "has a part of " + itoa(len(label)) + " letters; 1 to 63 are possible"
		}
		for _, c := range label {
			switch {
			case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
			case c > 0x7f:
				return "is not written in ASCII; write its xn-- form"
			default:
				return "has " + strconv.QuoteRune(c) + " in it"
			}
		}
	}
	return ""
}

// betterHost guesses what was meant by a host that is none.
func betterHost(host string) string {
	if _, after, ok := strings.Cut(host, "://"); ok {
		host = after
	}
	host, _, _ = strings.Cut(host, "/")
	if name, port, ok := strings.Cut(host, ":"); ok {
		if _, err := strconv.ParseUint(port, 10, 16); err == nil {
			host = name
		}
	}
	if strings.HasPrefix(host, ".") {
		host = "*" + host
	}
	if checkHost(host) == "" {
		return host
	}
	return ""
}
