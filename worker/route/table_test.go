package route_test

import (
	"fmt"
	"strings"
	"testing"

	"srvctl/worker/route"
	"srvctl/worker/serve"
	"srvctl/worker/serve/servetest"
)

// told answers with what the router told the handler.
var told = serve.HandlerFunc(func(x *serve.Exchange) {
	b := fmt.Appendf(x.Scratch, "%d/%d", x.Site, x.Route)
	for _, p := range x.Req.Params() {
		b = fmt.Appendf(b, " %s=%s", p.Name, x.Req.Path[p.Off:p.Off+p.Len])
	}
	if x.Req.Rest >= 0 {
		b = fmt.Appendf(b, " *=%s", x.Req.Wildcard())
	}
	x.Scratch = b
	x.Bytes(b)
})

// routes makes routes from "/pattern" or "GET,POST /pattern".
func routes(texts ...string) []route.Route {
	var rs []route.Route
	for _, text := range texts {
		r := route.Route{Pattern: text, Handler: told}
		if methods, pattern, ok := strings.Cut(text, " "); ok && text[0] != '/' {
			r.Methods, r.Pattern = strings.Split(methods, ","), pattern
		}
		rs = append(rs, r)
	}
	return rs
}

func table(t testing.TB, listeners int, sites ...route.Site) *route.Table {
	t.Helper()
	tab, err := route.New(sites, listeners)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func do(h serve.Handler, request string) servetest.Response {
	var c servetest.Carrier
	if !strings.Contains(request, "\n") {
		request += " HTTP/1.1\nHost: a"
	}
	return c.Do(h, request+"\n")
}

func TestPaths(t *testing.T) {
	tab := table(t, 1, route.Site{Routes: routes(
		"/",                   // 0
		"/hello",              // 1
		"/users/{id}",         // 2
		"/users/new",          // 3
		"/users/{id}/edit",    // 4
		"/api/*",              // 5
		"/api/v1/{x}/*",       // 6
		"/dir/",               // 7
		"/{a}/{b}/end",        // 8
		"/x/*",                // 9
		"/{one}",              // 10
		"/a b/ü",              // 11
		"/users/{id}/posts/*", // 12
	)})
	for _, tt := range []struct{ path, want string }{
		{"/", "0/0"},
		{"/hello", "0/1"},
		{"/hello/", "404"},
		{"/hell", "0/10 one=hell"},
		{"/users/7", "0/2 id=7"},
		{"/users/7?q=/new", "0/2 id=7"},
		{"/users/", "404"},                  // an empty segment is no {id}
		{"/users", "0/10 one=users"},        // nothing ends at the literal
		{"/users/new", "0/3"},               // literal before {param}
		{"/users/new/edit", "0/4 id=new"},   // falls back to {id}
		{"/users/7/edit", "0/4 id=7"},       //
		{"/users/7/edit/", "404"},           //
		{"/users/a/end", "0/8 a=users b=a"}, // falls back two segments
		{"/users/7/posts", "0/12 id=7 *="},  // a prefix is also the path itself
		{"/users/7/posts/", "0/12 id=7 *="}, //
		{"/users/7/posts/1/2", "0/12 id=7 *=1/2"},
		{"/api", "0/5 *="},
		{"/api/", "0/5 *="},
		{"/api/a/b/", "0/5 *=a/b/"},
		{"/api/v1", "0/5 *=v1"},
		{"/api/v1/", "0/5 *=v1/"},
		{"/api/v1/7", "0/6 x=7 *="},
		{"/api/v1/7/r", "0/6 x=7 *=r"},
		{"/apix", "0/10 one=apix"},
		{"/dir/", "0/7"},
		{"/dir", "0/10 one=dir"},
		{"/x/y/end", "0/9 *=y/end"}, // the first segment decides
		{"/z/y/end", "0/8 a=z b=y"},
		{"/z/y/en", "404"},
		{"/a%20b/%C3%BC", "0/11"}, // matched decoded
		{"/users/%37", "0/2 id=7"},
		{"//hello", "0/1"},
		{"/x/../hello", "0/1"},
		{"/users/x/..", "404"},
		{"/../hello", "400"},
		{"/hello%2f", "400"},
		{"/hello%00", "400"},
	} {
		res := do(tab, "GET "+tt.path)
		got := res.Body
		if res.Status != 200 {
			got = fmt.Sprint(res.Status)
		}
		if got != tt.want {
			t.Errorf("GET %s: %q, want %q", tt.path, got, tt.want)
		}
		if res.Close != (tt.want == "400") {
			t.Errorf("GET %s: close %v", tt.path, res.Close)
		}
	}
}

func TestMethods(t *testing.T) {
	tab := table(t, 1, route.Site{Routes: routes(
		"GET /a",           // 0
		"POST,PURGE /a",    // 1
		"/b",               // 2
		"PUT /b",           // 3
		"HEAD /h",          // 4
		"GET /h",           // 5
		"POST /users/{id}", // 6
		"GET /users/*",     // 7
		"DELETE /only",     // 8
		"OPTIONS /o",       // 9
		"REPORT,GET /{x}",  // 10
	)})
	for _, tt := range []struct{ request, want, allow string }{
		{"GET /a", "0/0", ""},
		{"HEAD /a", "0/0", ""}, // by itself for GET
		{"POST /a", "0/1", ""},
		{"PURGE /a", "0/1", ""},
		{"purge /a", "405", "GET, HEAD, POST, OPTIONS, PURGE, REPORT"},
		{"PUT /a", "405", "GET, HEAD, POST, OPTIONS, PURGE, REPORT"},
		{"OPTIONS /a", "204", "GET, HEAD, POST, OPTIONS, PURGE, REPORT"},
		{"GET /b", "0/2", ""},
		{"HEAD /b", "0/2", ""},
		{"PUT /b", "0/3", ""}, // a method before any
		{"OPTIONS /b", "0/2", ""},
		{"BREW /b", "0/2", ""},
		{"HEAD /h", "0/4", ""}, // its own before that of GET
		{"GET /h", "0/5", ""},
		{"GET /users/7", "0/7 *=7", ""}, // the more specific has another method
		{"POST /users/7", "0/6 id=7", ""},
		{"PUT /users/7", "405", "GET, HEAD, POST, OPTIONS"},
		{"POST /users/7/8", "405", "GET, HEAD, OPTIONS"},
		{"GET /only", "0/10 x=only", ""},
		{"PUT /only", "405", "GET, HEAD, DELETE, OPTIONS, REPORT"},
		{"REPORT /only", "0/10 x=only", ""},
		{"OPTIONS /o", "0/9", ""},
		{"OPTIONS /o/p", "404", ""},
		{"OPTIONS *", "204", "GET, HEAD, POST, PUT, DELETE, PATCH, TRACE, OPTIONS, PURGE, REPORT"},
		{"DELETE /nothing/here", "404", ""},
	} {
		res := do(tab, tt.request)
		got := res.Body
		if res.Status != 200 {
			got = fmt.Sprint(res.Status)
		} else if strings.HasPrefix(tt.request, "HEAD") {
			got = tt.want // there is no body to look at
		}
		if got != tt.want || res.Field("Allow") != tt.allow {
			t.Errorf("%s: %q, Allow %q; want %q, %q", tt.request, got, res.Field("Allow"), tt.want, tt.allow)
		}
	}
}

func TestHeadGoesToItsRoute(t *testing.T) {
	var route int
	note := serve.HandlerFunc(func(x *serve.Exchange) { route = x.Route; x.Error(200) })
	rs := routes("GET /a", "HEAD /b", "GET /b", "/c", "GET /c")
	for i := range rs {
		rs[i].Handler = note
	}
	tab := table(t, 1, routeSite(rs))
	for path, want := range map[string]int{"/a": 0, "/b": 1, "/c": 4} {
		route = -1
		if do(tab, "HEAD "+path); route != want {
			t.Errorf("HEAD %s: route %d, want %d", path, route, want)
		}
	}
}

func routeSite(rs []route.Route) route.Site { return route.Site{Routes: rs} }

func TestHosts(t *testing.T) {
	any := routes("/")
	tab := table(t, 3,
		route.Site{Hosts: []string{"Example.com", "*.example.com"}, Routes: any, Listeners: []int{0, 1}},
		route.Site{Hosts: []string{"*.deep.example.com", "[::1]", "10.0.0.1"}, Routes: any, Listeners: []int{0}},
		route.Site{Routes: any, Listeners: []int{0}},
		route.Site{Hosts: []string{"example.com"}, Routes: any, Listeners: []int{2}},
	)
	long := strings.Repeat("a.", 127) + "a"
	for _, tt := range []struct {
		listener int
		host     string
		site     string
	}{
		{0, "example.com", "0/0"},
		{0, "EXAMPLE.Com", "0/0"},
		{0, "example.com:8080", "0/0"},
		{0, "example.com.", "0/0"},
		{0, "example.com.:80", "0/0"},
		{0, "a.example.com", "0/0"},
		{0, "a.b.example.com", "0/0"},
		{0, "deep.example.com", "0/0"},   // "*" stands for one byte at least
		{0, "a.DEEP.example.com", "1/0"}, // the longest
		{0, "a.b.deep.example.com", "1/0"},
		{0, "xexample.com", "2/0"},
		{0, ".example.com", "2/0"},
		{0, "com", "2/0"},
		{0, "", "2/0"},
		{0, "[::1]", "1/0"},
		{0, "[::1]:80", "1/0"},
		{0, "[::2]:80", "2/0"},
		{0, "10.0.0.1:9", "1/0"},
		{0, long, "2/0"},
		{0, long + ".example.com", "2/0"}, // too long for a name
		{1, "example.com", "0/0"},
		{1, "other.com", "404"}, // no default site there
		{2, "example.com", "3/0"},
		{2, "a.example.com", "404"},
	} {
		var c servetest.Carrier
		h := serve.HandlerFunc(func(x *serve.Exchange) { x.Req.Listener = tt.listener; tab.Serve(x) })
		res := c.Do(h, "GET / HTTP/1.1\nHost: "+tt.host+"\n")
		got := res.Body
		if res.Status != 200 {
			got = fmt.Sprint(res.Status)
		}
		if got != tt.site {
			t.Errorf("listener %d, host %q: %q, want %q", tt.listener, tt.host, got, tt.site)
		}
	}
}

func TestAbsoluteTargets(t *testing.T) {
	tab := table(t, 1, route.Site{Hosts: []string{"b"}, Routes: routes("/x")})
	if res := do(tab, "GET http://b/x HTTP/1.1\nHost: b"); res.Body != "0/0" {
		t.Errorf("got %d %q, want the site of the target's authority", res.Status, res.Body)
	}
}

func TestWhatCouldNeverBeReached(t *testing.T) {
	for _, tt := range []struct {
		name  string
		sites []route.Site
		want  string
	}{
		{"one path twice", []route.Site{{Routes: routes("/a", "/a")}}, `site 0, route 1: "/a": another route has this path and method already`},
		{"a method twice", []route.Site{{Routes: routes("GET /a", "POST,GET /a")}}, `site 0, route 1: "/a": GET: another route has this path and method already`},
		{"names alone make no difference", []route.Site{{Routes: routes("/{a}/*", "/{b}/*")}}, `site 0, route 1: "/{b}/*": another route has this path and method already`},
		{"a host twice", []route.Site{{Hosts: []string{"a"}}, {Hosts: []string{"A."}}}, `site 1, listener 0: host "A." belongs to site 0 already`},
		{"two default sites", []route.Site{{}, {}}, `site 1, listener 0: site 0 is the default site already`},
		{"a listener that is not there", []route.Site{{Listeners: []int{1}}}, `site 0: no listener 1`},
		{"a star in a host", []route.Site{{Hosts: []string{"a.*"}}}, `site 0, listener 0: host "a.*": not a name, and not *. and a name`},
		{"no slash", []route.Site{{Routes: routes("a")}}, `site 0, route 0: "a": a path begins with a slash`},
		{"a star inside", []route.Site{{Routes: routes("/*/a")}}, `site 0, route 0: "/*/a": segment "*": {name} and * are whole segments, * the last`},
		{"half a parameter", []route.Site{{Routes: routes("/a{b}")}}, `site 0, route 0: "/a{b}": segment "a{b}": {name} and * are whole segments, * the last`},
		{"an empty segment", []route.Site{{Routes: routes("/a//b")}}, `site 0, route 0: "/a//b": no request has a path with segment ""`},
		{"a dot segment", []route.Site{{Routes: routes("/a/../b")}}, `site 0, route 0: "/a/../b": no request has a path with segment ".."`},
		{"too many parameters", []route.Site{{Routes: routes(strings.Repeat("/{a}", 17))}}, `site 0, route 0: "` + strings.Repeat("/{a}", 17) + `": 17 parameters, at most 16 are possible`},
	} {
		if _, err := route.New(tt.sites, 1); err == nil || err.Error() != tt.want {
			t.Errorf("%s: error %v, want %s", tt.name, err, tt.want)
		}
	}
}
