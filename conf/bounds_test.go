package conf_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"srvctl/conf"
)

// TestBounds: what is too much is refused in words and quickly.
func TestBounds(t *testing.T) {
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for _, tt := range []struct{ name, yaml, want string }{
		{"an alias bomb of routes", "sites:\n  - routes: &r\n" + many(2000, "      - {match: /%d, echo: {}}\n") +
			many(2000, "  - {hosts: [a%d], routes: *r}\n"), "more than 1500000 values"},
		{"an alias bomb of merges", "drain: &m0 {" + strings.TrimSuffix(many(50, "k%d: 1, "), ", ") + "}\n" +
			"heartbeat: &m1 {<<: [" + strings.Repeat("*m0, ", 200) + "]}\nadmin: &m2 {<<: [" + strings.Repeat("*m1, ", 200) + "]}\n" +
			"log: {<<: [" + strings.Repeat("*m2, ", 200) + "]}\n", "more than 1500000 values"},
		{"a merge of itself", "log: &l {<<: *l, level: info}\n", "merge keys more than 16 deep"},
		{"65 listeners", "listeners:\n" + many(65, "  l%d: {address: \":0\"}\n"), "65 entries; at most 64 are taken"},
		{"10001 sites", "sites:\n" + many(10001, "  - {hosts: [h%d]}\n"), "10001 entries; at most 10000 are taken"},
		{"a text without an end", "sites: [{routes: [{match: /, respond: {body: \"" + strings.Repeat("x", 1<<20+1) + "\"}}]}]\n", "at most 1MiB are taken"},
		{"a long name", "user: " + strings.Repeat("x", 5000) + "\n", "at most 4KiB are taken"},
		{"deep flow", strings.Repeat("[", 20000), "not valid YAML"},
		{"deep nesting", "a: " + strings.Repeat("{a: ", 5000) + "1" + strings.Repeat("}", 5000), "unknown key"},
		{"a large file", "# " + strings.Repeat("x", 16<<20), "it has more than 16MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if testing.Short() && tt.name == "an alias bomb of routes" {
				t.Skip("takes seconds under the race detector; `make test` runs it without")
			}
			problems := problemsOf(t, tt.yaml)
			if !problems.Failed() || !strings.Contains(problems.Error(), tt.want) {
				t.Errorf("got %.500v, want %q", problems, tt.want)
			}
		})
	}
}

// TestManyProblems: the list has an end, and says how much is behind it.
func TestManyProblems(t *testing.T) {
	problems := problemsOf(t, "sites: [{routes: ["+strings.Repeat("{match: x, echo: {}}, ", 5000)+"]}]\n")
	if len(problems) != 1001 {
		t.Fatalf("got %d problems, want 1000 and a last line", len(problems))
	}
	if last := problems[1000].Error(); last != "4000 further problems are not shown" {
		t.Errorf("the last line is %q", last)
	}
}

// TestErrorsAreNotHiddenByWarnings: the reason of a refusal is always told.
func TestErrorsAreNotHiddenByWarnings(t *testing.T) {
	problems := problemsOf(t, "sites: [{hosts: [a], routes: ["+routesWithWarnings(1500)+"]}, {hosts: [a]}]\n")
	if len(problems.Errors()) == 0 || !strings.Contains(problems.Errors().Error(), "belongs to sites[0]") {
		t.Errorf("the error is not among %d problems", len(problems))
	}
}

func routesWithWarnings(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{match: /%d, respond: {body: \"{x}\"}}, ", i)
	}
	return b.String()
}

func TestIncludeDepth(t *testing.T) {
	dir := t.TempDir()
	for i := range 12 {
		writeFile(t, filepath.Join(dir, fmt.Sprintf("%d.yaml", i)), fmt.Sprintf("include: [%d.yaml]\n", i+1))
	}
	_, problems := conf.LoadOn(testHost, conf.Options{File: "0.yaml", Dir: dir})
	if len(problems) != 1 || !strings.HasPrefix(problems.Error(), "8.yaml:1:10: include: files that include files, 9 deep") {
		t.Errorf("got %v", problems)
	}
}

// TestVariablesAreBounded: a short file cannot become a large one.
func TestVariablesAreBounded(t *testing.T) {
	dir := t.TempDir()
	big := "BIG=" + strings.Repeat("x", 100_000)
	writeFile(t, filepath.Join(dir, "one.yaml"), "sites: [{routes: [{match: /, respond: {body: \""+strings.Repeat("${BIG}", 50)+"\"}}]}]\n")
	writeFile(t, filepath.Join(dir, "all.yaml"), "sites: [{routes: ["+strings.Repeat("{match: /, respond: {body: \"${BIG}${BIG}\"}}, ", 200)+"]}]\n")
	for file, want := range map[string]string{"one.yaml": "give more than 1MiB", "all.yaml": "give more than 16MiB"} {
		_, problems := conf.LoadOn(testHost, conf.Options{File: file, Dir: dir, Environ: []string{big}})
		if !strings.Contains(problems.Error(), want) {
			t.Errorf("%s: got %.300v, want %q", file, problems, want)
		}
	}
}
