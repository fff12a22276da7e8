package static_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/worker/serve"
	"srvctl/worker/serve/servetest"
	"srvctl/worker/static"
)

// pooled is a handler all of whose look-ups go to the pool, which holds them.
func pooled(t *testing.T, o static.Options) (*servetest.Carrier, *static.Handler) {
	h := newHandler(t, o)
	h.Use(static.Modes["beneath"])
	return &servetest.Carrier{Hold: true}, h
}

func TestOneLookUpForAllWhoAsk(t *testing.T) {
	root := makefs(t, "f=content", "g", "dir/")
	for _, size := range []int64{64 << 10, -1} {
		c, handler := pooled(t, static.Options{Root: root, Cache: static.NewCache(static.CacheOptions{FileSize: size})})
		h := beneath("/", handler)
		requests := []struct {
			head   string
			status int
			body   string
		}{
			{req("GET /f"), 200, "content"},
			{req("GET /f"), 200, "content"},
			{req("HEAD /f"), 200, ""},
			{req("GET /f", "Range: bytes=1-3"), 206, "ont"},
			{req("GET /f", "If-None-Match: *"), 304, ""},
			{req("GET /g"), 200, "g"},
			{req("GET /none"), 404, ""},
			{req("GET /none"), 404, ""},
			{req("GET /dir?q"), 301, ""},
			{req("GET /dir"), 301, ""},
		}
		var runs []*servetest.Run
		for _, r := range requests {
			runs = append(runs, c.Start(h, r.head))
		}
		gone := c.Start(h, req("GET /f"))
		gone.Leave()
		for _, r := range runs {
			if r.Answered() {
				t.Fatal("answered before the pool ran")
			}
		}
		if c.Held() != 4 {
			t.Errorf("%d look-ups, want 4", c.Held())
		}
		c.RunPool()
		gone.End()
		for i, r := range runs {
			r.End()
			res := r.Response()
			if res.Status >= 300 {
				res.Body = ""
			}
			if res.Status != requests[i].status || res.Body != requests[i].body {
				t.Errorf("%q: got %d %q, want %d %q", requests[i].head, res.Status, res.Body, requests[i].status, requests[i].body)
			}
		}
		if size < 0 {
			if n := descriptors(t, root); n != 2 {
				t.Errorf("%d files open, want the 2 of the cache", n)
			}
		}
	}
}

func TestTheFirstWhoAsksLeaves(t *testing.T) {
	root := makefs(t, "f=content")
	c, handler := pooled(t, static.Options{Root: root, Cache: static.NewCache(static.CacheOptions{FileSize: -1, OpenFiles: -1})})
	h := beneath("/", handler)
	first := c.Start(h, req("GET /f"))
	second := c.Start(h, req("GET /f"))
	first.Leave()
	c.RunPool()
	second.End()
	if res := second.Response(); res.Body != "content" {
		t.Errorf("the second got %d %q", res.Status, res.Body)
	}
	if n := descriptors(t, root); n != 0 {
		t.Errorf("%d files open, want 0", n)
	}
}

func TestPoolIsFull(t *testing.T) {
	root := makefs(t, "f=content")
	c, handler := pooled(t, static.Options{Root: root})
	h := beneath("/", handler)
	c.Full = true
	if res := c.Do(h, req("GET /f")); res.Status != 503 || res.Field("Retry-After") != "1" {
		t.Errorf("got %d, Retry-After %q; want 503, 1", res.Status, res.Field("Retry-After"))
	}
	c.Full = false
	if res := c.Do(h, req("GET /f")); res.Body != "content" {
		t.Errorf("when it is not any more: %d %q", res.Status, res.Body)
	}
}

// The root is replaced while a look-up in it is under way.
func TestRootReplacedMeanwhile(t *testing.T) {
	one, two := makefs(t, "f=one", "g=one"), makefs(t, "f=two", "g=two")
	link := filepath.Join(t.TempDir(), "current")
	must(t, os.Symlink(one, link))
	c, handler := pooled(t, static.Options{Root: link})
	h := beneath("/", handler)
	first := c.Start(h, req("GET /f"))
	must(t, os.Remove(link))
	must(t, os.Symlink(two, link))
	second := c.Start(h, req("GET /g"))
	c.RunPool()
	first.End()
	second.End()
	if a, b := first.Response().Body, second.Response().Body; a != "two" || b != "two" {
		t.Errorf("got %q and %q, want two", a, b)
	}
}

