package conf

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// Where a configuration is looked for when none is named.
const (
	localFile  = "srvctl.yaml"
	systemFile = "/etc/srvctl/srvctl.yaml"
)

// search gives the file to read, "" for the embedded default. A file that was
// named must be there: going on with another one would serve the wrong site.
func (l *loader) search(named string) (string, *Problem) {
	if named != "" {
		return named, l.mustBeThere(named, "-c",
			"give the path of a file, or leave -c away to use ./srvctl.yaml or /etc/srvctl/srvctl.yaml")
	}
	if named = l.env["SRVCTL_CONFIG"]; named != "" {
		return named, l.mustBeThere(named, "$SRVCTL_CONFIG", "correct the variable or unset it")
	}
	files := []string{localFile, systemFile}
	for _, name := range files {
		// Anything but "not there" is told when the file is read.
		if _, err := l.sys.stat(l.inDir(name)); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNotDir) {
			return name, nil
		}
	}
	for _, name := range files {
		l.watch(l.inDir(name), nil, fs.ErrNotExist) // to be used when it comes
	}
	return "", nil
}

func (l *loader) mustBeThere(name, by, next string) *Problem {
	_, err := l.sys.stat(l.inDir(name))
	if err == nil {
		return nil
	}
	l.watch(l.inDir(name), nil, err)
	return &Problem{Pos: Pos{File: name}, Message: "the file named by " + by + " cannot be read: " + reason(err), Allowed: next}
}

// inDir is the absolute path of a name given on the command line.
func (l *loader) inDir(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(l.dir, name)
}

// reason is the bare reason of an error of the file system: the path is in the
// message already.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}
