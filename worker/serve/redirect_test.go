package serve_test

import (
	"strings"
	"testing"

	"srvctl/worker/serve"
)

func TestRedirect(t *testing.T) {
	for _, tt := range []struct {
		name, to, target string
		names            []string
		rest             int
		location         string
	}{
		{"a fixed place", "/new", "/old", nil, -1, "/new"},
		{"the query is kept", "/new", "/old?a=b&c", nil, -1, "/new?a=b&c"},
		{"an empty query is none", "/new", "/old?", nil, -1, "/new"},
		{"a query of its own wins", "/new?x=1", "/old?a=b", nil, -1, "/new?x=1"},
		{"the query goes before the fragment", "/new#top", "/old?a=b", nil, -1, "/new?a=b#top"},
		{"the wildcard", "/new/{*}", "/old/a/b?q", nil, 5, "/new/a/b?q"},
		{"an empty wildcard", "/new/{*}", "/old/", nil, 5, "/new/"},
		{"another host", "https://b.example/{*}", "/x/y", nil, 1, "https://b.example/x/y"},
		{"values are encoded again", "/n/{*}", "/a%20b%3Fc%23d%25e/%C3%A4+~", nil, 1, "/n/a%20b%3Fc%23d%25e/%C3%A4+~"},
		{"in a query the delimiters too", "/s?q={id}", "/a&b=c+d", []string{"id"}, -1, "/s?q=a%26b%3Dc%2Bd"},
		{"in a fragment the delimiters too", "/s#{id}", "/a%23b", []string{"id"}, -1, "/s#a%23b"},
		{"a value cannot add a field", "/n/{id}", "/a%0d%0aX:%20y", []string{"id"}, -1, "/n/a%0D%0AX:%20y"},
		{"a value cannot change the host", "https://{id}.example/", "/evil.com:80@x", []string{"id"}, -1, "https://evil.com%3A80%40x.example/"},
		{"a value cannot be a scheme", "{*}", "/javascript:x/y", nil, 1, "javascript%3Ax%2Fy"},
		{"an empty value does not make a host", "/{*}/{id}", "/evil.com", []string{"id"}, 9, "/evil.com"},
		{"a host of the operator's stays", "//cdn.example/{*}", "/x", nil, 1, "//cdn.example/x"},
		{"literals are made fit for a URI", "/ä b\"{x}%20", "/", nil, -1, "/%C3%A4%20b%22%7Bx%7D%20"},
	} {
		res := get(match(serve.NewRedirect(tt.to, 308), tt.rest, tt.names...), tt.target)
		if res.Status != 308 || res.Field("Location") != tt.location || !strings.Contains(res.Body, "<h1>308 Permanent Redirect") {
			t.Errorf("%s: got %d %q %q, want 308 %q", tt.name, res.Status, res.Field("Location"), res.Body, tt.location)
		}
		if got := res.Field("Content-Type"); got != "text/html; charset=utf-8" {
			t.Errorf("%s: Content-Type %q", tt.name, got)
		}
	}
}
