package route_test

import (
	"fmt"
	"testing"

	"srvctl/worker/route"
	"srvctl/worker/serve"
	"srvctl/worker/serve/servetest"
)

var silent = serve.HandlerFunc(func(*serve.Exchange) {})

// many makes n routes of four forms, and requests for some of them.
func many(t testing.TB, n int) (tab *route.Table, xs []*serve.Exchange) {
	var rs []route.Route
	for i := range n / 4 {
		for _, form := range []string{"/static/%d/page", "/users%d/{id}", "/files%d/*", "/api/v%d/{a}/x/{b}"} {
			rs = append(rs, route.Route{Pattern: fmt.Sprintf(form, i), Handler: silent})
		}
	}
	tab = table(t, 1, route.Site{Hosts: []string{"example.com"}, Routes: rs}, route.Site{})
	for i := range min(n/4, 1000) {
		i = i * 7919 % (n / 4)
		for _, form := range []string{"/static/%d/page", "/users%d/7", "/files%d/a/b/c", "/api/v%d/1/x/2"} {
			x := &serve.Exchange{}
			servetest.Parse(x, &servetest.Carrier{}, "GET "+fmt.Sprintf(form, i)+" HTTP/1.1\nHost: Example.com:8080\n")
			xs = append(xs, x)
		}
	}
	return tab, xs
}

func TestNothingIsAllocated(t *testing.T) {
	tab, xs := many(t, 100)
	refused := &serve.Exchange{}
	servetest.Parse(refused, &servetest.Carrier{}, "GET /nothing HTTP/1.1\nHost: b.Example.com.:8080\n")
	i := 0
	if n := testing.AllocsPerRun(400, func() {
		x := xs[i%len(xs)]
		i++
		tab.Serve(x)
		tab.Serve(refused)
		refused.Res = serve.Response{}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
	wrong := &serve.Exchange{}
	one := table(t, 1, route.Site{Routes: routes("POST /{a}", "PUT /*")})
	servetest.Parse(wrong, &servetest.Carrier{}, "GET /nothing HTTP/1.1\nHost: a\n")
	if n := testing.AllocsPerRun(100, func() {
		one.Serve(wrong)
		wrong.Res = serve.Response{Fields: wrong.Res.Fields[:0]}
	}); n != 0 {
		t.Errorf("of a method that is not allowed: %v allocations, want 0", n)
	}
}

func BenchmarkServe(b *testing.B) {
	for _, n := range []int{8, 1000, 100_000} {
		tab, xs := many(b, n)
		for form, name := range []string{"literal", "param", "prefix", "params"} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i += 4 {
					tab.Serve(xs[(i+form)%len(xs)])
				}
			})
		}
	}
}
