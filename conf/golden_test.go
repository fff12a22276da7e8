package conf_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"srvctl/conf"
)

var update = flag.Bool("update", false, "write the goldens anew")

var testHost = conf.Host{CPUs: 4, Root: true, Users: []string{"root", "web"}, Groups: []string{"root", "web"}}

// TestCheck reads the configurations in testdata/check and compares their
// problems. Each file is a txtar archive: a comment, srvctl.yaml and whatever
// else is needed, optionally "env" and "set" with a line each, and "want" with
// what the operator is told.
func TestCheck(t *testing.T) {
	eachArchive(t, "testdata/check", func(t *testing.T, o conf.Options) string {
		_, problems := conf.LoadOn(testHost, o)
		return problems.Error()
	})
}

func eachArchive(t *testing.T, dir string, run func(*testing.T, conf.Options) string) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no archives in %s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			o, want := unpack(t, archive)
			got := strings.ReplaceAll(run(t, o), o.Dir, "$DIR")
			if got != "" && !strings.HasSuffix(got, "\n") {
				got += "\n"
			}
			if *update {
				rewrite(t, file, archive, got)
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("differs from %s (-want +got; -update writes it anew):\n%s", file, diff)
			}
		})
	}
}

// unpack writes the files of an archive into a fresh folder.
func unpack(t *testing.T, a *txtar.Archive) (o conf.Options, want string) {
	o.Dir = t.TempDir()
	lines := func(data []byte) []string {
		return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	}
	for _, f := range a.Files {
		switch f.Name {
		case "want":
			want = string(f.Data)
		case "env":
			o.Environ = lines(f.Data)
		case "set":
			o.Set = lines(f.Data)
		case "srvctl.yaml":
			o.File = f.Name
			fallthrough
		default:
			writeFile(t, filepath.Join(o.Dir, f.Name), string(f.Data))
		}
	}
	return o, want
}

func rewrite(t *testing.T, file string, a *txtar.Archive, got string) {
	kept := a.Files[:0]
	for _, f := range a.Files {
		if f.Name != "want" {
			kept = append(kept, f)
		}
	}
	a.Files = append(kept, txtar.File{Name: "want", Data: []byte(got)})
	writeFile(t, file, string(txtar.Format(a)))
}

func writeFile(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
