package conf

import (
	"io"
	"strings"
)

// Setting is one value in effect.
type Setting struct {
	Key    string `json:"key"`            // "sites[0].routes[2].match"
	Value  string `json:"value"`          // as it would be written in YAML, on one line
	Origin string `json:"origin"`         // "default", "srvctl.yaml:3:5", "environment SRVCTL_WORKERS", "--set"
	Note   string `json:"note,omitempty"` // what was written, where the value was worked out from it
}

// Settings lists every value in effect and where it came from, in the order of
// the keys. It is empty for a Config from Decode.
func (c *Config) Settings() []Setting {
	var all []Setting
	c.visit(func(it *item, path string) {
		if it.leaf() {
			value, note := c.shown(it)
			all = append(all, Setting{path, value, it.origin(), note})
		}
	})
	return all
}

// RenderJSON writes the effective configuration for programs.
func (c *Config) RenderJSON(w io.Writer) error {
	return writeJSON(w, struct {
		File     string    `json:"file"`
		Files    []string  `json:"files"`
		Settings []Setting `json:"settings"`
	}{c.File, append([]string{}, c.Files...), append([]Setting{}, c.Settings()...)})
}

// visit calls fn for every value in effect, groups before what is in them.
func (c *Config) visit(fn func(it *item, path string)) {
	if c.root != nil {
		visit(c.root, "", fn)
	}
}

// visit keeps the path itself: a default does not know where it is used.
func visit(it *item, path string, fn func(*item, string)) {
	fn(it, path)
	if it.leaf() {
		return
	}
	for _, kid := range it.effective() {
		var b strings.Builder
		b.WriteString(path)
		if it.key.kind == list {
			b.WriteString("[" + itoa(kid.index) + "]")
		} else {
			writeName(&b, kid.name)
		}
		visit(kid, b.String(), fn)
	}
}

// leaf reports whether a value is shown on one line: single ones, lists of
// those, and what is empty.
func (it *item) leaf() bool {
	switch it.key.kind {
	case section:
		return false
	case list:
		return len(it.kids) == 0 || it.key.elem.kind.scalar()
	case named:
		return len(it.kids) == 0
	}
	return true
}

// effective lists what is below: for groups of keys in the order of the table,
// with defaults in place of what nobody wrote.
func (it *item) effective() []*item {
	if it.key.kind != section {
		return it.kids
	}
	all := make([]*item, 0, len(it.key.keys))
	for _, k := range it.key.keys {
		switch kid := it.get(k.name); {
		case k.stage != ready || k.is(fileOnly):
		case kid != nil:
			all = append(all, kid)
		case !k.is(required|optional) && it.has(k):
			all = append(all, k.preset)
		}
	}
	return all
}

// has reports whether a default means anything here.
func (it *item) has(k *key) bool {
	at := it.get("address")
	return at == nil || k.fits(at.text)
}

// fits reports whether a key means anything for a listener at an address: TCP
// listeners have no permission bits, unix ones no reuseport.
func (k *key) fits(address string) bool {
	file := strings.HasPrefix(address, "unix:")
	switch k.name {
	case "mode", "owner":
		return file
	case "reuseport":
		return !file
	}
	return true
}

// shown gives a leaf's value in YAML, and a note where the value in effect is
// not the one that was written.
func (c *Config) shown(it *item) (value, note string) {
	switch {
	case it.key.kind == list:
		words := make([]string, len(it.kids))
		for i, kid := range it.kids {
			words[i] = scalarYAML(kid)
		}
		return "[" + strings.Join(words, ", ") + "]", ""
	case it.key.kind == named:
		return "{}", ""
	case it.key == schema.child("workers") && it.text == "auto":
		return itoa(c.Workers), "auto"
	}
	return scalarYAML(it), ""
}
