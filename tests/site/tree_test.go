package site

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"srvctl/tests/harness"
)

const tree = `
workers: 2
listeners: {http: {address: "@http@"}}
sites:
  - routes: [{match: "/*", files: {root: "ROOT", index: []}}]
`

// nobody is a user that is not root and owns nothing.
const nobody = 65534

// TestTree serves a real tree of thousands of files. Each comes back as it is on
// the disk, by hash, twice: the second time from memory, if it is small.
func TestTree(t *testing.T) {
	t.Parallel()
	root, entries := realTree(t)
	t.Run("by workers of root", func(t *testing.T) {
		t.Parallel()
		if os.Geteuid() != 0 {
			harness.NotRun(t, "only root can start workers of another user")
		}
		serveTree(t, root, entries, harness.Options{})
	})
	t.Run("by a normal user", func(t *testing.T) {
		t.Parallel()
		var o harness.Options
		if os.Geteuid() == 0 {
			o.UID = nobody
		}
		serveTree(t, root, entries, o)
	})
}

// entry is a file, folder or link, and what a client must get for it.
type entry struct {
	path string // beneath the root
	code int    // 301 for a folder
	hash [sha256.Size]byte
	size int64
}

const (
	manyFiles = 1000 // what makes a tree a real one
	mostFiles = 6000 // without SOAK=1
)

// realTree returns a folder of thousands of files that others wrote.
func realTree(t *testing.T) (root string, entries []entry) {
	t.Helper()
	root = "/usr/share/doc"
	if entries = readTree(t, root); len(entries) >= manyFiles {
		return root, entries
	}
	out, err := exec.Command("go", "env", "GOROOT").Output()
	must(t, err)
	root = filepath.Join(strings.TrimSpace(string(out)), "src")
	if entries = readTree(t, root); len(entries) < manyFiles {
		harness.NotRun(t, "neither /usr/share/doc nor "+root+" has a thousand files")
	}
	return root, entries
}

// readTree finds out, by other means than the server's, what each path beneath
// root is for a user who is not root: os.Root follows links that stay beneath.
func readTree(t *testing.T, root string) (entries []entry) {
	t.Helper()
	beneath, err := os.OpenRoot(root)
	if err != nil {
		return nil
	}
	defer beneath.Close()
	closed := map[string]bool{} // folders that others may not enter
	err = fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		if len(entries) == mostFiles && !harness.Soak() {
			return fs.SkipAll
		}
		e := entry{path: path, code: 404}
		info, err := beneath.Stat(path)
		switch {
		case err != nil: // a link that leads out, or nowhere
		case closed[filepath.Dir(path)]:
			e.code = 403
			closed[path] = true
		case info.IsDir():
			e.code = 301
			closed[path] = info.Mode()&0o001 == 0
		case !info.Mode().IsRegular():
		case info.Mode()&0o004 == 0:
			e.code = 403
		default:
			e.code, e.size = 200, info.Size()
			if e.hash, err = hashFile(beneath, path); err != nil {
				return err
			}
		}
		entries = append(entries, e)
		return nil
	})
	must(t, err)
	return entries
}

func hashFile(root *os.Root, path string) (sum [sha256.Size]byte, err error) {
	f, err := root.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return [sha256.Size]byte(h.Sum(nil)), err
}

// serveTree serves the tree with these options and asks for everything in it,
// over several connections.
func serveTree(t *testing.T, root string, entries []entry, o harness.Options) {
	o.Config = strings.Replace(tree, "ROOT", root, 1)
	s := harness.Start(t, o)
	for range 2 {
		var wg sync.WaitGroup
		for part := range slices.Chunk(entries, len(entries)/4+1) {
			wg.Go(func() {
				if err := fetchTree(s.Addr("http"), part); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	codes := map[int]int{}
	for _, e := range entries {
		codes[e.code]++
	}
	t.Logf("%s: %d entries, by status %v", root, len(entries), codes)
}

// fetchTree asks for the entries over one connection.
func fetchTree(addr string, entries []entry) error {
	c, err := dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, e := range entries {
		a, err := c.ask("/" + (&url.URL{Path: e.path}).EscapedPath())
		if err != nil {
			return fmt.Errorf("%s: %w", e.path, err)
		}
		if a.code != e.code {
			return fmt.Errorf("%s: status %d, want %d", e.path, a.code, e.code)
		}
		if e.code == 200 && (int64(len(a.body)) != e.size || sha256.Sum256([]byte(a.body)) != e.hash) {
			return fmt.Errorf("%s: %d bytes that are not the file's %d", e.path, len(a.body), e.size)
		}
	}
	return nil
}
