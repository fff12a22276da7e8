package arch

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// naming is one place of the sources that names a function: calling it, passing
// it on and deferring it are all the same here.
type naming struct {
	pkg, file string // in the module
	test      bool
	pos       token.Position
	function  string // as the policy writes it
}

// checkCalls returns a sentence per violation of the rules of calls.
func checkCalls(rules []rule, named []naming) (complaints []string) {
	for _, n := range named {
		for _, r := range rules {
			if !anyMatches(r.names, n.function) {
				continue
			}
			switch {
			case r.kind == "no-call" && matches(r.subject, n.pkg) && (!n.test || n.function == "time.Sleep"):
				complaints = append(complaints, fmt.Sprintf("%s: %s: not in %s", n.pos, n.function, n.pkg))
			case r.kind == "call-in" && n.file != r.subject && !n.test && !strings.HasPrefix(n.pkg, "tests/"):
				complaints = append(complaints, fmt.Sprintf("%s: %s: only in %s", n.pos, n.function, r.subject))
			}
		}
	}
	return complaints
}

func TestCalls(t *testing.T) {
	all := packages(t, compiled)
	exports := map[string]string{}
	for _, p := range all {
		exports[p.ImportPath] = p.Export
	}
	fset := token.NewFileSet()
	imp := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})
	var named []naming
	for _, p := range all {
		if name, ours := local(p.ImportPath); ours {
			named = append(named, typedNamings(t, fset, imp, p, name)...)
			named = append(named, testNamings(t, fset, p, name)...)
		}
	}
	if len(named) < 1000 {
		t.Fatalf("only %d functions are named in the whole module: the sources were not read", len(named))
	}
	for _, complaint := range checkCalls(rules(t), named) {
		t.Error(complaint)
	}
}

// typedNamings finds the functions a package's own files name, whatever they
// call the packages they import.
func typedNamings(t *testing.T, fset *token.FileSet, imp types.Importer, p listed, name string) (named []naming) {
	t.Helper()
	files := parseFiles(t, fset, p.Dir, p.GoFiles)
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: imp}
	if _, err := conf.Check(p.ImportPath, fset, files, &info); err != nil {
		t.Fatal(err)
	}
	for ident, object := range info.Uses {
		f, ok := object.(*types.Func)
		if !ok || f.Pkg() == nil {
			continue
		}
		pos := fset.Position(ident.Pos())
		named = append(named, naming{pkg: name, file: name + "/" + filepath.Base(pos.Filename), pos: pos, function: f.FullName()})
	}
	return named
}

// testNamings finds selectors like time.Sleep in test files, by their spelling:
// these have no export data to be checked with. In a synctest bubble time is
// virtual and a sleep costs nothing, so what is in there is left out.
func testNamings(t *testing.T, fset *token.FileSet, p listed, name string) (named []naming) {
	t.Helper()
	for _, f := range parseFiles(t, fset, p.Dir, append(p.TestGoFiles, p.XTestGoFiles...)) {
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && types.ExprString(call.Fun) == "synctest.Test" {
				return false
			}
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok {
					pos := fset.Position(sel.Pos())
					named = append(named, naming{pkg: name, test: true, pos: pos, function: x.Name + "." + sel.Sel.Name})
				}
			}
			return true
		})
	}
	return named
}

func parseFiles(t *testing.T, fset *token.FileSet, dir string, names []string) []*ast.File {
	t.Helper()
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// The rules of calls are broken here, with the real type checker between.
func TestCallRulesComplain(t *testing.T) {
	const source = `package x
import clock "time"
import "os"
var later = clock.Now
func f(p *os.Process) { p.Wait() }
`
	fset := token.NewFileSet()
	const testSource = `package x
func TestSlow(t *testing.T) { time.Sleep(1); time.Now() }
func TestVirtual(t *testing.T) { synctest.Test(t, func(t *testing.T) { time.Sleep(1) }) }
`
	dir := t.TempDir()
	for name, text := range map[string]string{"x.go": source, "x_test.go": testSource} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	exports := map[string]string{}
	for _, p := range packages(t, compiled) {
		exports[p.ImportPath] = p.Export
	}
	imp := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	x := listed{ImportPath: "srvctl/x", Dir: dir, GoFiles: []string{"x.go"}, TestGoFiles: []string{"x_test.go"}}
	named := append(typedNamings(t, fset, imp, x, "x"), testNamings(t, fset, x, "x")...)

	rules, err := parsePolicy("no-call x: time.Now time.Sleep\ncall-in y/y.go: (*os.Process).Wait\n")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(checkCalls(rules, named), "\n")
	for _, want := range []string{"x.go:4:19: time.Now: not in x", "x.go:5:27: (*os.Process).Wait: only in y/y.go", "x_test.go:2:31: time.Sleep: not in x"} {
		if !strings.Contains(got, want) {
			t.Errorf("complaints:\n%s\nwant %q among them", got, want)
		}
	}
	if n := strings.Count(got, "\n") + 1; n != 3 {
		t.Errorf("%d complaints, want 3:\n%s", n, got)
	}
}
