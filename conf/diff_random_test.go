package conf

// White box: it reads configurations that are in no file.

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestDiffOfRandomConfigurations: see FuzzDiff. These are small and take what
// is in them from small sets, so that sites and routes move, share names and
// turn into others.
func TestDiffOfRandomConfigurations(t *testing.T) {
	const seed = 42
	r := rand.New(rand.NewPCG(seed, 0))
	differ := 0
	var last *Config
	for i := range 4000 {
		text := randomConfig(r)
		l := newLoader(Options{}, fuzzSystem([]byte(text)))
		c := l.finish(l.readFile("srvctl.yaml", nil, 0), "", nil)
		if problems := l.sorted(); problems.Failed() {
			continue // two sites with one host
		}
		if last != nil {
			same, changes := Canonical(last) == Canonical(c), Diff(last, c)
			if same != (len(changes) == 0) {
				t.Fatalf("seed %d, number %d: encoded alike: %v; changes %v\n%s", seed, i, same, changes, text)
			}
			if !same {
				differ++
			}
		}
		last = c
	}
	if differ < 500 {
		t.Errorf("only %d differed", differ)
	}
}

func randomConfig(r *rand.Rand) string {
	some := func(from ...string) string {
		r.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
		return "[" + strings.Join(from[:r.IntN(len(from)+1)], ", ") + "]"
	}
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	var b strings.Builder
	names := [][]string{{"a"}, {"a", "b"}, {"b", "a"}}[r.IntN(3)]
	b.WriteString("listeners:\n")
	for i, name := range names {
		fmt.Fprintf(&b, "  %s: {address: %q%s}\n", name, one(":", "unix:/")+fmt.Sprint(i+1), one("", "", ", backlog: 5"))
	}
	b.WriteString("sites:\n")
	for range 1 + r.IntN(3) {
		fmt.Fprintf(&b, "  - {hosts: %s, listeners: %s%s, routes: [", some("h1", "h2", "h3"), some(names...), one("", ", access_log: {}"))
		for i, match := range []string{"/a", "GET /b", "/c/*"} {
			if r.IntN(2) == 0 {
				fmt.Fprintf(&b, "{match: %s, %s}%s", match, one("echo: {}", "health: {}",
					"respond: {headers: {A: x, B: y}}", "respond: {headers: {B: y, A: x}}"), []string{",", ",", ""}[i])
			}
		}
		b.WriteString("]}\n")
	}
	return b.String()
}
