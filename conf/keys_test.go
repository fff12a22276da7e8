package conf

// White box: the table says which keys there are.

import (
	"regexp"
	"strings"
	"testing"
)

// TestEveryKeyMatters sets each key of this version to something else than its
// default and looks whether the Config changes, and whether Diff says so: a key
// that is read and then forgotten would be a key ignored.
func TestEveryKeyMatters(t *testing.T) {
	dir := t.TempDir()
	base := []string{
		`sites=[{routes: [{match: /a, respond: {}}, {match: /b, redirect: {to: /}}, {match: /c, files: {root: .}},` +
			`{match: /d, health: {}}, {match: /e, echo: {}}], access_log: {output: stdout}}]`,
		`listeners={http: {address: ":1"}, file: {address: "unix:x.sock"}}`,
	}
	const route = "sites[0].routes"
	others := map[string][]string{
		"workers": {"workers=7"}, "heartbeat.interval": {"heartbeat.interval=2s"}, "user": {"user=0"}, "mime_types": {"mime_types={.x: a/b}"}, "mime_types.NAME": nil,
		"listeners.NAME.address": {"listeners.http.address=:2"}, "listeners.NAME.mode": {"listeners.file.mode=0600"},
		"listeners.NAME.owner": {"listeners.file.owner=0"}, "listeners": {"listeners.more.address=:3"},
		"sites[].hosts": {"sites[0].hosts=[a]"}, "sites[].hosts[]": nil, "sites[].listeners": {"sites[0].listeners=[http]"},
		"sites[].listeners[]": nil, "sites[].routes": {route + "[0].match=/z"},
		route + "[].match": nil, "sites[].routes[].match": {route + "[0].match=/z"},
		"sites[].routes[].respond.headers":      {route + "[0].respond.headers={A: b}"},
		"sites[].routes[].respond.headers.NAME": nil,
		"sites[].routes[].files.index":          {route + "[2].files.index=[x]"},
		"sites[].routes[].files.index[]":        nil,
		"sites":                                 {"sites=[]"},
		"include":                               nil,
		"include[]":                             nil,
		"pid_file":                              {"pid_file=x"}, "control_socket": {"control_socket=x"},
		"log.output": {"log.output=x"}, "access_log.output": {"access_log.output=x"},
	}
	handlers := map[string]string{"respond": "[0]", "redirect": "[1]", "files": "[2]", "health": "[3]", "echo": "[4]"}
	with := func(set []string) *Config {
		c, problems := Load(Options{Dir: dir, Set: set})
		if problems.Failed() {
			t.Fatalf("%v: %v", set, problems)
		}
		return c
	}
	before := with(base)
	schema.walk(func(k *key) {
		if k.reachable() != ready || k.kind == section {
			return
		}
		set, special := others[k.path()]
		if special && set == nil {
			return
		}
		if !special {
			where := strings.ReplaceAll(k.path(), "listeners.NAME", "listeners.http")
			where = strings.Replace(where, "sites[]", "sites[0]", 1)
			if k.parent.is(handler) {
				where = strings.Replace(where, "routes[]", "routes"+handlers[k.parent.name], 1)
			}
			set = []string{where + "=" + otherValue(k)}
		}
		after := with(append(base[:2:2], set...))
		changes := Diff(before, after)
		if Canonical(after) == Canonical(before) || len(changes) == 0 {
			t.Errorf("%v changes nothing", set)
		}
		// What was changed by its own path is named by it.
		path, _, _ := strings.Cut(set[0], "=")
		if k.kind.scalar() && k.name != "match" && len(changes) > 0 && !sameKey(changes[0].Key, path) {
			t.Errorf("%v is told as %v", set, changes)
		}
	})
}

// sameKey compares the path in a Change with one that counts the elements.
func sameKey(named, counted string) bool {
	brackets := regexp.MustCompile(`\[[^]]*\]`)
	return brackets.ReplaceAllString(named, "[]") == brackets.ReplaceAllString(counted, "[]")
}

// otherValue is a good value that is not the default.
func otherValue(k *key) string {
	switch {
	case k.kind == word || len(k.words) > 1:
		for _, w := range k.words {
			if w != k.def {
				return w
			}
		}
	case k.kind == flag:
		return map[string]string{"true": "false", "false": "true"}[k.def]
	case k.kind == number:
		return itoa(int(max(k.min, k.preset.num) + 1))
	case k.kind == duration:
		return "11s"
	case k.kind == size:
		return "1000"
	case k.name == "to":
		return "/x"
	case k.name == "root":
		return "/"
	case k.name == "address":
		return ":5"
	}
	return "x"
}
