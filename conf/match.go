package conf

import (
	"slices"
	"strings"
)

// match is a route's match, taken apart.
type match struct {
	methods []string // nil is any
	pattern string   // "/a/{id}/*"
	same    string   // the pattern without the names of its parameters
	params  []string
	rest    bool // ends in "*"
}

const wantMatch = `wanted: "/path", "/users/{id}", "/files/*" or "GET,HEAD /path"`

// parseMatch takes "METHODS /pattern" apart. Paths are compared after they
// were decoded and cleaned, so that some patterns could never match; those are
// refused, as the operator cannot mean them.
func parseMatch(s string) (match, fault) {
	var m match
	var wrong fault
	switch fields := strings.Fields(s); len(fields) {
	case 0:
		return m, fault{message: "the match is empty"}
	case 1:
		m.pattern = fields[0]
	case 2:
		m.pattern = fields[1]
		if m.methods, wrong = parseMethods(fields[0]); wrong.message != "" {
			return m, wrong
		}
	default:
		last := len(fields) - 1
		better := strings.Join(fields[:last], "") + " " + fields[last]
		if strings.Count(better, " ") > 1 || !strings.Contains(better, ",") {
			better = ""
		}
		return m, fault{quote(s) + " has more than methods and a path", better}
	}
	return m, m.parsePattern()
}

func parseMethods(s string) ([]string, fault) {
	methods := strings.Split(s, ",")
	for i, name := range methods {
		switch upper := strings.ToUpper(name); {
		case name == "":
			return nil, fault{message: "a method is missing in " + quote(s)}
		case !isToken(name):
			return nil, fault{message: quote(name) + " is no method"}
		case name != upper:
			return nil, fault{"the method " + quote(name) + " is not in capitals", upper}
		case name == "CONNECT":
			return nil, fault{message: "CONNECT has no path and never matches"}
		case slices.Contains(methods[:i], name):
			return nil, fault{message: "the method " + name + " is written twice"}
		case !slices.Contains(httpMethods, name) && !slices.Contains(moreMethods, name):
			if near := nearest(name, httpMethods); near != "" {
				return nil, fault{quote(name) + " is no method", near}
			}
		}
	}
	return methods, fault{}
}

// moreMethods are real ones that look like misspellings of others.
var moreMethods = []string{"LOCK", "LINK", "BIND", "PUSH", "COPY", "QUERY", "SEARCH", "REPORT", "PURGE", "MOVE"}

func (m *match) parsePattern() fault {
	p := m.pattern
	switch {
	case p[0] != '/':
		return fault{quote(p) + " does not begin with /", m.rooted()}
	case len(p) > maxPattern:
		return fault{message: "the pattern has " + itoa(len(p)) + " letters; at most " + itoa(maxPattern) + " are taken"}
	case strings.ContainsAny(p, "?#"):
		return fault{message: "the pattern has a ? or #; only the path is matched, not the query", suggest: p[:strings.IndexAny(p, "?#")]}
	case strings.Contains(p, `\`):
		return fault{message: `the pattern has a \, which no path has`}
	case hasEscape(p):
		return fault{message: "the pattern has a %-escape; paths are decoded before they are compared, so write the letter itself"}
	}
	if strings.Count(p, "/") > maxSegments {
		return fault{message: "the pattern has more than " + itoa(maxSegments) + " segments"}
	}
	return m.parseSegments()
}

// rooted is a better guess than a slash in front where methods and path were
// written in one word.
func (m *match) rooted() string {
	if i := strings.IndexByte(m.pattern, '/'); i > 0 && m.methods == nil {
		if _, wrong := parseMethods(m.pattern[:i]); wrong.message == "" {
			return m.pattern[:i] + " " + m.pattern[i:]
		}
	}
	return "/" + m.pattern
}

func (m *match) parseSegments() fault {
	segments := strings.Split(m.pattern[1:], "/")
	last := len(segments) - 1
	for i, seg := range segments {
		switch {
		case seg == "*" && i == last:
			m.rest = true
		case seg == "{*}" && i == last:
			return fault{"{*} is for texts; in a match it is written *", strings.TrimSuffix(m.pattern, "{*}") + "*"}
		case strings.Contains(seg, "*"):
			return fault{message: "* stands inside " + quote(m.pattern) + "; it can only be the last segment, alone"}
		case strings.ContainsAny(seg, "{}"):
			if wrong := m.param(seg); wrong.message != "" {
				return wrong
			}
		case seg == "" && i < last:
			return fault{"// never matches: paths are cleaned before they are compared", strings.ReplaceAll(m.pattern, "//", "/")}
		case seg == "." || seg == "..":
			return fault{message: "/" + seg + " never matches: paths are cleaned before they are compared"}
		}
	}
	m.same = m.pattern
	if len(m.params) > 0 {
		for i, seg := range segments {
			if strings.HasPrefix(seg, "{") {
				segments[i] = "{}"
			}
		}
		m.same = "/" + strings.Join(segments, "/")
	}
	return fault{}
}

func (m *match) param(seg string) fault {
	name := strings.TrimSuffix(strings.TrimPrefix(seg, "{"), "}")
	switch {
	case len(name) != len(seg)-2 || strings.ContainsAny(name, "{}"):
		return fault{message: quote(seg) + " is no parameter; {name} has to be a whole segment"}
	case !isParamName(name):
		return fault{message: quote(name) + " is no name for a parameter; letters, digits, - and _ are, a letter or _ first"}
	case slices.Contains(m.params, name):
		return fault{message: "the parameter {" + name + "} is there twice"}
	case len(m.params) == maxParams:
		return fault{message: "more than " + itoa(maxParams) + " parameters"}
	}
	m.params = append(m.params, name)
	return fault{}
}

// overlaps reports whether two matches of the same pattern take the same
// requests. A route that names a method goes before one that takes any, so
// those two do not.
func (m *match) overlaps(o *match) string {
	if m.methods == nil && o.methods == nil {
		return "any method"
	}
	for _, name := range m.methods {
		if slices.Contains(o.methods, name) {
			return name
		}
	}
	return ""
}

func isParamName(s string) bool {
	for i, c := range []byte(s) {
		first := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !first && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

// isToken is RFC 9110, section 5.6.2: what methods and field names are made of.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

func hasEscape(s string) bool {
	hex := func(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }
	for i := 0; i+2 < len(s); i++ {
		if s[i] == '%' && hex(s[i+1]) && hex(s[i+2]) {
			return true
		}
	}
	return false
}
