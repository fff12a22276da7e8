package serve_test

import (
	"strings"
	"testing"

	"srvctl/worker/serve"
	"srvctl/worker/serve/servetest"
)

// match is a route that matched: its parameters lie in the path one behind the
// other, each a segment, and the wildcard begins at rest.
func match(h serve.Handler, rest int, names ...string) serve.Handler {
	return serve.HandlerFunc(func(x *serve.Exchange) {
		x.ResolvePath()
		x.Req.Rest = rest
		var ps []serve.Param
		off := 1
		for _, name := range names {
			n := strings.IndexByte(string(x.Req.Path[off:])+"/", '/')
			ps = append(ps, serve.Param{Name: name, Off: off, Len: n})
			off += n + 1
		}
		x.Req.SetParams(ps)
		h.Serve(x)
	})
}

func get(h serve.Handler, target string) servetest.Response {
	var c servetest.Carrier
	return c.Do(h, "GET "+target+" HTTP/1.1\nHost: a\n")
}

func TestRespond(t *testing.T) {
	html := []serve.Field{{Name: "content-type", Value: "text/html; charset=utf-8"}}
	json := []serve.Field{{Name: "Content-Type", Value: "application/problem+json"}}
	for _, tt := range []struct {
		name   string
		h      serve.Handler
		target string
		names  []string
		rest   int
		status int
		fields string
		body   string
	}{
		{"a fixed body", serve.NewRespond(200, nil, "Hello, World!\n"), "/", nil, -1,
			200, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 14\r\n", "Hello, World!\n"},
		{"fields of the operator's, one of them the type", serve.NewRespond(201, append(html, serve.Field{Name: "X-A", Value: "b"}), "x"), "/", nil, -1,
			201, "X-A: b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 1\r\n", "x"},
		{"framing fields are the carrier's", serve.NewRespond(200, []serve.Field{{Name: "content-length", Value: "7"}, {Name: "Connection", Value: "close"}}, ""), "/", nil, -1,
			200, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 0\r\n", ""},
		{"a status without a body", serve.NewRespond(204, nil, "ignored"), "/", nil, -1, 204, "", ""},
		{"a parameter", serve.NewRespond(200, nil, "user {id}\n"), "/7", []string{"id"}, -1,
			200, "Content-Type: text/plain; charset=utf-8\r\n", "user 7\n"},
		{"a parameter is decoded", serve.NewRespond(200, nil, "{id}"), "/a%20%3Cb%3E", []string{"id"}, -1,
			200, "Content-Type: text/plain; charset=utf-8\r\n", "a <b>"},
		{"several parameters and the wildcard", serve.NewRespond(200, nil, "{a}-{b}-{a}-{*}"), "/x/y/r/e/st", []string{"a", "b"}, 5,
			200, "Content-Type: text/plain; charset=utf-8\r\n", "x-y-x-r/e/st"},
		{"names of no parameter are literal", serve.NewRespond(200, nil, "{b} {} {a b} {*} {1} {a"), "/x", []string{"a"}, -1,
			200, "Content-Type: text/plain; charset=utf-8\r\n", "{b} {} {a b} {*} {1} {a"},
		{"an empty wildcard", serve.NewRespond(200, nil, "[{*}]"), "/", nil, 1,
			200, "Content-Type: text/plain; charset=utf-8\r\n", "[]"},
		{"a value in HTML is escaped", serve.NewRespond(200, html, "<p title=\"{id}\">"), "/%22%3E%3Cscript%3E&'", []string{"id"}, -1,
			200, "Content-Type: text/html; charset=utf-8\r\n", "<p title=\"&#34;&gt;&lt;script&gt;&amp;&#39;\">"},
		{"a value in JSON is escaped", serve.NewRespond(200, json, `{"id":"{id}"}`), "/%22,%0A%5d", []string{"id"}, -1,
			200, "Content-Type: application/problem+json\r\n", `{"id":"\",\u000A]"}`},
		{"a value in a field cannot add one", serve.NewRespond(200, []serve.Field{{Name: "X-Id", Value: "<{id}>"}}, ""), "/a%0D%0AEvil:%20b", []string{"id"}, -1,
			200, "Content-Type: text/plain; charset=utf-8\r\nX-Id: <a  Evil: b>\r\n", ""},
	} {
		res := get(match(tt.h, tt.rest, tt.names...), tt.target)
		if res.Status != tt.status || res.Fields != tt.fields || res.Body != tt.body {
			t.Errorf("%s: got %d\n%s%q\nwant %d\n%s%q", tt.name, res.Status, res.Fields, res.Body, tt.status, tt.fields, tt.body)
		}
	}
}

func TestRespondIsRenderedOnce(t *testing.T) {
	for body, kind := range map[string]serve.Kind{
		"plain":                      serve.FromReady,
		`{"message":"no parameter"}`: serve.FromReady,
		"{id}":                       serve.FromBytes,
	} {
		if got := get(serve.NewRespond(200, nil, body), "/"); got.Kind != kind {
			t.Errorf("body %q: kind %d, want %d", body, got.Kind, kind)
		}
	}
}

// reset makes an exchange unanswered again, for what is measured many times.
func reset(x *serve.Exchange) {
	x.Res = serve.Response{Status: 200, Fields: x.Res.Fields[:0]}
	x.Scratch = x.Scratch[:0]
}

func TestRespondAllocatesNothing(t *testing.T) {
	for name, h := range map[string]serve.Handler{
		"fixed":    serve.NewRespond(200, nil, "Hello"),
		"template": serve.NewRespond(200, []serve.Field{{Name: "X-Id", Value: "{id}"}}, "user {id} {*}"),
		"redirect": serve.NewRedirect("/new/{id}/{*}", 301),
		"health":   serve.NewHealth("ready", func() bool { return true }),
		"echo":     serve.NewEcho("request"),
	} {
		var x serve.Exchange
		servetest.Parse(&x, &servetest.Carrier{}, "GET /a%20b?q=1 HTTP/1.1\nHost: a\n")
		x.ResolvePath()
		x.Req.SetParams([]serve.Param{{Name: "id", Off: 1, Len: 3}})
		x.Req.Rest = 1
		if n := testing.AllocsPerRun(100, func() { reset(&x); h.Serve(&x) }); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
}

func TestResolvePathKeepsItsMemory(t *testing.T) {
	var x serve.Exchange
	servetest.Parse(&x, &servetest.Carrier{}, "GET /a%20b HTTP/1.1\nHost: a\n")
	if n := testing.AllocsPerRun(100, func() { x.ResolvePath() }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
	if got := string(x.Req.Path); got != "/a b" {
		t.Errorf("path %q, want /a b", got)
	}
}
