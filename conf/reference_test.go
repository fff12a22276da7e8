package conf

// White box: the annotated reference is compared with the table.

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"gopkg.in/yaml.v3"
)

// TestReferenceIsTheDefault: what srvctl.yaml writes is what holds without it.
func TestReferenceIsTheDefault(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile("srvctl.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "srvctl.yaml"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	got, problems := Load(Options{File: "srvctl.yaml", Dir: dir})
	if len(problems) > 0 {
		t.Fatalf("srvctl.yaml has problems:\n%v", problems)
	}
	want, problems := Load(Options{Dir: t.TempDir()})
	if len(problems) > 0 {
		t.Fatalf("the embedded default has problems:\n%v", problems)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Config{}), cmpopts.IgnoreTypes(Pos{}),
		cmpopts.IgnoreFields(Config{}, "File", "Files", "Watch", "Given")); diff != "" {
		t.Errorf("srvctl.yaml differs from the defaults (-default +file):\n%s", diff)
	}
	if written := len(got.root.kids); written < 15 {
		t.Errorf("srvctl.yaml writes only %d of the groups", written)
	}
}

// example is a line that becomes YAML without its #.
var example = regexp.MustCompile(`(?m)^( *)#([^# \n])`)

// TestReferenceIsComplete takes the # off all examples: then every key of the
// table is there, none that is not, and the examples have no other mistakes
// than keys that are not yet in this version.
func TestReferenceIsComplete(t *testing.T) {
	text, err := os.ReadFile("srvctl.yaml")
	if err != nil {
		t.Fatal(err)
	}
	full := example.ReplaceAllString(string(text), "$1$2")
	full = strings.Replace(full, "mime_types: {}\n", "", 1) // followed by its example
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(full), &doc); err != nil {
		t.Fatalf("srvctl.yaml with its examples: %v", err)
	}
	seen := make(map[*key]bool)
	mention(t, schema, doc.Content[0], seen)
	schema.walk(func(k *key) {
		if !seen[k] && k.name != "" {
			t.Errorf("%s is not in srvctl.yaml", k.path())
		}
	})

	dir := t.TempDir()
	for _, folder := range []string{"public", "sites"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	full = strings.ReplaceAll(full, "unix:/run/srvctl/web.sock", "unix:web.sock")
	if err := os.WriteFile(filepath.Join(dir, "srvctl.yaml"), []byte(full), 0o644); err != nil {
		t.Fatal(err)
	}
	_, problems := Load(Options{File: "srvctl.yaml", Dir: dir})
	for _, p := range problems.Errors() {
		if p.Message != "not yet in this version" {
			t.Errorf("an example is wrong: %v", p)
		}
	}
}

// TestReferenceMarksWhatIsLater: an example of a key that is not in this
// version says so on its line, or on that of the group it is in.
func TestReferenceMarksWhatIsLater(t *testing.T) {
	const mark = "not yet in this version"
	text, err := os.ReadFile("srvctl.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		for _, k := range schema.keys {
			if k.stage == later && strings.HasPrefix(line, "#"+k.name+":") && !strings.Contains(line, mark) {
				t.Errorf("%q does not say %q", line, mark)
			}
		}
	}
}

// mention notes the keys of the table that a node has.
func mention(t *testing.T, k *key, n *yaml.Node, seen map[*key]bool) {
	seen[k] = true
	switch {
	case n.Kind == yaml.SequenceNode && k.elem != nil:
		for _, c := range n.Content {
			mention(t, k.elem, c, seen)
		}
	case n.Kind == yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			c := k.elem
			if k.kind == section {
				c = k.child(n.Content[i].Value)
			}
			if c == nil {
				t.Errorf("srvctl.yaml:%d: there is no key %s in %s", n.Content[i].Line, n.Content[i].Value, k.path())
				continue
			}
			mention(t, c, n.Content[i+1], seen)
		}
	}
}
