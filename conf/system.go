package conf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// system is what a configuration is checked against: the files, users and
// limits of this host. Tests put their own in its place.
type system struct {
	cwd  string
	cpus int  // CPUs this process may use
	root bool // started by the superuser

	stat  func(path string) (fs.FileInfo, error)
	read  func(path string, limit int) ([]byte, error)
	glob  func(pattern string) ([]string, error)
	real  func(path string) string // symbolic links followed
	dir   func(path string) error  // nil: a folder that can be read
	user  func(name string) error  // nil: it exists
	group func(name string) error
}

var (
	errNotDir     = syscall.ENOTDIR
	errNotRegular = errors.New("it is not a regular file")
)

// cpus is read before anybody changes GOMAXPROCS for the master, so that a
// reload counts the same as the start. Since Go 1.25 the runtime's own default
// follows the CPU affinity and the cgroup's quota.
var cpus = min(runtime.GOMAXPROCS(0), runtime.NumCPU())

func hostSystem() *system {
	cwd, err := os.Getwd()
	if err != nil {
		cwd = "/"
	}
	return &system{
		cwd: cwd, cpus: cpus, root: os.Geteuid() == 0,
		stat: os.Stat, read: readRegular, glob: filepath.Glob, real: realPath, dir: readableDir,
		user: func(name string) error { return lookup(name, user.Lookup) },
		group: func(name string) error {
			return lookup(name, user.LookupGroup)
		},
	}
}

// lookup takes numbers as they are: images without /etc/passwd have no names.
func lookup[T any](name string, find func(string) (T, error)) error {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil && n < math.MaxUint32 {
		return nil
	}
	_, err := find(name)
	return err
}

// readRegular reads a file, but no device and no pipe: those could block for
// ever.
func readRegular(path string, limit int) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errors.New("it is a folder")
	case !info.Mode().IsRegular():
		return nil, errNotRegular
	}
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(data) > limit {
		err = fmt.Errorf("it has more than %s", formatSize(int64(limit)))
	}
	return data, err
}

func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

func readableDir(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err = f.Readdirnames(1); err == io.EOF {
		return nil
	}
	return err
}
