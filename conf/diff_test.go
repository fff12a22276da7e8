package conf_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"srvctl/conf"
)

// TestDiff compares the configurations old.yaml and new.yaml of the archives in
// testdata/diff, as `srvctl config diff` does.
func TestDiff(t *testing.T) {
	eachArchive(t, "testdata/diff", func(t *testing.T, o conf.Options) string {
		old, updated := loadFile(t, o, "old.yaml"), loadFile(t, o, "new.yaml")
		changes := conf.Diff(decoded(t, old), updated)
		if diff := cmp.Diff(changes, conf.Diff(old, updated)); diff != "" {
			t.Errorf("a decoded configuration differs otherwise:\n%s", diff)
		}
		var b strings.Builder
		for _, c := range changes {
			b.WriteString(c.String() + "\n")
		}
		return b.String()
	})
}

func loadFile(t *testing.T, o conf.Options, name string) *conf.Config {
	t.Helper()
	o.File = name
	c, problems := conf.LoadOn(testHost, o)
	if problems.Failed() {
		t.Fatal(problems)
	}
	return c
}

func decoded(t *testing.T, c *conf.Config) *conf.Config {
	t.Helper()
	data, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := conf.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

// TestDiffIsEncode: two configurations differ for people if and only if they
// differ for a worker. All good configurations of the tests are compared with
// each other.
func TestDiffIsEncode(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "srvctl.yaml"), everything)
	configs := []*conf.Config{conf.Default(), loadFile(t, conf.Options{Dir: dir}, "srvctl.yaml")}
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		o, _ := unpack(t, archive)
		for _, f := range archive.Files {
			o.File = f.Name
			if strings.HasSuffix(f.Name, ".yaml") {
				if c, problems := conf.LoadOn(testHost, o); !problems.Failed() {
					configs = append(configs, c)
				}
			}
		}
	}
	if len(configs) < 15 {
		t.Fatalf("only %d configurations", len(configs))
	}
	for _, a := range configs {
		if changes := conf.Diff(decoded(t, a), a); len(changes) > 0 {
			t.Errorf("%s differs from itself: %v", a.File, changes)
		}
		for _, b := range configs {
			if same, changes := conf.Canonical(a) == conf.Canonical(b), conf.Diff(a, b); same != (len(changes) == 0) {
				t.Errorf("%s and %s are encoded alike: %v, and have %d changes: %v", a.File, b.File, same, len(changes), changes)
			}
		}
	}
}

// TestDiffBackwards: what one direction adds, the other one removes.
func TestDiffBackwards(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/diff/everything.txtar")
	if err != nil {
		t.Fatal(err)
	}
	o, _ := unpack(t, archive)
	old, updated := loadFile(t, o, "old.yaml"), loadFile(t, o, "new.yaml")
	lines := func(changes []conf.Change, turned bool) (all []string) {
		for _, c := range changes {
			if turned {
				c.Old, c.New = c.New, c.Old
			}
			// A site that has another first host is called otherwise in each direction.
			key := strings.Replace(c.Key, "sites[www.example]", "sites[named.example]", 1)
			all = append(all, key+" "+c.Old+" "+c.New)
		}
		slices.Sort(all)
		return all
	}
	if diff := cmp.Diff(lines(conf.Diff(old, updated), false), lines(conf.Diff(updated, old), true)); diff != "" {
		t.Errorf("(-there +back)\n%s", diff)
	}
}

// TestLongChanges: a line stays a line, and shows where the values differ.
func TestLongChanges(t *testing.T) {
	long := strings.Repeat("ü", 500)
	for _, tt := range []struct{ old, updated, want string }{
		{long + "a" + long, long + "b" + long, "..."},
		{long, "", "removed"},
		{"", long, "added"},
		{long, long + "x", "x"},
		{"short", long, "short -> ü"},
	} {
		s := conf.Change{Key: "k", Old: tt.old, New: tt.updated}.String()
		if len(s) > 200 || !strings.Contains(s, tt.want) || strings.ContainsRune(s, '\uFFFD') {
			t.Errorf("Change{%.10q..., %.10q...} is %q", tt.old, tt.updated, s)
		}
		if before, after, found := strings.Cut(strings.TrimPrefix(s, "k: "), " -> "); found && before == after {
			t.Errorf("%q does not say what is different", s)
		}
	}
}

func TestChangeJSON(t *testing.T) {
	raw, err := json.Marshal([]conf.Change{
		{Key: "workers", Old: "2", New: "4", Pos: conf.Pos{File: "srvctl.yaml", Line: 1, Col: 10}},
		{Key: "pid_file", Old: `""`, New: "/x", Restart: true},
		{Key: "sites[a]", Old: "{}"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"key":"workers","old":"2","new":"4","file":"srvctl.yaml","line":1,"column":10,"restart":false},` +
		`{"key":"pid_file","old":"\"\"","new":"/x","restart":true},{"key":"sites[a]","old":"{}","restart":false}]`
	if !bytes.Equal(raw, []byte(want)) {
		t.Errorf("got  %s\nwant %s", raw, want)
	}
}
