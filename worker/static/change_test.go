package static_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"srvctl/worker/serve"
	"srvctl/worker/serve/servetest"
	"srvctl/worker/static"
)

// story is requests for one handler, with things happening between them.
type story struct {
	*testing.T
	name string
	root string
	c    servetest.Carrier
	h    serve.Handler
}

// expect asks for a path and compares the body, or the status when it is not
// 200.
func (s *story) expect(why, path, want string) {
	s.Helper()
	res := s.c.Do(s.h, req("GET "+path))
	got := res.Body
	if res.Status != 200 {
		got = strconv.Itoa(res.Status)
	}
	if got != want || res.Cut {
		s.Errorf("%s: %s: GET %s: %.40q, want %.40q", s.name, why, path, got, want)
	}
}

// later lets less than the time pass after which entries are looked at anew.
func (s *story) later() { s.c.Clock += int64(900 * time.Millisecond) }

// stale lets the rest of it pass.
func (s *story) stale() { s.c.Clock += int64(100 * time.Millisecond) }

// write replaces a file's content in place.
func (s *story) write(entry string) {
	name, content, _ := strings.Cut(entry, "=")
	must(s, os.WriteFile(filepath.Join(s.root, name), []byte(content), 0o644))
}

// tell runs a story for each way to open, with files in memory and open.
func tell(t *testing.T, index []string, files []string, run func(s *story)) {
	for mode, m := range static.Modes {
		for size, held := range map[int64]string{64 << 10: " in memory", -1: " open"} {
			s := &story{T: t, name: mode + held, root: makefs(t, files...)}
			h := newHandler(t, static.Options{Root: s.root, Index: index, Cache: static.NewCache(static.CacheOptions{FileSize: size})})
			h.Use(m)
			s.h = beneath("/", h)
			run(s)
		}
	}
}

func TestFileReplaced(t *testing.T) {
	tell(t, nil, []string{"f=one"}, func(s *story) {
		s.expect("at first", "/f", "one")
		must(t, os.Rename(filepath.Join(makefs(t, "g=two"), "g"), filepath.Join(s.root, "f")))
		s.later()
		s.expect("within the second", "/f", "one")
		s.stale()
		s.expect("after it", "/f", "two")
	})
}

func TestFileRewritten(t *testing.T) {
	tell(t, nil, []string{"f=one"}, func(s *story) {
		s.expect("at first", "/f", "one")
		s.write("f=two!")
		s.later()
		s.stale()
		s.expect("after a second", "/f", "two!")
		// At once again, of the same size: on some file systems the times do
		// not tell.
		s.write("f=TWO!")
		s.later()
		s.stale()
		s.expect("after another", "/f", "TWO!")
	})
}

func TestFileCutShort(t *testing.T) {
	tell(t, nil, []string{"f=" + strings.Repeat("x", 5000)}, func(s *story) {
		s.expect("at first", "/f", strings.Repeat("x", 5000))
		must(t, os.Truncate(filepath.Join(s.root, "f"), 10))
		s.later()
		s.stale()
		s.expect("after a second", "/f", strings.Repeat("x", 10))
	})
}

func TestFileComesAndGoes(t *testing.T) {
	tell(t, nil, []string{"other"}, func(s *story) {
		s.expect("not there yet", "/f", "404")
		put(t, s.root, "f=one")
		s.expect("there, at once", "/f", "one")
		must(t, os.Remove(filepath.Join(s.root, "f")))
		s.later()
		s.expect("within the second", "/f", "one")
		s.stale()
		s.expect("after it", "/f", "404")
		put(t, s.root, "f/g=two")
		s.expect("a folder now", "/f", "301")
		s.expect("with a file", "/f/g", "two")
	})
}

func TestIndexComesAndGoes(t *testing.T) {
	tell(t, []string{"a.html", "b.html"}, []string{"dir/b.html=b"}, func(s *story) {
		s.expect("the second name", "/dir/", "b")
		put(t, s.root, "dir/a.html=a")
		s.later()
		s.stale()
		s.expect("the first is there now", "/dir/", "a")
		must(t, os.Remove(filepath.Join(s.root, "dir/a.html")))
		must(t, os.Remove(filepath.Join(s.root, "dir/b.html")))
		s.later()
		s.stale()
		s.expect("none is", "/dir/", "403")
		must(t, os.Remove(filepath.Join(s.root, "dir")))
		s.expect("nor the folder", "/dir/", "404")
	})
}

func TestFileBecomesALinkOut(t *testing.T) {
	tell(t, nil, []string{"f=one"}, func(s *story) {
		s.expect("at first", "/f", "one")
		must(t, os.Remove(filepath.Join(s.root, "f")))
		must(t, os.Symlink("/etc/passwd", filepath.Join(s.root, "f")))
		s.later()
		s.stale()
		s.expect("after a second", "/f", "404")
	})
}

// Releases are often switched by a link that leads to the folder of one.
func TestRootLeadsElsewhere(t *testing.T) {
	for mode, m := range static.Modes {
		one, two := makefs(t, "f=one", "g=one"), makefs(t, "f=two")
		link := filepath.Join(t.TempDir(), "current")
		must(t, os.Symlink(one, link))
		h := newHandler(t, static.Options{Root: link})
		h.Use(m)
		s := &story{T: t, name: mode, h: beneath("/", h)}
		s.expect("at first", "/f", "one")
		must(t, os.Symlink(two, link+".new"))
		must(t, os.Rename(link+".new", link))
		s.later()
		s.expect("a file not asked for yet, within the second", "/g", "one")
		s.stale()
		s.expect("after it", "/f", "two")
		s.expect("the other, which was held for a shorter time", "/g", "404")
		must(t, os.Remove(link))
		s.later()
		s.stale()
		s.expect("without a root the old one goes on", "/f", "two")
		must(t, os.Symlink(one, link))
		s.later()
		s.stale()
		s.expect("and ends when there is one", "/f", "one")
	}
}

func TestFileCutShortWhileItIsSent(t *testing.T) {
	root := makefs(t, "f="+strings.Repeat("x", 1<<20))
	h := beneath("/", newHandler(t, static.Options{Root: root}))
	var c servetest.Carrier
	r := c.Start(h, req("GET /f"))
	must(t, os.Truncate(filepath.Join(root, "f"), 1000))
	c.Turn()
	r.End()
	if res := r.Response(); !res.Cut || len(res.Body) != 1000 {
		t.Errorf("got %d bytes, cut %v; want the 1000 that are left, and the connection cut", len(res.Body), res.Cut)
	}
}
