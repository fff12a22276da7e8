package serve

import "bytes"

// wildcard is the name that stands for what the "*" of a route matched.
const wildcard = "*"

// escape says how a parameter's value is written into what surrounds it.
type escape uint8

const (
	escapeNone  escape = iota // as it stands in Request.Path
	escapeHTML                // text of HTML and XML
	escapeJSON                // inside a JSON string
	escapePath                // path of a URI reference
	escapeQuery               // any other place in a URI reference
)

// A template is text in which {name} stands for a parameter of the match and
// {*} for what the "*" of the route matched. All else is literal, and so is a
// {name} that the route at hand has no parameter for: a template is compiled
// once and does not know the routes it will serve.
type template []part

type part struct {
	text   string // literal text; of a parameter what stands in the source
	name   string // "" of literal text
	escape escape
}

// compile splits text into literals and parameters.
func compile(text string, e escape) template {
	var t template
	start := 0
	for i := 0; i < len(text); {
		n := placeholder(text[i:])
		if n == 0 {
			i++
			continue
		}
		if start < i {
			t = append(t, part{text: text[start:i]})
		}
		t = append(t, part{text: text[i : i+n], name: text[i+1 : i+n-1], escape: e})
		i += n
		start = i
	}
	if start < len(text) {
		t = append(t, part{text: text[start:]})
	}
	return t
}

// placeholder returns the length of the {name} or {*} that s begins with, or 0.
func placeholder(s string) int {
	if len(s) < 3 || s[0] != '{' {
		return 0
	}
	if s[1] == '*' {
		if s[2] == '}' {
			return 3
		}
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case i > 1 && (c >= '0' && c <= '9' || c == '-'):
		case i > 1 && c == '}':
			return i + 1
		default:
			return 0
		}
	}
	return 0
}

// fixed reports whether the template has no parameters.
func (t template) fixed() bool {
	for i := range t {
		if t[i].name != "" {
			return false
		}
	}
	return true
}

// append renders the template for the match of r behind dst.
func (t template) append(dst []byte, r *Request) []byte {
	for i := range t {
		p := &t[i]
		if p.name == "" {
			dst = append(dst, p.text...)
			continue
		}
		v, ok := p.value(r)
		if !ok {
			dst = append(dst, p.text...)
			continue
		}
		dst = p.escape.append(dst, v)
	}
	return dst
}

func (p *part) value(r *Request) ([]byte, bool) {
	if p.name == wildcard {
		return r.Wildcard(), r.Rest >= 0
	}
	return r.Param(p.name)
}

// append writes v behind dst, escaped.
func (e escape) append(dst, v []byte) []byte {
	switch e {
	case escapeHTML:
		return appendHTML(dst, v)
	case escapeJSON:
		return appendJSON(dst, v)
	case escapePath:
		return appendURI(dst, v, uriUnreserved|uriPath)
	case escapeQuery:
		return appendURI(dst, v, uriUnreserved)
	}
	return append(dst, v...)
}

func appendHTML(dst, v []byte) []byte {
	for _, c := range v {
		switch c {
		case '&':
			dst = append(dst, "&amp;"...)
		case '<':
			dst = append(dst, "&lt;"...)
		case '>':
			dst = append(dst, "&gt;"...)
		case '"':
			dst = append(dst, "&#34;"...)
		case '\'':
			dst = append(dst, "&#39;"...)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

const hexDigits = "0123456789ABCDEF"

// appendJSON also escapes what could end a script element that JSON was put
// into.
func appendJSON(dst, v []byte) []byte {
	for _, c := range v {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20 || c == '<' || c == '>' || c == '&' || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// Classes of the bytes that may stand in a URI reference as they are.
const (
	uriUnreserved = 1 << iota // RFC 3986 section 2.3
	uriPath                   // what else a path may hold, '/' included
	uriOther                  // the other delimiters, and '%'
)

var uriClass = func() (class [256]uint8) {
	set := func(bytes string, c uint8) {
		for i := range len(bytes) {
			class[bytes[i]] |= c
		}
	}
	set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~", uriUnreserved)
	set("/:@!$&'()*+,;=", uriPath)
	set("?#[]%", uriOther)
	return class
}()

// appendURI percent-encodes the bytes of v that are not in one of the classes.
func appendURI(dst, v []byte, classes uint8) []byte {
	for _, c := range v {
		if uriClass[c]&classes != 0 {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return dst
}

// AppendPath appends a decoded path as it stands in a URI: percent-encoded
// where needed.
func AppendPath(dst, path []byte) []byte {
	return appendURI(dst, path, uriUnreserved|uriPath)
}

// escapeFor returns how parameters are written into a body of that type, so
// that a link to the server cannot put markup of its making into a page.
func escapeFor(contentType string) escape {
	mediaType, _, _ := bytes.Cut(bytes.ToLower([]byte(contentType)), []byte(";"))
	switch mt := string(bytes.TrimSpace(mediaType)); {
	case mt == "text/html", mt == "text/xml", mt == "application/xml", hasSuffix(mt, "+xml"):
		return escapeHTML
	case mt == "application/json", hasSuffix(mt, "+json"):
		return escapeJSON
	}
	return escapeNone
}

func hasSuffix(s, suffix string) bool {
	return len(s) >= len(suffix) && s[len(s)-len(suffix):] == suffix
}
