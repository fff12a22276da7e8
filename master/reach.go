package master

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"srvctl/conf"
)

// unreachable says of every folder that is served whether the workers' user may
// not enter it. That is read from modes; access control lists may allow more,
// so these are warnings, and the worker has the last word.
func unreachable(c *conf.Config, user *credential) []string {
	if user == nil || user.uid == 0 {
		return nil
	}
	var notes []string
	seen := make(map[string]bool)
	for i := range c.Sites {
		for j := range c.Sites[i].Routes {
			r := &c.Sites[i].Routes[j]
			if r.Files == nil || seen[r.Files.Root] {
				continue
			}
			seen[r.Files.Root] = true
			if bar, mode := barred(r.Files.Root, user); bar != "" {
				notes = append(notes, fmt.Sprintf("%sfiles.root %s: workers run as %s, who may not enter %s (mode %04o): let that user in, or set `user`",
					located(r.Pos), r.Files.Root, user.name, bar, mode))
			}
		}
	}
	return notes
}

func located(p conf.Pos) string {
	if p.File == "" {
		return ""
	}
	return p.String() + ": "
}

// barred returns the first folder on the way to path that user may not enter,
// "" when there is none.
func barred(path string, user *credential) (string, fs.FileMode) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	for at := "/"; ; {
		info, err := os.Stat(at)
		if err != nil {
			return "", 0 // the check of the configuration tells
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Mode&entryBit(st, user) == 0 {
			return at, info.Mode().Perm()
		}
		rest := strings.TrimPrefix(strings.TrimPrefix(path, at), "/")
		if rest == "" {
			return "", 0
		}
		next, _, _ := strings.Cut(rest, "/")
		at = filepath.Join(at, next)
	}
}

// entryBit is the bit of a folder's mode that lets user in.
func entryBit(st *syscall.Stat_t, user *credential) uint32 {
	switch {
	case st.Uid == user.uid:
		return 0o100
	case st.Gid == user.gid:
		return 0o010
	}
	return 0o001
}
