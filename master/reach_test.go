package master

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"srvctl/conf"
)

func TestUnreachable(t *testing.T) {
	top := t.TempDir()
	if err := os.Chmod(filepath.Dir(top), 0o755); err != nil { // made for this test, 0700
		t.Fatal(err)
	}
	other := &credential{uid: 4242, gid: 4242, name: "other"}
	if bar, _ := barred(top, other); bar != "" {
		t.Skipf("NOT RUN: %s is closed to other users; set TMPDIR", bar)
	}
	inner := filepath.Join(top, "closed", "inner")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	c := &conf.Config{Sites: []conf.Site{{Routes: []conf.Route{
		{Pos: conf.Pos{File: "s.yaml", Line: 3, Col: 5}, Files: &conf.Files{Root: inner}},
		{Files: &conf.Files{Root: top}},
		{Respond: &conf.Respond{}},
	}}}}
	if got := unreachable(c, other); len(got) != 0 {
		t.Errorf("open folders: %q, want nothing", got)
	}
	closed := filepath.Dir(inner)
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	got := unreachable(c, other)
	want := "s.yaml:3:5: files.root " + inner + ": workers run as other, who may not enter " + closed + " (mode 0700)"
	if len(got) != 1 || !strings.HasPrefix(got[0], want) {
		t.Errorf("a closed folder: %q, want %q", got, want)
	}
	owner := &credential{uid: uint32(os.Getuid()), gid: uint32(os.Getgid()), name: "owner"}
	for _, u := range []*credential{nil, owner} {
		if got := unreachable(c, u); len(got) != 0 {
			t.Errorf("for %+v: %q, want nothing", u, got)
		}
	}
}
