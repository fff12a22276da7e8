package serve

import (
	"strings"

	"srvctl/proto/http1"
)

const pageFields = "Content-Type: text/html; charset=utf-8\r\n"

// NewRedirect returns a handler that sends the client elsewhere: to is the
// Location, in which {name} and {*} stand for parameters of the match. Their
// values are percent-encoded again for the place they stand in: in the path
// the delimiters a path may hold stay, anywhere else, the host above all, they
// do not, so that no value can lead to another host than the operator wrote.
//
// The query of the request is kept: it is appended when to has none of its
// own. status is 301, 302, 303, 307 or 308; the body is its plain page.
func NewRedirect(to string, status int) Handler {
	to, fragment, _ := strings.Cut(to, "#")
	h := &redirect{
		page:     ErrorPage(status),
		to:       compileURI(to),
		fragment: compileURI(fragment),
		query:    !strings.Contains(to, "?"),
		rooted:   strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//"),
	}
	if fragment != "" {
		h.fragment = append(template{{text: "#"}}, h.fragment...)
		for i := range h.fragment {
			h.fragment[i].escape = escapeQuery
		}
	}
	if h.to.fixed() && h.fragment.fixed() {
		var r Request
		location := h.fragment.append(h.to.append(nil, &r), &r)
		lines := http1.AppendFieldBytes(nil, "Location", location)
		lines = append(lines, pageFields...)
		h.ready = NewReady(status, lines, h.page.Body())
	}
	return h
}

// compileURI compiles a URI reference. Literal bytes that a URI cannot hold
// are percent-encoded; an escape in it stays.
func compileURI(ref string) template {
	t := compile(ref, escapeQuery)
	path := pathStart(ref)
	query := strings.IndexByte(ref, '?')
	at := 0
	for i := range t {
		p := &t[i]
		if p.name != "" && at >= path && (query < 0 || at < query) {
			p.escape = escapePath
		}
		at += len(p.text)
		p.text = string(appendURI(nil, []byte(p.text), uriUnreserved|uriPath|uriOther))
	}
	return t
}

// pathStart returns where in ref the path surely begins: at its first slash,
// that of an authority not counted. What stands before could be read as a
// scheme or a host.
func pathStart(ref string) int {
	from := 0
	if i := strings.Index(ref, "//"); i >= 0 && !strings.ContainsAny(ref[:i], "/?{") {
		from = i + len("//")
	}
	if i := strings.IndexByte(ref[from:], '/'); i >= 0 {
		return from + i
	}
	return len(ref)
}

type redirect struct {
	page     *Ready
	ready    *Ready // the whole response, when no part of it depends on the match
	to       template
	fragment template
	query    bool // the request's query is appended
	rooted   bool // to begins with one slash, and so must every Location
}

func (h *redirect) Serve(x *Exchange) {
	var query []byte
	if h.query {
		query = x.Req.Query.Of(x.Req.Buf)
	}
	if h.ready != nil && len(query) == 0 {
		x.Send(h.ready)
		return
	}
	b := h.to.append(x.Scratch[:0], &x.Req)
	from := 0
	for h.rooted && len(b)-from > 1 && b[from+1] == '/' {
		from++ // an empty value must not make a path into "//host"
	}
	if len(query) > 0 {
		b = append(b, '?')
		b = append(b, query...)
	}
	x.Scratch = h.fragment.append(b, &x.Req)
	x.AddFieldBytes("Location", x.Scratch[from:])
	x.Send(h.page)
}
