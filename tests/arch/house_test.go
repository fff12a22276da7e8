package arch

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"srvctl/tests/harness/clone"
)

// topLevel is everything visible at the top, exactly.
var topLevel = []string{"Makefile", "README.md", "conf", "go.mod", "go.sum", "init", "master", "proto", "shared", "tests", "worker"}

const (
	maxFileLines     = 600
	maxFunctionLines = 120
	maxMainLines     = 40
)

// longOnes are the files and functions that may be longer, with the reason. It
// is best left empty.
var longOnes = map[string]string{}

// emptyNames say nothing of what a package is for.
var emptyNames = []string{"base", "common", "helper", "helpers", "misc", "shared", "types", "util", "utils"}

func root(t *testing.T) string {
	t.Helper()
	dir, err := clone.Root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir(root(t))
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			seen = append(seen, e.Name())
		}
	}
	for _, name := range seen {
		if !slices.Contains(topLevel, name) {
			t.Errorf("%s lies at the top level: what is made goes to .cache, the rest into %v", name, topLevel)
		}
	}
	for _, name := range topLevel {
		if !slices.Contains(seen, name) {
			t.Errorf("%s is not at the top level", name)
		}
	}
}

// ourFiles returns the Go files of the module's packages.
func ourFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, p := range packages(t, list) {
		if _, ours := local(p.ImportPath); ours {
			for _, name := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
				files = append(files, filepath.Join(p.Dir, name))
			}
		}
	}
	if len(files) < 50 {
		t.Fatalf("only %d Go files found", len(files))
	}
	return files
}

func TestSizes(t *testing.T) {
	top := root(t)
	for _, path := range ourFiles(t) {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, _ := filepath.Rel(top, path)
		for _, complaint := range checkSizes(name, source) {
			t.Error(complaint)
		}
	}
}

func checkSizes(name string, source []byte) (complaints []string) {
	complain := func(what string, lines, limit int) {
		if _, excused := longOnes[what]; lines > limit && !excused {
			complaints = append(complaints, fmt.Sprintf("%s has %d lines, at most %d", what, lines, limit))
		}
	}
	complain(name, bytes.Count(source, []byte("\n")), maxFileLines)
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, source, 0)
	if err != nil {
		return append(complaints, err.Error())
	}
	// main only wires; the tests' small tools are one file each.
	if f.Name.Name == "main" && filepath.Base(name) == "main.go" && !strings.HasPrefix(name, "tests/") {
		complain(name, bytes.Count(source, []byte("\n")), maxMainLines)
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			lines := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1
			complain(name+":"+fn.Name.Name, lines, maxFunctionLines)
		}
	}
	return complaints
}

func TestSizesComplain(t *testing.T) {
	long := "package x\n\nfunc f() {\n" + strings.Repeat("\n", maxFunctionLines) + "}\n"
	huge := "package x\n" + strings.Repeat("// \n", maxFileLines)
	for _, tc := range []struct{ name, source, want string }{
		{"x/x.go", long, "x/x.go:f has 122 lines, at most 120"},
		{"x/x.go", huge, "x/x.go has 601 lines, at most 600"},
		{"master/srvctl/main.go", strings.Replace(long, "package x", "package main", 1), "master/srvctl/main.go has 124 lines, at most 40"},
	} {
		if got := strings.Join(checkSizes(tc.name, []byte(tc.source)), "\n"); !strings.Contains(got, tc.want) {
			t.Errorf("checkSizes(%s) = %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestPackagesSayWhatTheyAreFor(t *testing.T) {
	for _, p := range packages(t, list) {
		name, ours := local(p.ImportPath)
		if !ours {
			continue
		}
		if slices.Contains(emptyNames, filepath.Base(name)) {
			t.Errorf("%s: a package's name says what it is for", name)
		}
		if err := checkDoc(p.Dir); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// checkDoc wants a doc.go with a package comment and nothing else, and no second
// package comment beside it.
func checkDoc(dir string) error {
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, "doc.go"), nil, parser.ParseComments)
	if err != nil {
		return fmt.Errorf("a doc.go with a package comment: %w", err)
	}
	text := f.Doc.Text()
	want := "Package " + f.Name.Name + " "
	if f.Name.Name == "main" {
		want = "Command "
	}
	if !strings.HasPrefix(text, want) {
		return fmt.Errorf("doc.go: the package comment begins with %q", want)
	}
	return nil
}

func TestDocComplains(t *testing.T) {
	dir := t.TempDir()
	for source, want := range map[string]string{
		"// Package x does it.\npackage x\n":           "",
		"// Command x does it.\npackage main\n":        "",
		"// It does it.\npackage x\n":                  `begins with "Package x "`,
		"// Package x is too far away.\n\npackage x\n": `begins with "Package x "`,
	} {
		if err := os.WriteFile(filepath.Join(dir, "doc.go"), []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := checkDoc(dir); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("checkDoc(%q) = %v, want %q", source, err, want)
		}
	}
	if err := checkDoc(t.TempDir()); err == nil {
		t.Error("checkDoc accepts a package without doc.go")
	}
}
