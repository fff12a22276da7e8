package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// listed is what "go list" says of a package.
type listed struct {
	ImportPath, Dir, Export string
	Imports                 []string
	GoFiles                 []string
	TestGoFiles             []string
	XTestGoFiles            []string
	Error                   *struct{ Err string }
}

// list asks the go command for the module and all it depends on; sources that
// do not compile are listed too.
var list = sync.OnceValues(func() ([]listed, error) { return goList() })

// compiled is list with export data, so that types can be looked up.
var compiled = sync.OnceValues(func() ([]listed, error) { return goList("-export") })

func goList(more ...string) ([]listed, error) {
	args := append([]string{"list", "-e", "-deps", "-json=ImportPath,Dir,Export,Imports,GoFiles,TestGoFiles,XTestGoFiles,Error"}, more...)
	cmd := exec.Command("go", append(args, module+"...")...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.Join(err, errors.New(complaints.String()))
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
}

func packages(t *testing.T, list func() ([]listed, error)) []listed {
	t.Helper()
	all, err := list()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if _, ours := local(p.ImportPath); ours && p.Error != nil {
			t.Fatalf("%s: %s", p.ImportPath, strings.TrimSpace(p.Error.Err))
		}
	}
	return all
}

func rules(t *testing.T) []rule {
	t.Helper()
	r, err := parsePolicy(policy)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestImports(t *testing.T) {
	graph := map[string]pkg{}
	for _, p := range packages(t, list) {
		graph[p.ImportPath] = pkg{path: p.ImportPath, imports: p.Imports}
	}
	for _, complaint := range checkImports(rules(t), graph) {
		t.Error(complaint)
	}
}
