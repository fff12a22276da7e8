package conf_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"srvctl/conf"
)

func manyRoutes(n int) string {
	var b strings.Builder
	b.WriteString("sites:\n  - hosts: [example.com]\n    routes:\n")
	for i := range n {
		fmt.Fprintf(&b, "      - {match: \"GET /r/%d/{id}\", respond: {status: 200, body: \"hello %d\"}}\n", i, i)
	}
	return b.String()
}

// TestManyRoutes: 100,000 routes are a matter of seconds. The goal is 2 s on
// an idle machine; the test is generous, because it also runs on busy ones and
// under the race detector, and only guards against a cost that grows with the
// square.
func TestManyRoutes(t *testing.T) {
	if testing.Short() {
		t.Skip("the time is not that of the product under the race detector; `make test` runs it without")
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "srvctl.yaml"), manyRoutes(100_000))
	start := time.Now()
	c, problems := conf.LoadOn(testHost, conf.Options{Dir: dir})
	took := time.Since(start)
	if len(problems) > 0 || len(c.Sites[0].Routes) != 100_000 {
		t.Fatalf("%d routes, %.300v", len(c.Sites[0].Routes), problems)
	}
	t.Logf("100,000 routes in %v", took)
	if took > 20*time.Second {
		t.Errorf("100,000 routes took %v", took)
	}
}

// TestDiffOfManyRoutes: as above, for what a reload tells of its changes.
func TestDiffOfManyRoutes(t *testing.T) {
	many := func(shift int) *conf.Config {
		c := &conf.Config{Sites: []conf.Site{{Name: "default"}}}
		for i := range 100_000 {
			c.Sites[0].Routes = append(c.Sites[0].Routes, conf.Route{Match: fmt.Sprintf("/r/%d", i+shift), Health: &conf.Health{Kind: "live"}})
		}
		return c
	}
	old, updated := many(0), many(1)
	start := time.Now()
	changes := conf.Diff(old, updated)
	took := time.Since(start)
	if len(changes) != 2 {
		t.Errorf("%d changes, want one route that was added and one that was removed", len(changes))
	}
	t.Logf("100,000 routes in %v", took)
	if took > 20*time.Second {
		t.Errorf("100,000 routes took %v", took)
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			dir := b.TempDir()
			text := manyRoutes(n)
			writeFile(b, filepath.Join(dir, "srvctl.yaml"), text)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, problems := conf.LoadOn(testHost, conf.Options{Dir: dir}); len(problems) > 0 {
					b.Fatal(problems)
				}
			}
		})
	}
}
