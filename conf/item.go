package conf

import (
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// source is where values come from: a file, an environment variable, or an
// argument. A nil *source is the built-in default.
type source struct {
	name string // as shown: "srvctl.yaml", "environment: SRVCTL_X", "--set x"
	path string // absolute, of a file
	real string // the same with symbolic links followed
	dir  string // relative paths start here
	// lenient is set for values that are plain words on a command line or in
	// the environment, where quotes have no meaning: 5 may be a text.
	lenient bool
}

// at is a place in the source. Lines mean something in files only.
func (s *source) at(line, col int) Pos {
	if s.path == "" {
		return Pos{File: s.name}
	}
	return Pos{File: s.name, Line: line, Col: col}
}

// absolute resolves a path against the folder it was written in.
func (s *source) absolute(p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(s.dir, p)
}

// item is one value: what was written for a key, or its default.
type item struct {
	key    *key
	parent *item
	name   string // the key's name, or the one the operator chose
	index  int    // in a list

	from            *source
	line, col       int // of the value; 0 outside of files
	keyLine, keyCol int // of the key; the value's for elements of lists
	text            string
	num             int64
	kids            []*item
	// bad: the value itself was refused, and text and num are worth nothing.
	bad bool
	// damaged: something directly below was refused, so what seems to be
	// missing here may only be misspelt.
	damaged bool
	// misspelt: one of the things refused below was an unknown key.
	misspelt bool
}

// path is the key path as messages show it: "sites[0].routes[2].match".
func (it *item) path() string {
	var b strings.Builder
	it.writePath(&b)
	return b.String()
}

func (it *item) writePath(b *strings.Builder) {
	if it == nil {
		return
	}
	if it.parent == nil {
		b.WriteString(it.key.path()) // a default that stands nowhere
		return
	}
	it.parent.writePath(b)
	if it.parent.key.kind == list {
		b.WriteByte('[')
		b.WriteString(strconv.Itoa(it.index))
		b.WriteByte(']')
		return
	}
	writeName(b, it.name)
}

// writeName adds a name to a path, in brackets and quotes where it could be
// mistaken for something else: mime_types[".foo"].
func writeName(b *strings.Builder, name string) {
	plain := name != ""
	for _, c := range []byte(name) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		plain = plain && (letter || c >= '0' && c <= '9' || c == '_' || c == '-')
	}
	switch {
	case !plain:
		b.WriteString("[" + quote(name) + "]")
		return
	case b.Len() > 0:
		b.WriteByte('.')
	}
	b.WriteString(name)
}

// join is the path of a key below it.
func (it *item) join(name string) string {
	var b strings.Builder
	it.writePath(&b)
	writeName(&b, name)
	return b.String()
}

// pos is where the value stands, keyPos where its key does.
func (it *item) pos() Pos    { return it.place(it.line, it.col) }
func (it *item) keyPos() Pos { return it.place(it.keyLine, it.keyCol) }

func (it *item) place(line, col int) Pos {
	if it.from == nil {
		return Pos{}
	}
	return it.from.at(line, col)
}

// origin says where a value came from, for `config show`.
func (it *item) origin() string {
	switch {
	case it.from == nil:
		return "default"
	case strings.HasPrefix(it.from.name, setPrefix):
		return "--set"
	case strings.HasPrefix(it.from.name, environmentPrefix):
		return "environment " + strings.TrimPrefix(it.from.name, environmentPrefix)
	}
	return it.pos().String()
}

const (
	environmentPrefix = "environment: "
	setPrefix         = "--set "
)

// get finds what was written below it, or nil.
func (it *item) get(name string) *item {
	for _, kid := range it.kids {
		if kid.name == name {
			return kid
		}
	}
	return nil
}

// at gives what was written for a key of this section, or the key's default.
// Asking for a key that the table does not have, or for a required one that
// was not checked first, is a mistake of the caller.
func (it *item) at(name string) *item {
	if kid := it.get(name); kid != nil && !kid.bad {
		return kid
	}
	return it.key.child(name).preset
}

func (it *item) str(name string) string { return it.at(name).text }
func (it *item) int(name string) int    { return int(it.at(name).num) }
func (it *item) flag(name string) bool  { return it.at(name).num != 0 }
func (it *item) duration(name string) time.Duration {
	return time.Duration(it.at(name).num)
}

// list gives the texts of a list that were not refused.
func (it *item) list(name string) []string {
	var all []string
	for _, kid := range it.at(name).kids {
		if !kid.bad {
			all = append(all, kid.text)
		}
	}
	return all
}

// adopt puts a kid below it, in place of one of the same name.
func (it *item) adopt(kid *item) {
	kid.parent = it
	if it.key.kind == list {
		kid.index = len(it.kids)
	} else {
		for i, old := range it.kids {
			if old.name == kid.name {
				it.kids[i] = kid
				return
			}
		}
	}
	it.kids = append(it.kids, kid)
}
