package serve

import (
	"strings"

	"srvctl/proto/http1"
)

// Field is a response field as an operator writes it.
type Field struct{ Name, Value string }

// defaultType is the Content-Type of a body whose fields name none.
const defaultType = "text/plain; charset=utf-8"

// NewRespond returns a handler that answers every request, of any method, with
// a status, fields and a body of the operator's.
//
// In body and in the values of fields {name} stands for a parameter of the
// match and {*} for what its "*" matched, decoded as in Request.Path. In a body
// of a type of HTML, XML or JSON they are escaped for it; in a field value
// control characters become spaces. Without any of them the whole response is
// rendered once.
//
// Framing fields are left out: they are the carrier's. Content-Type is
// text/plain; charset=utf-8 unless fields give one.
func NewRespond(status int, fields []Field, body string) Handler {
	contentType := defaultType
	if status == 204 || status == 304 {
		body, contentType = "", ""
	}
	h := &respond{status: status}
	fixed := true
	for _, f := range fields {
		switch {
		case framing(f.Name):
			continue
		case strings.EqualFold(f.Name, "Content-Type"):
			contentType = f.Value
			continue
		}
		t := compile(f.Value, escapeNone)
		if t.fixed() {
			h.lines = http1.AppendField(h.lines, f.Name, f.Value)
			continue
		}
		fixed = false
		h.fields = append(h.fields, templateField{f.Name, t})
	}
	if contentType != "" {
		h.lines = http1.AppendField(h.lines, "Content-Type", contentType)
	}
	h.body = compile(body, escapeFor(contentType))
	if fixed && h.body.fixed() {
		return fixedResponse{NewReady(status, h.lines, []byte(body))}
	}
	return h
}

// framing reports whether the field of that name belongs to the carrier.
func framing(name string) bool {
	switch strings.ToLower(name) {
	case "content-length", "transfer-encoding", "connection", "date":
		return true
	}
	return false
}

// fixedResponse answers with one and the same response.
type fixedResponse struct{ ready *Ready }

func (h fixedResponse) Serve(x *Exchange) { x.Send(h.ready) }

// respond answers with a response that depends on the match.
type respond struct {
	status int
	lines  []byte // of the fields without parameters
	fields []templateField
	body   template
}

type templateField struct {
	name  string
	value template
}

func (h *respond) Serve(x *Exchange) {
	x.SetStatus(h.status)
	x.AddFieldLines(h.lines)
	for i := range h.fields {
		f := &h.fields[i]
		x.Scratch = f.value.append(x.Scratch[:0], &x.Req)
		x.AddFieldBytes(f.name, x.Scratch)
	}
	x.Scratch = h.body.append(x.Scratch[:0], &x.Req)
	x.Bytes(x.Scratch)
}
