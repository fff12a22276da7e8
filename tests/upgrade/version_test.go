package upgrade

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"srvctl/tests/harness"
	"srvctl/tests/harness/clone"
)

func TestMain(m *testing.M) { harness.Main(m) }

// versions returns the folder of all that were built. It is one for all runs of
// this package, which take turns: the lock ends with the process.
var versions = sync.OnceValues(func() (string, error) {
	dir, err := clone.Cache("bin", "upgrade")
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	unlockVersions, err = clone.Lock(ctx, filepath.Join(dir, "lock"))
	return dir, err
})

// unlockVersions is never called; it keeps the lock from being collected.
var unlockVersions func()

// build is one that is made when it is first needed.
type build struct {
	once sync.Once
	path string
	err  error
}

var (
	buildsMu sync.Mutex
	builds   = map[string]*build{}
)

// made returns what a go build makes of a package, once for the same arguments.
func made(t testing.TB, name string, env []string, args ...string) string {
	t.Helper()
	dir, err := versions()
	if err != nil {
		t.Fatal(err)
	}
	buildsMu.Lock()
	b := builds[name]
	if b == nil {
		b = &build{path: filepath.Join(dir, name)}
		builds[name] = b
	}
	buildsMu.Unlock()
	b.once.Do(func() {
		root, err := clone.Root()
		if err != nil {
			b.err = err
			return
		}
		cmd := exec.Command("go", append([]string{"build", "-o", b.path}, args...)...)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

// version returns a build of this version.
func version(t testing.TB, number string) string { return buildOf(t, number, "") }

// faulty returns one that fails as Server.Fault says.
func faulty(t testing.TB, number string) string { return buildOf(t, number, ",faults") }

func buildOf(t testing.TB, number, tags string) string {
	t.Helper()
	return made(t, number+tags, []string{"CGO_ENABLED=0"}, "-trimpath", "-buildvcs=false",
		"-tags", "urfave_cli_no_docs,urfave_cli_no_suggest"+tags, "-ldflags", "-s -w -X main.version="+number, "./master/srvctl")
}

// pathOf is the path that a server is started from, and finds the next program
// at.
func pathOf(s *harness.Server) string { return filepath.Join(s.Dir, "srvctl") }

// install puts a program there, in one step.
func install(t testing.TB, s *harness.Server, program string) {
	t.Helper()
	path := pathOf(s)
	raw, err := os.ReadFile(program)
	if err == nil {
		// A child that another test forks now would have the file open for
		// writing, and nobody could execute it.
		syscall.ForkLock.RLock()
		err = os.WriteFile(path+".new", raw, 0o755)
		syscall.ForkLock.RUnlock()
	}
	if info, statErr := os.Stat(path); err == nil && statErr == nil && info.IsDir() {
		err = os.Remove(path)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		t.Fatal(err)
	}
}
