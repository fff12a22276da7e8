package master

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/fsnotify/fsnotify"

	"srvctl/conf"
)

const (
	// maxFolders bounds the folders that are watched at the same time.
	maxFolders = 1024
	// maxFollowed bounds the names that are looked at to find them.
	maxFollowed = 10_000
	// maxLinks bounds the symbolic links on the way to a file, as the kernel
	// does.
	maxLinks = 40
)

// tree has, by their real paths, all folders through which the way to the
// watched files leads, from / on, with symbolic links followed: wherever a
// folder, a link or a file is put in the place of another one, it is seen. Of
// what is not there the tree has the folder in which it would come to be.
type tree map[string]*folder

// folder is one of them. Only some of the names in it matter.
type folder struct {
	dev, ino uint64
	names    map[nameOf]bool
}

// nameOf is a name in a folder that matters.
type nameOf struct {
	name string
	glob bool // it is a pattern
	way  bool // it leads to a file; otherwise it is the file
}

// treeOf finds the folders. It gives up where the bounds are, which add tells.
func treeOf(what []conf.Watched) tree {
	f := &finder{tree: make(tree)}
	for _, w := range what {
		f.walk("/", steps(w.Path, w.Pattern), 0)
	}
	return f.tree
}

type finder struct {
	tree     tree
	followed int
}

// step is one name of a path.
type step struct {
	name string
	glob bool
}

func steps(path string, pattern bool) []step {
	var all []step
	for name := range strings.SplitSeq(path, "/") {
		if name != "" && name != "." {
			all = append(all, step{name, pattern && strings.ContainsAny(name, `*?[\`)})
		}
	}
	return all
}

// walk follows a path from a folder, whose own path is a real one.
func (f *finder) walk(dir string, path []step, links int) {
	if len(path) == 0 {
		return
	}
	first, rest := path[0], path[1:]
	if first.name == ".." {
		f.walk(filepath.Dir(dir), rest, links)
		return
	}
	if !f.note(dir, nameOf{first.name, first.glob, len(rest) > 0}) {
		return
	}
	if !first.glob {
		f.enter(dir, first.name, rest, links)
		return
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // not a folder, or not ours: there is nothing that matches
	}
	for _, e := range entries {
		if matches(first.name, e.Name()) {
			f.enter(dir, e.Name(), rest, links)
		}
	}
}

// enter goes on behind a name, if it is there.
func (f *finder) enter(dir, name string, rest []step, links int) {
	if f.followed++; f.followed > maxFollowed {
		return
	}
	path := filepath.Join(dir, name)
	info, err := os.Lstat(path)
	if err != nil {
		return
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0 && links < maxLinks:
		target, err := os.Readlink(path)
		if err != nil || !f.note(dir, nameOf{name, false, true}) {
			return
		}
		if filepath.IsAbs(target) {
			dir = "/"
		}
		f.walk(dir, append(steps(target, false), rest...), links+1)
	case info.IsDir():
		f.walk(path, rest, links)
	}
}

// note adds a name to a folder. It reports whether there is such a folder.
func (f *finder) note(dir string, n nameOf) bool {
	if f.tree[dir] == nil {
		info, err := os.Lstat(dir)
		if err != nil || len(f.tree) > maxFolders {
			return false
		}
		s := info.Sys().(*syscall.Stat_t)
		f.tree[dir] = &folder{dev: s.Dev, ino: s.Ino, names: make(map[nameOf]bool)}
	}
	f.tree[dir].names[n] = true
	return true
}

// concerns reports whether something that happened to a path matters, and
// whether the way to a file may be another one now.
func (t tree) concerns(path string) (relevant, way bool) {
	dir, name := filepath.Split(path)
	f := t[filepath.Clean(dir)]
	if f == nil {
		return false, false
	}
	for n := range f.names {
		same := n.name == name
		if n.glob {
			same = matches(n.name, name)
		}
		relevant = relevant || same
		way = way || same && n.way
	}
	return relevant, way
}

// holdsFiles reports whether there are files to watch in the folder, and not
// only the way to some.
func (f *folder) holdsFiles() bool {
	for n := range f.names {
		if !n.way {
			return true
		}
	}
	return false
}

// add watches all folders, those with files first. It returns the first
// trouble that makes a difference: folders on the way that may be passed
// through but not read are common, and rarely replaced.
func (t tree) add(notify *fsnotify.Watcher) (first error) {
	dirs := make([]string, 0, len(t))
	for dir := range t {
		dirs = append(dirs, dir)
	}
	slices.SortFunc(dirs, func(a, b string) int {
		if x, y := t[a].holdsFiles(), t[b].holdsFiles(); x != y {
			return map[bool]int{true: -1, false: 1}[x]
		}
		return strings.Compare(a, b)
	})
	if len(dirs) > maxFolders {
		dirs = dirs[:maxFolders]
		first = fmt.Errorf("watch the configuration files: they are in more than %d folders: changes in further ones are not seen, use `srvctl reload`", maxFolders)
	}
	for _, dir := range dirs {
		err := notify.Add(dir)
		switch {
		case err == nil || errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, fs.ErrPermission) && !t[dir].holdsFiles():
		case first == nil:
			first = watchError(dir, err)
		}
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
	}
	return first
}

// matches reports whether a pattern of an include takes a name: hidden files
// only when it says so.
func matches(pattern, name string) bool {
	ok, err := filepath.Match(pattern, name)
	return ok && err == nil && (!strings.HasPrefix(name, ".") || strings.HasPrefix(pattern, "."))
}
