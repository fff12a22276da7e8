package arch

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
)

// rule is one line of the policy.
type rule struct {
	kind    string // "" for what a package may import, else the first word
	subject string
	names   []string
	via     string // of not-reach
}

func parsePolicy(text string) ([]rule, error) {
	var rules []rule
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		if line == "" {
			continue
		}
		head, names, ok := strings.Cut(line, ":")
		words := strings.Fields(head)
		if !ok || len(words) == 0 || len(words) > 2 {
			return nil, fmt.Errorf("policy: cannot read %q", line)
		}
		r := rule{subject: words[len(words)-1], names: strings.Fields(names)}
		if len(words) == 2 {
			r.kind = words[0]
		}
		if i := slices.Index(r.names, "via"); i >= 0 && i+1 < len(r.names) {
			r.via, r.names = r.names[i+1], r.names[:i]
		}
		switch r.kind {
		case "", "only", "not", "not-reach", "no-call", "call-in":
		default:
			return nil, fmt.Errorf("policy: no kind of rule is called %q", r.kind)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// matches says whether a path is what the pattern names.
func matches(pattern, path string) bool {
	if stem, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == stem || strings.HasPrefix(path, stem+"/")
	}
	return pattern == path
}

func anyMatches(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, path) })
}

// pkg is a package as the rules see it.
type pkg struct {
	path    string // import path; those of this module without "srvctl/" in rules
	imports []string
}

const module = "srvctl/"

// local is the name of a package of this module in rules.
func local(path string) (string, bool) { return strings.CutPrefix(path, module) }

// checkImports returns a sentence per violation of the rules of imports.
func checkImports(rules []rule, pkgs map[string]pkg) (complaints []string) {
	for _, p := range pkgs {
		name, ours := local(p.path)
		if !ours {
			continue
		}
		may, known := allowance(rules, name)
		if !known {
			complaints = append(complaints, fmt.Sprintf("%s: the policy has no line for this package", name))
			continue
		}
		for _, imp := range p.imports {
			in := imp
			if l, ok := local(imp); ok {
				in = l
			}
			if !isStandard(imp) && !anyMatches(may, in) {
				complaints = append(complaints, fmt.Sprintf("%s imports %s: it may import only %v", name, in, may))
			}
			for _, r := range rules {
				switch {
				case r.kind == "only" && matches(r.subject, imp) && !anyMatches(r.names, name):
					complaints = append(complaints, fmt.Sprintf("%s imports %s: only %v may", name, imp, r.names))
				case r.kind == "not" && matches(r.subject, name) && anyMatches(r.names, imp):
					complaints = append(complaints, fmt.Sprintf("%s imports %s: it may not", name, imp))
				}
			}
		}
	}
	for _, r := range rules {
		if r.kind != "not-reach" {
			continue
		}
		for _, target := range r.names {
			if way := reach(pkgs, module+r.subject, target, r.via); way != nil {
				complaints = append(complaints, fmt.Sprintf("%s depends on %s: %s", r.subject, target, strings.Join(way, " -> ")))
			}
		}
	}
	slices.Sort(complaints)
	return complaints
}

// allowance finds the line of a package: its own, or the longest with "/...".
func allowance(rules []rule, name string) (may []string, known bool) {
	best := -1
	for _, r := range rules {
		if r.kind == "" && matches(r.subject, name) && len(r.subject) > best {
			best, may, known = len(r.subject), r.names, true
			if r.subject == name {
				return may, true
			}
		}
	}
	return may, known
}

// isStandard: packages of the standard library have no dot in their first
// element, and are not of this module.
func isStandard(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".") && first != path.Clean(module)
}

// reach finds a way from one package to another that avoids via, nil if there is
// none.
func reach(pkgs map[string]pkg, from, to, via string) []string {
	came := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if at == to {
			var way []string
			for ; at != ""; at = came[at] {
				way = append(way, at)
			}
			slices.Reverse(way)
			return way
		}
		for _, next := range pkgs[at].imports {
			if _, seen := came[next]; !seen && next != via {
				came[next] = at
				queue = append(queue, next)
			}
		}
	}
	return nil
}

// Every kind of rule is broken once.
func TestRulesComplain(t *testing.T) {
	rules, err := parsePolicy(`
a: b example.org/lib/...
b:
c/...: a b    # a comment
only net/http: a
not a: os
not-reach c: net/http via srvctl/a
`)
	if err != nil {
		t.Fatal(err)
	}
	graph := func(edges ...string) map[string]pkg {
		g := map[string]pkg{}
		for _, e := range edges {
			from, to, _ := strings.Cut(e, ">")
			g[from] = pkg{path: from, imports: strings.Fields(to)}
		}
		return g
	}
	for _, tc := range []struct {
		name  string
		graph map[string]pkg
		want  string // the one complaint; "" = none
	}{
		{"all well", graph("srvctl/a>srvctl/b example.org/lib/x fmt net/http", "srvctl/b>fmt", "srvctl/c/d>srvctl/a"), ""},
		{"own package", graph("srvctl/b>srvctl/a"), "b imports a: it may import only []"},
		{"foreign package", graph("srvctl/a>example.org/other"), "a imports example.org/other: it may import only [b example.org/lib/...]"},
		{"no line", graph("srvctl/z>fmt"), "z: the policy has no line for this package"},
		{"only", graph("srvctl/b>net/http"), "b imports net/http: only [a] may"},
		{"not", graph("srvctl/a>os"), "a imports os: it may not"},
		{"reach around", graph("srvctl/c>srvctl/b", "srvctl/b>x", "x>net/http"), "c depends on net/http: srvctl/c -> srvctl/b -> x -> net/http"},
		{"reach through", graph("srvctl/c>srvctl/a", "srvctl/a>net/http"), ""},
	} {
		got := strings.Join(checkImports(rules, tc.graph), "\n")
		if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
			t.Errorf("%s: complaints %q, want %q", tc.name, got, tc.want)
		}
	}
	for _, bad := range []string{"a b c: d", "nonsense a: b", "a"} {
		if _, err := parsePolicy(bad); err == nil {
			t.Errorf("parsePolicy(%q) accepts it", bad)
		}
	}
}
