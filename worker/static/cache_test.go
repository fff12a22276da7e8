package static_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"srvctl/worker/serve"
	"srvctl/worker/serve/servetest"
	"srvctl/worker/static"
)

// descriptors is how many files lie beneath root and are open.
func descriptors(t testing.TB, root string) (n int) {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, e := range list {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(to, root+"/") {
			n++
		}
	}
	return n
}

func TestContentIsBounded(t *testing.T) {
	var files []string
	for i := range 100 {
		files = append(files, fmt.Sprintf("%02d=%s", i, strings.Repeat("x", 1000)))
	}
	rootA, rootB := makefs(t, files...), makefs(t, files...)
	cache := static.NewCache(static.CacheOptions{Bytes: 50_000})
	a := beneath("/", newHandler(t, static.Options{Root: rootA, Cache: cache}))
	b := beneath("/", newHandler(t, static.Options{Root: rootB, Cache: cache}))
	var c servetest.Carrier
	for i := range 100 {
		for _, h := range []serve.Handler{a, b} {
			c.Do(h, req("GET /00")) // always in use
			if res := c.Do(h, req(fmt.Sprintf("GET /%02d", i))); res.Status != 200 || len(res.Body) != 1000 {
				t.Fatalf("got %d, %d bytes", res.Status, len(res.Body))
			}
			if got := cache.Bytes(); got > 50_000 {
				t.Fatalf("%d bytes held, want at most 50,000", got)
			}
		}
	}
	if n, _ := cache.Held(); n < 20 || n > 30 {
		t.Errorf("%d files of 1,000 bytes held in 50,000, want the most of them used", n)
	}
	must(t, os.Remove(filepath.Join(rootA, "00")))
	if res := c.Do(a, req("GET /00")); res.Status != 200 {
		t.Errorf("a file in use all the time went: %d", res.Status)
	}
	if res := c.Do(a, req("GET /99")); res.Status != 200 {
		t.Errorf("the newest file: %d", res.Status)
	}
}

func TestFileLargerThanTheCache(t *testing.T) {
	root := makefs(t, "f="+strings.Repeat("x", 5000))
	cache := static.NewCache(static.CacheOptions{Bytes: 4000})
	var c servetest.Carrier
	h := beneath("/", newHandler(t, static.Options{Root: root, Cache: cache}))
	for range 2 {
		if res := c.Do(h, req("GET /f")); len(res.Body) != 5000 {
			t.Errorf("got %d bytes", len(res.Body))
		}
	}
	if n, open := cache.Held(); n+open != 0 {
		t.Errorf("%d, %d entries held, want none", n, open)
	}
}

func TestOpenFilesAreBounded(t *testing.T) {
	var files []string
	for i := range 20 {
		files = append(files, fmt.Sprintf("%02d", i))
	}
	root := makefs(t, files...)
	cache := static.NewCache(static.CacheOptions{FileSize: -1, OpenFiles: 5})
	handler := newHandler(t, static.Options{Root: root, Cache: cache})
	h := beneath("/", handler)
	var c servetest.Carrier
	var runs []*servetest.Run
	for i := range 20 {
		runs = append(runs, c.Start(h, req(fmt.Sprintf("GET /%02d", i))))
	}
	if n := descriptors(t, root); n != 20 {
		t.Errorf("%d files open while 20 are sent, want 20", n)
	}
	for i, r := range runs {
		r.ReadAll()
		r.End()
		if got := r.Response(); got.Body != fmt.Sprintf("%02d", i) {
			t.Errorf("file %02d: %q", i, got.Body)
		}
	}
	if n := descriptors(t, root); n != 5 {
		t.Errorf("%d files open when nothing is sent, want 5", n)
	}
	c.Do(h, req("GET /19"))
	if n := descriptors(t, root); n != 5 {
		t.Errorf("%d files open after one of them was asked for, want 5", n)
	}
	cache.Tick(c.Clock + int64(time.Minute))
	if n := descriptors(t, root); n != 0 {
		t.Errorf("%d files open that nobody asked for in a minute, want 0", n)
	}
	c.Do(h, req("GET /19"))
	handler.Close()
	if n := descriptors(t, root); n != 0 {
		t.Errorf("%d files open after Close, want 0", n)
	}
}

func TestNoFilesHeldOpen(t *testing.T) {
	root := makefs(t, "f")
	h := beneath("/", newHandler(t, static.Options{Root: root, Cache: static.NewCache(static.CacheOptions{FileSize: -1, OpenFiles: -1})}))
	var c servetest.Carrier
	for range 3 {
		if res := c.Do(h, req("GET /f")); res.Body != "f" {
			t.Errorf("got %d %q", res.Status, res.Body)
		}
		if n := descriptors(t, root); n != 0 {
			t.Errorf("%d files open, want 0", n)
		}
	}
}

func TestConditionsAndErrorsLeaveNothingOpen(t *testing.T) {
	root := makefs(t, "f=0123456789", "dir/")
	for name, mode := range static.Modes {
		handler := newHandler(t, static.Options{Root: root, Index: []string{"none"}, Cache: static.NewCache(static.CacheOptions{FileSize: -1, OpenFiles: -1})})
		handler.Use(mode)
		var c servetest.Carrier
		for _, r := range []string{
			req("GET /f", "If-None-Match: *"), req("GET /f", "Range: bytes=99-"), req("GET /f", `If-Match: "x"`), req("GET /f", "Range: bytes=1-1"),
			req("HEAD /f"), req("GET /dir"), req("GET /dir/"), req("GET /f/"), req("GET /none"), req("POST /f"),
		} {
			c.Do(beneath("/", handler), r)
			if n := descriptors(t, root); n != 0 {
				t.Errorf("%s: %d files open after %q, want 0", name, n, r)
			}
		}
	}
}

// noDescriptors lets opening fail until what it returns is called.
func noDescriptors(t *testing.T) (undo func()) {
	t.Helper()
	var was unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &was))
	free, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
	must(t, err)
	unix.Close(free)
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: uint64(free), Max: was.Max}))
	return func() {
		must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: was.Cur, Max: was.Max}))
	}
}

func TestNoDescriptorsLeft(t *testing.T) {
	root := makefs(t, "f", "g", "h")
	var troubles []error
	cache := static.NewCache(static.CacheOptions{FileSize: -1, Trouble: func(err error) { troubles = append(troubles, err) }})
	h := beneath("/", newHandler(t, static.Options{Root: root, Cache: cache}))
	var c servetest.Carrier
	undo := noDescriptors(t)
	refused := c.Do(h, req("GET /f"))
	undo()
	if refused.Status != 503 || len(troubles) != 1 || !strings.Contains(troubles[0].Error(), root+"/f: too many open files") {
		t.Errorf("got %d, told %v; want 503, and the file and the reason told", refused.Status, troubles)
	}
	c.Do(h, req("GET /g"))
	undo = noDescriptors(t)
	served := c.Do(h, req("GET /h"))
	undo()
	if served.Status != 200 || served.Body != "h" {
		t.Errorf("got %d %q; want the descriptor of another file given up for it", served.Status, served.Body)
	}
}
