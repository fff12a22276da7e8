package master

// White box: it looks at every comparison, also at those that find nothing.

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"srvctl/conf"
)

const watchPatience = 20 * time.Second

// watched is a watcher over a folder of its own, and what it says.
type watched struct {
	t        *testing.T
	dir      string
	main     string
	w        *watcher
	changes  chan bool  // a comparison, and whether it called back
	troubles chan error // what cannot be watched
}

// watching starts a watcher for a configuration made of these files; the first
// is the main one.
func watching(t *testing.T, main string, files map[string]string) *watched {
	t.Helper()
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &watched{t: t, dir: dir, main: main, changes: make(chan bool, 100), troubles: make(chan error, 100)}
	for name, text := range files {
		d.write(name, text)
	}
	calls := 0
	w := newWatcher(func() { calls++ }, func(err error) { d.troubles <- err })
	w.compared = func(different bool) {
		if different != (calls == 1) {
			t.Errorf("a comparison that finds %v calls back %d times", different, calls)
		}
		calls = 0
		d.changes <- different
	}
	w.quiet = 50 * time.Millisecond
	t.Cleanup(w.close)
	d.w = w
	return d
}

// load reads the configuration and watches it, as a reload does, until nothing
// is different any more.
func (d *watched) load() {
	d.t.Helper()
	for different := true; different; {
		for len(d.changes) > 0 {
			<-d.changes
		}
		c, _ := conf.Load(conf.Options{File: d.main, Dir: d.dir})
		d.w.watch(c.Watch)
		different = d.next("loaded")
	}
}

func (d *watched) path(name string) string { return filepath.Join(d.dir, name) }

// write makes a file with all of its content at once.
func (d *watched) write(name, text string) {
	d.t.Helper()
	d.must(os.MkdirAll(filepath.Dir(d.path(name)), 0o755))
	d.swap(name, func(path string) error { return os.WriteFile(path, []byte(text), 0o644) })
}

// swap puts a file or link in the place of another one, as editors do.
func (d *watched) swap(name string, make func(path string) error) {
	d.t.Helper()
	d.must(make(d.path(name + "~")))
	d.must(os.Rename(d.path(name+"~"), d.path(name)))
}

func (d *watched) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// next waits for a comparison and says what it found.
func (d *watched) next(why string) (different bool) {
	d.t.Helper()
	select {
	case different = <-d.changes:
	case err := <-d.troubles:
		d.t.Fatalf("%s: %v", why, err)
	case <-time.After(watchPatience):
		d.t.Fatalf("%s: no comparison within %v", why, watchPatience)
	}
	return different
}

// same waits for a comparison that finds nothing.
func (d *watched) same(why string) {
	d.t.Helper()
	if d.next(why) {
		d.t.Fatalf("%s: that is told as a change", why)
	}
}

// differs waits for the comparison that finds a change. Others may come
// before: what was done last may have taken a while.
func (d *watched) differs(why string) {
	d.t.Helper()
	for !d.next(why) {
	}
}

// reloads waits for that and loads the configuration again.
func (d *watched) reloads(why string) {
	d.t.Helper()
	d.differs(why)
	d.load()
}

const anySite = "sites: [{routes: [{match: /, echo: {}}]}]\n"

func linkTo(target string) func(string) error {
	return func(path string) error { return os.Symlink(target, path) }
}

func TestWatchFile(t *testing.T) {
	d := watching(t, "etc/srvctl.yaml", map[string]string{"etc/srvctl.yaml": "workers: 1\n"})
	d.load()
	d.must(os.WriteFile(d.path("etc/srvctl.yaml"), []byte("workers: 2\n"), 0o644))
	d.reloads("written in place")
	d.write("etc/srvctl.yaml", "workers: 3\n")
	d.reloads("replaced by renaming")
	d.must(os.Remove(d.path("etc/srvctl.yaml")))
	d.reloads("removed")
	d.write("etc/srvctl.yaml", "workers: 3\n")
	d.reloads("there again")
}

