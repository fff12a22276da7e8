package conf

import (
	"slices"
	"strconv"
	"strings"
)

func (b *builder) respond(it *item, m *match) *Respond {
	r := &Respond{Status: it.int("status"), Body: it.str("body")}
	if body := it.get("body"); body != nil && !body.bad {
		// RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5.
		if body.text != "" && (r.Status == 204 || r.Status == 205 || r.Status == 304) {
			b.fault(body, "a response with status "+itoa(r.Status)+" has no body", "leave it away, or use another status", "")
		}
		if body.from != nil {
			b.placeholders(body, m)
		}
	}
	headers := it.at("headers")
	seen := make(map[string]*item, len(headers.kids))
	for _, h := range headers.kids {
		if !h.bad && b.header(h, seen) {
			b.placeholders(h, m)
			r.Headers = append(r.Headers, Header{h.name, h.text})
		}
	}
	return r
}

// ownFields are the server's: another value would break the framing of the
// connection, or stand there twice.
var ownFields = []string{"connection", "content-length", "date", "keep-alive", "server", "te", "trailer", "transfer-encoding", "upgrade"}

func (b *builder) header(it *item, seen map[string]*item) bool {
	lower := strings.ToLower(it.name)
	first, again := seen[lower]
	seen[lower] = it
	bad := func(message, allowed string) bool {
		b.add(Problem{Pos: it.keyPos(), Key: it.path(), Message: message, Allowed: allowed})
		return false
	}
	switch {
	case !isToken(it.name):
		return bad(quote(it.name)+" is no name of a header field", "wanted: letters, digits and -")
	case again:
		return bad("the field is there twice, first at "+first.keyPos().String(), "case makes no difference")
	case !isFieldValue(it.text):
		b.fault(it, quote(it.text)+" is no value of a header field", "wanted: one line, no spaces at either end", "")
		return false
	}
	for _, own := range ownFields {
		if own == lower {
			return bad("the field "+it.name+" is written by the server itself", "leave it away")
		}
	}
	return true
}

// isFieldValue is RFC 9110, section 5.5: visible characters, with spaces and
// tabs between them. Bytes above 0x7f are taken as they are.
func isFieldValue(s string) bool {
	for _, c := range []byte(s) {
		if c < 0x20 && c != '\t' || c == 0x7f {
			return false
		}
	}
	return strings.Trim(s, " \t") == s
}

func (b *builder) redirect(it *item, m *match) *Redirect {
	status, _ := strconv.Atoi(it.str("status")) // one of redirectStatuses
	r := &Redirect{Status: status}
	to := it.get("to")
	if to == nil || to.bad {
		return r
	}
	r.To = to.text
	switch {
	case to.text == "":
		b.fault(to, "the target is empty", `wanted: a path such as "/new/{*}", or a URL`, "")
	case strings.ContainsAny(to.text, " \"<>\\^`|"):
		b.fault(to, quote(to.text)+" has a character that a URL cannot have", "write it as %XX", "")
	case !strings.HasPrefix(to.text, "/") && !strings.Contains(to.text, "://") && !strings.HasPrefix(to.text, "{"):
		b.warn(to, quote(to.text)+" is relative to the path of the request", "a path begins with /, a URL with https://", "/"+to.text)
	}
	b.placeholders(to, m)
	return r
}

func (b *builder) files(it *item) *Files {
	f := &Files{Index: it.list("index"), CacheControl: it.str("cache_control")}
	if cc := it.get("cache_control"); cc != nil && !isFieldValue(cc.text) {
		b.fault(cc, quote(cc.text)+" is no value of a header field", "wanted: one line, no spaces at either end", "")
	}
	for _, name := range it.at("index").kids {
		if name.text == "" || name.text == "." || name.text == ".." || strings.Contains(name.text, "/") {
			b.fault(name, quote(name.text)+" is no file name", "wanted: a name without /, such as index.html", "")
		}
	}
	root := it.get("root")
	if root == nil || root.bad {
		return f
	}
	f.Root = root.text
	err, looked := b.dirs[f.Root]
	if !looked {
		err = b.sys.dir(f.Root)
		b.dirs[f.Root] = err
	}
	if err != nil {
		b.fault(root, "the folder "+f.Root+" cannot be served: "+reason(err),
			"wanted: a folder that is there and can be read; relative paths start at "+b.startOf(root), "")
	}
	return f
}

// startOf is the folder that relative paths of a value start at.
func (b *builder) startOf(it *item) string {
	if it.from == nil {
		return b.dir
	}
	return it.from.dir
}

// placeholders warns of {name} and {*} that stand for nothing in this match:
// they are literal text then, which is rarely what was meant.
func (b *builder) placeholders(it *item, m *match) {
	if m == nil || it.bad {
		return
	}
	var told []string
	for s := it.text; len(told) < 8; {
		open := strings.IndexByte(s, '{')
		if open < 0 {
			return
		}
		// "${name}" is of another language.
		foreign := open > 0 && s[open-1] == '$'
		s = s[open+1:]
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return
		}
		name := s[:end]
		switch {
		case foreign || slices.Contains(told, name):
			continue
		case name == "*" && !m.rest:
			b.warn(it, "{*} stands for nothing here: the match does not end in /*", "it stays as it is", "")
		case isParamName(name) && !slices.Contains(m.params, name):
			b.warn(it, "{"+name+"} is no parameter of the match and stays as it is", m.paramList(), nearest(name, m.params))
		default:
			continue
		}
		told = append(told, name)
	}
}

func (m *match) paramList() string {
	if len(m.params) == 0 {
		return "the match has no parameters"
	}
	return "parameters: " + strings.Join(m.params, ", ")
}
