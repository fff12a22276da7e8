package conf

// White box: the table is looked at as a table.

import (
	"strings"
	"testing"
)

// TestTable holds every entry to what the rest of the package relies on.
func TestTable(t *testing.T) {
	schema.walk(func(k *key) {
		at := k.path()
		group := k.kind == section
		switch {
		case k.parent == nil:
			return
		case k.parent.kind == list || k.parent.kind == named:
			if k.name != "" {
				t.Errorf("%s: an element has the name %q", at, k.name)
			}
		case k.name == "" || strings.ToLower(k.name) != k.name || strings.ContainsAny(k.name, "-. "):
			t.Errorf("%s: the name is not made of small letters and _", at)
		case k.doc == "" || strings.HasSuffix(k.doc, "."):
			t.Errorf("%s: the explanation is missing, or ends in a full stop", at)
		}
		if (k.kind == list || k.kind == named) != (k.elem != nil) {
			t.Errorf("%s: lists and names have an element, nothing else does", at)
		}
		if !group && len(k.keys) > 0 {
			t.Errorf("%s: only groups have keys", at)
		}
		if (k.kind == word) != (len(k.words) > 0) && k.kind != number && k.kind != path {
			t.Errorf("%s: words", at)
		}
		if k.reachable() == ready && (k.kind == list || k.kind == named) && k.max == 0 {
			t.Errorf("%s: a list without a bound", at)
		}
		if k.stage == inert && k.kind != flag && k.kind != number && k.kind != list {
			t.Errorf("%s: only numbers, flags and lists can be inert", at)
		}
		if k.kind == named && k.elem.kind == section && k.max == 0 && k.reachable() == ready {
			t.Errorf("%s: names without a bound", at)
		}
	})
}

// TestVariableNames: no two keys may be set by the same variable, and none by
// a reserved or ignored one.
func TestVariableNames(t *testing.T) {
	seen := make(map[string]string)
	for _, v := range variables() {
		name := v.prefix + v.hole + v.suffix
		if other := seen[name]; other != "" {
			t.Errorf("%s sets %s and %s", name, other, v.key.path())
		}
		seen[name] = v.key.path()
		if ignoredVariable(name) {
			t.Errorf("%s of %s is a variable that is ignored", name, v.key.path())
		}
		k, _ := matchVariable(strings.ReplaceAll(name, "<NAME>", "X_Y"))
		if k != v.key {
			t.Errorf("%s is matched to %s, want %s", name, k.path(), v.key.path())
		}
	}
	for _, want := range []string{"SRVCTL_WORKERS", "SRVCTL_LIMITS_HEADER_TIMEOUT", "SRVCTL_LISTENERS_<NAME>_ADDRESS", "SRVCTL_LIMITS_MIN_RATE_GRACE"} {
		if seen[want] == "" {
			t.Errorf("there is no variable %s", want)
		}
	}
}
