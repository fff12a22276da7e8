package conf_test

import (
	"crypto/sha256"
	"path/filepath"
	"slices"
	"testing"

	"srvctl/conf"
)

// TestWatched: everything that decided what Load gave is named, also when it
// gave problems.
func TestWatched(t *testing.T) {
	const text, site = "include: [sites/*.yaml, extra.yaml]\n", "sites: [{hosts: [a], routes: [{match: /, echo: {}}]}]\n"
	sum := func(s string) [sha256.Size]byte { return sha256.Sum256([]byte(s)) }
	var none [sha256.Size]byte
	for _, tt := range []struct {
		name   string
		files  map[string]string
		o      conf.Options
		failed bool
		want   map[string][sha256.Size]byte // in the folder; patterns have none
	}{
		{"files and patterns", map[string]string{"srvctl.yaml": text, "sites/a.yaml": site, "extra.yaml": "workers: 2\n"}, conf.Options{}, false,
			map[string][sha256.Size]byte{"srvctl.yaml": sum(text), "sites/*.yaml": none, "sites/a.yaml": sum(site), "extra.yaml": sum("workers: 2\n")}},
		{"a file that is not there", map[string]string{"srvctl.yaml": text, "sites/b.yaml": "wrokers: 1\n"}, conf.Options{}, true,
			map[string][sha256.Size]byte{"srvctl.yaml": sum(text), "sites/*.yaml": none, "sites/b.yaml": sum("wrokers: 1\n"), "extra.yaml": none}},
		{"no main file", nil, conf.Options{File: "gone.yaml"}, true, map[string][sha256.Size]byte{"gone.yaml": none}},
		{"nothing is named", nil, conf.Options{}, false, map[string][sha256.Size]byte{"srvctl.yaml": none}},
		{"an empty file", map[string]string{"srvctl.yaml": ""}, conf.Options{}, false, map[string][sha256.Size]byte{"srvctl.yaml": sum("")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Dir = t.TempDir()
			for name, text := range tt.files {
				writeFile(t, filepath.Join(tt.o.Dir, name), text)
			}
			c, problems := conf.LoadOn(testHost, tt.o)
			if problems.Failed() != tt.failed {
				t.Fatalf("problems: %v", problems)
			}
			for name, sum := range tt.want {
				want := conf.Watched{Path: filepath.Join(tt.o.Dir, name), Pattern: name == "sites/*.yaml", Sum: sum}
				if !slices.Contains(c.Watch, want) {
					t.Errorf("%+v is not among %+v", want, c.Watch)
				}
			}
			// Without a file of its own it also looks in /etc.
			if extra := len(c.Watch) - len(tt.want); extra != 0 && !(tt.name == "nothing is named" && extra == 1) {
				t.Errorf("%d are watched, want %d: %+v", len(c.Watch), len(tt.want), c.Watch)
			}
		})
	}
}
