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

// FuzzLoad: no file makes Load panic or take long; every problem has a
// message; what is accepted can be shown and handed to a worker.
func FuzzLoad(f *testing.F) {
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
				f.Add(file.Data)
			}
		}
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
		if _, err := Decode(encoded); err != nil {
			t.Fatal(err)
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
