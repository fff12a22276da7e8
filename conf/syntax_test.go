package conf_test

import (
	"path/filepath"
	"strings"
	"testing"

	"srvctl/conf"
)

// TestSyntax breaks YAML in the ways people do and looks at the place that is
// named. There is one message for each, whatever else is in the file.
func TestSyntax(t *testing.T) {
	for _, tt := range []struct{ name, yaml, want string }{
		{"a colon in a text", "a: b: c\n", "1:5: not valid YAML: a ':' that does not fit here"},
		{"a colon in a text further down", "workers: 1\nlog:\n  level: a: b\n", "3:11: not valid YAML: a ':' that does not fit here"},
		{"a key indented too far", "limits:\n  header_count: 1\n   header_bytes: 1\n", "3:16: not valid YAML: a ':' that does not fit here"},
		{"a list entry indented too little", "a:\n  - x\n - y\n", "3:2: not valid YAML: this does not fit"},
		{"a tab", "a: 1\nlog:\n\tlevel: info\n", "3:1: not valid YAML: a value cannot begin with this character"},
		{"a list without an end", "a: 1\nb: [1, 2\nc: 3\nd: 4\n", "2:9: not valid YAML: ',' or ']' is missing"},
		{"a list of several lines without an end", "a: [\n  1,\n  2\nb: 3\n", "3:4: not valid YAML: ',' or ']' is missing"},
		{"a group without an end", "a: 1\nr:\n  - {match: /x, echo: {}\n  - {match: /y}\nb: 1\n", "3:25: not valid YAML: ',' or '}' is missing"},
		{"a quote without an end", "a: 1\nb: \"x\nc: 2\n", "2:4: not valid YAML: a quote that is never closed"},
		{"text behind a quote", "a: 1\nb: 'it's'\nc: 2\n", "2:8: not valid YAML: this does not fit"},
		{"a bracket too many", "a: {x: 1}}\nb: 1\n", "1:10: not valid YAML: this does not fit"},
		{"no colon", "a: 1\nworkers 2\nb: 3\n", "2:1: not valid YAML: a key without ':'"},
		{"an @", "a: 1\nb: @x\n", "2:4: not valid YAML: a value cannot begin with this character"},
		{"an unknown anchor", "a: 1\nb: *x\n", "2:5: not valid YAML: unknown anchor 'x' referenced"},
		{"an unknown escape", "a: 1\nb: \"\\q\"\n", "2:5: not valid YAML: an unknown escape"},
		{"a control character", "a: 1\nb: \x01\n", "2:4: not valid YAML: a control character"},
		{"a byte that is not UTF-8", "a: 1\nb: \xff\n", "2:4: not valid YAML: a byte that is not UTF-8"},
		{"two documents", "workers: 1\n---\nworkers: 2\n", "2:1: a second YAML document begins here"},
		{"a broken second document", "workers: 1\n---\na: b: c\n", "3:5: not valid YAML: a ':' that does not fit here"},
		{"no mapping at all", "- a\n- b\n", "1:1: a list stands here; wanted: a group of keys"},
		{"a text only", "hello\n", "1:1: a text stands here; wanted: a group of keys"},
		{"a recursive alias", "sites: &s [*s]\n", "1:8: sites[0]: a list stands here"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			problems := problemsOf(t, tt.yaml)
			got := problems.Error()
			if !strings.HasPrefix(got, "srvctl.yaml:"+tt.want) {
				t.Errorf("got  %s\nwant srvctl.yaml:%s ...", got, tt.want)
			}
			if len(problems.Errors()) != 1 {
				t.Errorf("got %d messages, want one:\n%v", len(problems.Errors()), problems)
			}
		})
	}
}

// TestNothing: files without anything in them are a configuration like any.
func TestNothing(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "~\n", "\ufeff", "{}\n"} {
		if problems := problemsOf(t, text); len(problems) > 0 {
			t.Errorf("Load(%q) = %v, want no problems", text, problems)
		}
	}
}

func problemsOf(t *testing.T, yaml string) conf.Problems {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "srvctl.yaml"), yaml)
	_, problems := conf.LoadOn(testHost, conf.Options{File: "srvctl.yaml", Dir: dir})
	return problems
}

// load is for configurations that have to be right.
func load(t *testing.T, yaml string) *conf.Config {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "srvctl.yaml"), yaml)
	c, problems := conf.LoadOn(testHost, conf.Options{File: "srvctl.yaml", Dir: dir})
	if problems.Failed() {
		t.Fatalf("Load: %v", problems)
	}
	return c
}