// A touch, other permissions and the same text again are no change.
func TestWatchContentOnly(t *testing.T) {
	d := watching(t, "srvctl.yaml", map[string]string{"srvctl.yaml": "workers: 1\n"})
	d.load()
	d.must(os.Chtimes(d.path("srvctl.yaml"), time.Time{}, time.Unix(1, 0)))
	d.same("touched")
	d.must(os.Chmod(d.path("srvctl.yaml"), 0o600))
	d.same("other permissions")
	d.write("srvctl.yaml", "workers: 1\n")
	d.same("replaced by the same")
	d.write("srvctl.yaml", "workers: 2\n")
	d.reloads("a real one")
}

// What was written between reading and watching was before any event.
func TestWatchMissesNothingBefore(t *testing.T) {
	d := watching(t, "srvctl.yaml", map[string]string{"srvctl.yaml": "workers: 1\n"})
	c, _ := conf.Load(conf.Options{File: d.main, Dir: d.dir})
	d.write("srvctl.yaml", "workers: 2\n")
	d.w.watch(c.Watch)
	d.differs("written before")
}

// A change that somebody has loaded by hand is none any more, and one that was
// refused is not told again until it is another.
func TestWatchToldOnce(t *testing.T) {
	d := watching(t, "srvctl.yaml", map[string]string{"srvctl.yaml": "workers: 1\n"})
	d.load()
	d.write("srvctl.yaml", "workers: 2\n")
	d.load()

	before, _ := conf.Load(conf.Options{File: d.main, Dir: d.dir})
	d.write("srvctl.yaml", "wrokers: 3\n")
	d.differs("a mistake")
	d.w.watch(before.Watch)
	d.same("the old configuration goes on")
	d.write("srvctl.yaml", "wrokers: 3\n")
	d.same("the same mistake")
	d.write("srvctl.yaml", "workers: 2\n")
	d.same("as it was")
	d.write("srvctl.yaml", "wrokers: 3\n")
	d.differs("the mistake again")
}

// What repairs a refused configuration may be in a file that only that one
// names.
func TestWatchWhatWasRefused(t *testing.T) {
	d := watching(t, "srvctl.yaml", map[string]string{"srvctl.yaml": "workers: 1\n"})
	d.load()
	d.write("srvctl.yaml", "include: [more.yaml]\n")
	d.reloads("a file that is not there is included")
	d.write("more.yaml", "workers: 2\n")
	d.reloads("now it is there")
}

func TestWatchPattern(t *testing.T) {
	d := watching(t, "srvctl.yaml", map[string]string{"srvctl.yaml": "include: [\"sites/*.yaml\", \"*/more.yaml\"]\n", "sites/a.yaml": anySite})
	d.load()
	site := func(host string) string { return "sites: [{hosts: [" + host + "], routes: []}]\n" }
	d.write("sites/b.yaml", site("b"))
	d.reloads("a file that matches")
	d.write("sites/b.yaml", site("c"))
	d.reloads("its content")
	d.must(os.Rename(d.path("sites/b.yaml"), d.path("sites/b.yaml.off")))
	d.reloads("no longer matches")
	d.write("sites/notes.txt", "is not looked at")
	d.write("other/more.yaml", "workers: 2\n")
	d.reloads("a folder that matches, with a file")
	d.write("other/more.yaml", "workers: 3\n")
	d.reloads("the content of that")
	d.must(os.RemoveAll(d.path("other")))
	d.reloads("the folder is removed")
}

// A ConfigMap: the file is a link to a file in ..data, which is a link to a
// folder that is another one each time.
func TestWatchConfigMap(t *testing.T) {
	d := watching(t, "etc/srvctl.yaml", map[string]string{"etc/..1/srvctl.yaml": "workers: 1\n", "etc/..1/b.yaml": anySite})
	d.must(os.Symlink("..1", d.path("etc/..data")))
	d.must(os.Symlink("..data/srvctl.yaml", d.path("etc/srvctl.yaml")))
	d.load()
	for i := 2; i < 5; i++ {
		folder := fmt.Sprintf("..%d", i)
		d.write("etc/"+folder+"/srvctl.yaml", fmt.Sprintf("workers: %d\n", i))
		d.swap("etc/..data", linkTo(folder))
		d.reloads("swapped")
		d.must(os.RemoveAll(d.path(fmt.Sprintf("etc/..%d", i-1))))
	}
	d.write("etc/..4/srvctl.yaml", "workers: 9\n")
	d.reloads("the file behind the links")
}

