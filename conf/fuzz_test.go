package conf

// White box: the fuzzer must not reach out of its own folder.

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// fuzzSystem has one file and nothing else.
func fuzzSystem(data []byte) *system {
	none := func(op, path string) error { return &fs.PathError{Op: op, Path: path, Err: fs.ErrNotExist} }
	return &system{
		cwd: "/", cpus: 2, root: true,
		stat: func(path string) (fs.FileInfo, error) { return nil, none("stat", path) },
		read: func(path string, limit int) ([]byte, error) {
			if len(data) > limit {
				return nil, errors.New("too large")
			}
			return data, nil
		},
		glob:  func(string) ([]string, error) { return nil, nil },
		real:  func(path string) string { return path },
		dir:   func(string) error { return nil },
		user:  func(string) error { return nil },
		group: func(string) error { return nil },
	}
}

// seeds are the configurations of the tests.
func seeds(f *testing.F) (all [][]byte) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			if strings.HasSuffix(file.Name, ".yaml") {
				all = append(all, file.Data)
			}
		}
	}
	return all
}

// FuzzLoad: no file makes Load panic or take long; every problem has a
// message; what is accepted can be shown and handed to a worker.
func FuzzLoad(f *testing.F) {
	for _, data := range seeds(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		sys := fuzzSystem(data)
		l := newLoader(Options{Environ: []string{"A=1"}}, sys)
		c := l.finish(l.readFile("srvctl.yaml", nil, 0), "", nil)
		problems := l.sorted()
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%d bytes took %v", len(data), took)
		}
		for _, p := range problems {
			if p.Message == "" || strings.ContainsAny(p.Error(), "\n\x00") {
				t.Errorf("problem %q", p.Error())
			}
		}
		if problems.Failed() {
			return
		}
		encoded, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if changes := Diff(back, c); len(changes) > 0 {
			t.Errorf("decoded it differs: %v", changes)
		}
		var shown strings.Builder
		if err := c.Render(&shown); err != nil {
			t.Fatal(err)
		}
		again := newLoader(Options{}, fuzzSystem([]byte(shown.String())))
		again.finish(again.readFile("srvctl.yaml", nil, 0), "", nil)
		if problems := again.sorted(); problems.Failed() {
			t.Errorf("what is shown is refused: %v\n%s", problems, shown.String())
		}
	})
}

// FuzzDiff: two configurations differ for people if and only if they differ for
// a worker, in both directions.
func FuzzDiff(f *testing.F) {
	all := seeds(f)
	for i, data := range all {
		f.Add(data, all[(i+1)%len(all)])
		f.Add(data, append(append([]byte{}, data...), "  - {match: /added, echo: {}}\n"...))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var both [2]*Config
		for i, data := range [][]byte{a, b} {
			l := newLoader(Options{}, fuzzSystem(data))
			both[i] = l.finish(l.readFile("srvctl.yaml", nil, 0), "", nil)
			if l.sorted().Failed() {
				return
			}
		}
		there, back := Diff(both[0], both[1]), Diff(both[1], both[0])
		if same := Canonical(both[0]) == Canonical(both[1]); same != (len(there) == 0) || same != (len(back) == 0) {
			t.Errorf("encoded alike: %v; changes there %v, back %v", same, there, back)
		}
		for _, c := range there {
			if line := c.String(); c.Old == c.New || strings.ContainsAny(line, "\n\x00") {
				t.Errorf("change %q", line)
			}
		}
	})
}

// FuzzExpand: ${VAR} never panics, and texts without ${ stay as they are.
func FuzzExpand(f *testing.F) {
	for _, s := range []string{"", "${A}", "$${A}", "${A:-b}", "${", "$$$${A}}", "${A:-${B}}", "a$b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out, wrong := expand(s, func(name string) (string, bool) { return "value", name == "A" })
		if !strings.Contains(s, "${") && (out != s || wrong.message != "") {
			t.Errorf("expand(%q) = %q, %q", s, out, wrong.message)
		}
		if wrong.message != "" && out != "" {
			t.Errorf("expand(%q) = %q with a problem", s, out)
		}
	})
}

// FuzzMatch: what is accepted keeps the promises of match.
func FuzzMatch(f *testing.F) {
	for _, s := range []string{"/", "/*", "GET /a/{b}/*", "GET,HEAD /a", "/a//b", "/{a}/{a}", "*", "/{*}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, wrong := parseMatch(s)
		if wrong.message != "" {
			return
		}
		if m.pattern[0] != '/' || strings.HasSuffix(m.pattern, "/*") != m.rest || strings.Count(m.same, "{}") != len(m.params) {
			t.Errorf("parseMatch(%q) = %+v", s, m)
		}
	})
}
