package conf

import (
	"fmt"
	"strings"
)

// key is one entry of the table: everything that is known about one key of the
// configuration. Entries are made once and never change.
type key struct {
	name string
	kind kind
	doc  string // one line, for `config env`, the JSON Schema and messages

	// def is the default as the operator would write it; for lists, defList.
	def     string
	defList []string
	// words are what a word may be, or what may stand instead of a number or
	// in front of a path.
	words []string
	// min and max bound a number in its own unit (bytes, nanoseconds), and max
	// the length of a list or of a group of names. Both 0: no bound.
	min, max int64
	because  string // why these bounds, where nobody would guess it

	keys []*key // of a section, in the order they are shown
	elem *key   // of a list or of names

	stage stage
	trait trait

	parent *key
	preset *item // the default, read; nil where there is none
}

// stage says whether this version has a key.
type stage uint8

const (
	// ready is a key that works.
	ready stage = iota
	// inert is a key that is known, but only its default works yet.
	inert
	// later is a key of a later version: writing it is an error.
	later
)

// trait is what is special about a key.
type trait uint8

const (
	// required has no default: leaving it away is an error.
	required trait = 1 << iota
	// optional is a group whose absence means something, so it is not shown
	// with its defaults when nobody wrote it.
	optional
	// handler is one of the ways a route can answer; a route has exactly one.
	handler
	// fileOnly makes no sense outside of a file.
	fileOnly
	// appends is a list that grows when several files have it.
	appends
	// restart is a key that a running server keeps as it started with.
	restart
)

func (k *key) is(t trait) bool { return k.trait&t != 0 }

// child finds a key of a section by its name.
func (k *key) child(name string) *key {
	for _, c := range k.keys {
		if c.name == name {
			return c
		}
	}
	return nil
}

// path is the key's place in the table: "sites[].routes[].match",
// "listeners.NAME.address".
func (k *key) path() string {
	switch p := k.parent; {
	case p == nil:
		return ""
	case p.kind == list:
		return p.path() + "[]"
	case p.kind == named:
		return p.path() + ".NAME"
	case p.parent == nil:
		return k.name
	default:
		return p.path() + "." + k.name
	}
}

// names lists the keys of a section that this version has.
func (k *key) names() []string {
	var names []string
	for _, c := range k.keys {
		if c.stage != later {
			names = append(names, c.name)
		}
	}
	return names
}

// walk calls fn for k and for everything below it, in the order of the table.
func (k *key) walk(fn func(*key)) {
	fn(k)
	for _, c := range k.keys {
		c.walk(fn)
	}
	if k.elem != nil {
		k.elem.walk(fn)
	}
}

// schema is the table.
var schema = link(&key{kind: section, keys: serverKeys()})

// link connects the entries and reads their defaults. A default that its own
// entry refuses is a broken table.
func link(root *key) *key {
	root.walk(func(k *key) {
		for _, c := range k.keys {
			c.parent = k
		}
		if k.elem != nil {
			k.elem.parent = k
		}
		k.preset = k.readPreset()
	})
	return root
}

func (k *key) readPreset() *item {
	it := &item{key: k, name: k.name}
	switch {
	case k.kind == section || k.kind == named:
		return it
	case k.is(required):
		return nil
	case k.kind == list:
		for i, s := range k.defList {
			it.kids = append(it.kids, &item{key: k.elem, parent: it, index: i, text: s})
		}
		return it
	}
	num, wrong := k.parse(k.def)
	if wrong.message != "" {
		panic(fmt.Sprintf("conf: default %q of %s: %s", k.def, k.path(), wrong.message))
	}
	it.text, it.num = k.def, num
	return it
}

// envName is the variable that sets the key: "SRVCTL_LIMITS_BODY_BYTES",
// "SRVCTL_LISTENERS_<NAME>_ADDRESS". Empty for what no variable can set: what
// is inside a list, groups, and lists of groups.
func (k *key) envName() string {
	settable := k.kind.scalar() || k.kind == list && k.elem.kind.scalar()
	if !settable || k.is(fileOnly) {
		return ""
	}
	env := k.envPart()
	if strings.Contains(env, "[]") {
		return ""
	}
	return "SRVCTL" + env
}

func (k *key) envPart() string {
	switch p := k.parent; {
	case p == nil:
		return ""
	case p.kind == list:
		return "[]"
	case p.kind == named && !k.kind.scalar():
		return p.envPart() + "_<NAME>"
	case p.kind == named:
		// Names such as ".foo" cannot stand in a variable's name.
		return "[]"
	default:
		return p.envPart() + "_" + strings.ToUpper(k.name)
	}
}