// chill takes a file out of the page cache, if the file system lets it.
func chill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	must(t, f.Sync())
	must(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
	// A read that does not wait would make the kernel fetch it.
	var all unix.CachestatRange
	var st unix.Cachestat_t
	if err := unix.Cachestat(uint(f.Fd()), &all, &st, 0); err != nil || st.Cache > 0 {
		t.Skipf("it stays in memory: %d pages, %v", st.Cache, err)
	}
}

func TestColdContentIsReadOnThePool(t *testing.T) {
	for _, size := range []int64{64 << 10, -1} {
		content := strings.Repeat("0123456789abcdef", 3000)
		root := makefs(t, "f="+content)
		h := beneath("/", newHandler(t, static.Options{Root: root, Cache: static.NewCache(static.CacheOptions{FileSize: size})}))
		chill(t, filepath.Join(root, "f"))
		c := servetest.Carrier{Hold: true}
		r := c.Start(h, req("GET /f"))
		c.Turn()
		if c.Held() != 1 {
			t.Errorf("%d times at the pool, want once", c.Held())
		}
		c.RunPool()
		r.End()
		if res := r.Response(); res.Body != content || res.Cut {
			t.Errorf("got %d, %d bytes", res.Status, len(res.Body))
		}
		again := c.Start(h, req("GET /f"))
		again.ReadAll()
		again.End()
		if res := again.Response(); res.Body != content || c.Held() != 0 {
			t.Errorf("the second time: %d bytes, %d times at the pool", len(res.Body), c.Held())
		}
	}
}

func TestFileThatCannotTellWhatIsInMemory(t *testing.T) {
	root := makefs(t, "f="+strings.Repeat("x", 1<<20))
	fd, err := unix.Open(filepath.Join(root, "f"), unix.O_RDONLY, 0)
	must(t, err)
	f := static.NewFile(fd, 1<<20)
	defer f.Release()
	f.MakeBlind()
	if f.Resident(0, 1<<20) {
		t.Error("nothing was read yet, but it says that all is there")
	}
	f.Load(300_000, 300_000)
	for _, tt := range []struct {
		off, n int64
		want   bool
	}{{300_000, 300_000, true}, {300_000, 1, true}, {0, 300_000, false}, {500_000, 500_000, false}} {
		if got := f.Resident(tt.off, tt.n); got != tt.want {
			t.Errorf("%d bytes from %d on: %v, want %v", tt.n, tt.off, got, tt.want)
		}
	}
	f.Load(0, 1<<20)
	if !f.Resident(0, 1<<20) {
		t.Error("all was read, but it says that it is not there")
	}
	f.Forget()
	if f.Resident(300_000, 1) {
		t.Error("forgotten, but it says that it is there")
	}
}

func TestBrokenFileIsNotWaitedForTwice(t *testing.T) {
	r, w, err := os.Pipe() // pread fails
	must(t, err)
	defer w.Close()
	defer r.Close()
	fd, err := unix.Dup(int(r.Fd()))
	must(t, err)
	f := static.NewFile(fd, 1000)
	defer f.Release()
	if f.Resident(0, 1000) {
		t.Fatal("resident before anything was tried")
	}
	f.Load(0, 1000)
	if !f.Resident(0, 1000) {
		t.Error("not resident after reading failed; the carrier would try for ever")
	}
}

func TestFilesInMemoryNeedNoPool(t *testing.T) {
	root, err := os.MkdirTemp("/dev/shm", "static")
	if err != nil {
		t.Skip("NOT RUN: no file system in memory: ", err)
	}
	defer os.RemoveAll(root)
	put(t, root, "f=content")
	put(t, root, "big="+strings.Repeat("x", 1<<20))
	h := newHandler(t, static.Options{Root: root})
	c := servetest.Carrier{Full: true}
	for path, n := range map[string]int{"/f": 7, "/big": 1 << 20} {
		run := c.Start(beneath("/", h), req("GET "+path))
		run.ReadAll()
		run.End()
		if res := run.Response(); res.Status != 200 || len(res.Body) != n {
			t.Errorf("GET %s: %d, %d bytes, want %d", path, res.Status, len(res.Body), n)
		}
	}
}

var _ serve.File = (*static.File)(nil)