// Deployments replace whole folders, and not the last one.
func TestWatchFolders(t *testing.T) {
	d := watching(t, "app/current/etc/srvctl.yaml", map[string]string{"app/1/etc/srvctl.yaml": "workers: 1\n"})
	d.must(os.Symlink("1", d.path("app/current")))
	d.load()
	d.write("app/2/etc/srvctl.yaml", "workers: 2\n")
	d.swap("app/current", linkTo(d.path("app/2")))
	d.reloads("a link on the way")
	d.must(os.RemoveAll(d.path("app/2/etc")))
	d.reloads("a folder removed")
	d.write("app/2/etc/srvctl.yaml", "workers: 3\n")
	d.reloads("a folder made again")
	d.must(os.RemoveAll(d.path("app/2/etc")))
	d.write("app/2/etc/srvctl.yaml", "workers: 7\n")
	d.reloads("a folder removed and made again at once")
	d.write("app/2/etc/srvctl.yaml", "workers: 8\n")
	d.reloads("the file in that")
	d.write("new/2/etc/srvctl.yaml", "workers: 4\n")
	d.must(os.RemoveAll(d.path("app/2")))
	d.must(os.Rename(d.path("new/2"), d.path("app/2")))
	d.reloads("a folder put in its place")
	d.must(os.Rename(d.path("app"), d.path("old")))
	d.reloads("a folder above is gone")
	d.write("next/current/etc/srvctl.yaml", "workers: 5\n")
	d.must(os.Rename(d.path("next"), d.path("app")))
	d.reloads("another one in its place")
	d.write("app/current/etc/srvctl.yaml", "workers: 6\n")
	d.reloads("the file in that")
}

// Many writes are one change, but writing without an end does not put it off
// for ever.
func TestWatchQuiet(t *testing.T) {
	d := watching(t, "srvctl.yaml", map[string]string{"srvctl.yaml": "workers: 1\n"})
	d.w.quiet = watchQuiet
	d.load()
	for i := range 100 {
		d.write("srvctl.yaml", fmt.Sprintf("workers: %d\n", i+2))
	}
	d.reloads("many writes")
	start := time.Now()
	for i := 0; len(d.changes) == 0; i++ {
		d.write("srvctl.yaml", fmt.Sprintf("workers: %d\n", i%200+1))
		if time.Since(start) > watchPatience {
			t.Fatal("no comparison while the file is written all the time")
		}
	}
}

// What happens while nothing is watched is not told afterwards.
func TestWatchNothing(t *testing.T) {
	d := watching(t, "srvctl.yaml", map[string]string{"srvctl.yaml": "workers: 1\n"})
	d.load()
	d.w.watch(nil)
	d.write("srvctl.yaml", "workers: 2\n")
	c, _ := conf.Load(conf.Options{File: d.main, Dir: d.dir})
	d.w.watch(c.Watch)
	d.same("watched again")
	d.write("srvctl.yaml", "workers: 3\n")
	d.differs("a change after that")
}

// The end leaves nothing behind.
func TestWatchClose(t *testing.T) {
	var loaded [2]*conf.Config
	for i := range loaded {
		loaded[i], _ = conf.Load(conf.Options{Dir: t.TempDir()})
	}
	before := inotifies(t)
	for range 5 {
		comparedc := make(chan bool)
		w := newWatcher(func() {}, func(err error) { t.Error(err) })
		w.quiet = 0
		w.compared = func(bool) { comparedc <- true }
		for _, c := range loaded { // in other folders
			w.watch(c.Watch)
			<-comparedc
		}
		w.close()
		w.watch(loaded[0].Watch) // nobody hears it
	}
	if after := inotifies(t); after != before {
		t.Errorf("%d descriptors of inotify, %d before", after, before)
	}
}

// inotifies counts the descriptors of this process that are inotify's.
func inotifies(t *testing.T) (n int) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.Contains(target, "inotify") {
			n++
		}
	}
	return n
}

// Links in a circle and more folders than are watched are no reason to hang.
func TestWatchBounds(t *testing.T) {
	d := watching(t, "srvctl.yaml", map[string]string{"srvctl.yaml": "include: [\"*/site.yaml\", loop/x.yaml]\n"})
	d.must(os.Symlink("loop", d.path("loop")))
	for i := range maxFolders + 10 {
		d.must(os.Mkdir(d.path(fmt.Sprintf("f%d", i)), 0o755))
	}
	c, _ := conf.Load(conf.Options{File: d.main, Dir: d.dir})
	d.w.watch(c.Watch)
	select {
	case err := <-d.troubles:
		if !strings.Contains(err.Error(), "more than 1024 folders") {
			t.Error(err)
		}
	case <-time.After(watchPatience):
		t.Error("nobody says that not all folders are watched")
	}
	d.same("the first comparison")
	d.write("srvctl.yaml", "workers: 1\n")
	d.differs("the main file is watched all the same")
}

// Only what lies on the way to a file matters.
func TestWatchConcerns(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"etc/real", "etc/sites"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("real", filepath.Join(dir, "etc/link")), os.WriteFile(filepath.Join(dir, "etc/real/a.yaml"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	tr := treeOf([]conf.Watched{
		{Path: filepath.Join(dir, "etc/link/a.yaml")},
		{Path: filepath.Join(dir, "etc/sites/*.yaml"), Pattern: true},
		{Path: filepath.Join(dir, "gone/b[1].yaml")},
	})
	for name, want := range map[string][2]bool{
		"etc":                 {true, true},
		"etc/link":            {true, true},
		"etc/real":            {true, true},
		"etc/real/a.yaml":     {true, false},
		"etc/real/a.yaml.swp": {false, false},
		"etc/sites":           {true, true},
		"etc/sites/x.yaml":    {true, false},
		"etc/sites/x.yml":     {false, false},
		"etc/access.log":      {false, false},
		"gone":                {true, true},
		"gone/b[1].yaml":      {false, false}, // nobody looks there yet
		"other":               {false, false},
	} {
		if relevant, way := tr.concerns(filepath.Join(dir, name)); relevant != want[0] || way != want[1] {
			t.Errorf("%s: relevant %v, way %v, want %v", name, relevant, way, want)
		}
	}
	if relevant, way := tr.concerns("/" + strings.Split(dir, "/")[1]); !relevant || !way {
		t.Errorf("the first folder of %s does not matter", dir)
	}
}

func TestWatchErrors(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{syscall.ENOSPC, "fs.inotify.max_user_watches"},
		{fmt.Errorf("couldn't initialize inotify: %w", syscall.EMFILE), "fs.inotify.max_user_instances"},
		{&os.PathError{Op: "stat", Path: "/x", Err: syscall.EACCES}, "permission denied: changes there are not seen, use `srvctl reload`"},
	} {
		if err := watchError("/etc/srvctl", tt.err); !strings.Contains(err.Error(), tt.want) || !errors.Is(err, tt.err) {
			t.Errorf("%v: %v, want %q", tt.err, err, tt.want)
		}
	}
	var told bytes.Buffer
	g := &guard{watcher: &watcher{trouble: func(err error) { fmt.Fprintln(&told, err) }}}
	for _, err := range []error{nil, syscall.ENOSPC, syscall.ENOSPC, nil, syscall.ENOSPC, syscall.EMFILE} {
		g.tell(err)
	}
	if got := strings.Count(told.String(), "\n"); got != 3 {
		t.Errorf("%d troubles told, want 3: the same only once in a row\n%s", got, told.String())
	}
}
