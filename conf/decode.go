package conf

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// decoder turns the yaml.Nodes of one source into items, following the table.
// It reports what it refuses and goes on, so that one reading finds all
// problems.
type decoder struct {
	*loader
	from *source
}

// at is the place of a node.
func (d *decoder) at(n *yaml.Node) Pos { return d.from.at(n.Line, n.Column) }

// decode fills it from a node. The depth of its recursion is the depth of the
// table, whatever the input.
func (d *decoder) decode(it *item, n *yaml.Node) {
	n = follow(n)
	it.from, it.line, it.col = d.from, n.Line, n.Column
	if !d.count(it) {
		return
	}
	if n.Style&yaml.TaggedStyle != 0 {
		d.refuse(it, "YAML tags such as "+n.Tag+" are not used here", it.key.allowed(), "")
		return
	}
	switch it.key.kind {
	case section, named:
		if n.Kind == yaml.MappingNode {
			d.mapping(it, n)
			return
		}
	case list:
		if n.Kind == yaml.SequenceNode {
			d.sequence(it, n)
			return
		}
	default:
		if n.Kind == yaml.ScalarNode {
			d.scalar(it, n)
			return
		}
	}
	// A group or list of which everything is commented out is an empty one.
	if !it.key.kind.scalar() && isNull(n) {
		return
	}
	d.wrongKind(it, n)
}

func (d *decoder) wrongKind(it *item, n *yaml.Node) {
	suggest := ""
	if it.key.kind == list && n.Kind == yaml.ScalarNode {
		suggest = "[" + n.Value + "]"
	}
	d.refuse(it, describe(n)+" stands here", it.key.allowed(), suggest)
}

func (d *decoder) mapping(it *item, n *yaml.Node) {
	pairs := d.pairs(it, n)
	if it.key.kind == named && len(pairs) > int(it.key.max) && it.key.max > 0 {
		d.refuse(it, strconv.Itoa(len(pairs))+" entries", "at most "+strconv.FormatInt(it.key.max, 10)+" are taken", "")
		return
	}
	it.kids = make([]*item, 0, len(pairs))
	for _, p := range pairs {
		k := it.key.elem
		if it.key.kind == section {
			if k = d.lookup(it, p.key); k == nil {
				continue
			}
		}
		kid := &item{key: k, parent: it, name: p.key.Value, keyLine: p.key.Line, keyCol: p.key.Column}
		d.decode(kid, p.value)
		if k.stage == inert && !kid.bad && !kid.isPreset() {
			d.notYet(it, kid.name, kid.pos())
		}
		it.damaged = it.damaged || kid.bad
		it.kids = append(it.kids, kid)
	}
}

// lookup finds the table's entry for a key that was written, or says why there
// is none.
func (d *decoder) lookup(it *item, n *yaml.Node) *key {
	k := it.key.child(n.Value)
	pos := d.at(n)
	switch {
	case k == nil:
		it.damaged, it.misspelt = true, true
		if d.full() { // a megabyte of them should not cost a suggestion each
			d.add(Problem{Pos: pos, Message: "unknown key"})
			return nil
		}
		d.add(unknownKey(it, n.Value, pos))
		return nil
	case k.stage == later:
		d.notYet(it, n.Value, pos)
		return nil
	case k.is(fileOnly) && d.from.path == "":
		it.damaged = true
		d.add(Problem{Pos: pos, Key: it.join(n.Value), Message: "works in a file only"})
		return nil
	}
	return k
}

func unknownKey(it *item, name string, pos Pos) Problem {
	all := make([]string, len(it.key.keys))
	for i, k := range it.key.keys {
		all[i] = k.name
	}
	p := Problem{Pos: pos, Key: it.join(name), Message: "unknown key"}
	// A slip of one letter is one; otherwise a key of that very name somewhere
	// else is nearer than a similar one here.
	p.Suggest = cmp.Or(nearestWithin(1, name, all), elsewhere(it.key, name), nearest(name, all))
	known := it.key.names()
	if len(known) <= 12 || p.Suggest == "" {
		p.Allowed = "allowed: " + strings.Join(known, ", ")
	}
	return p
}

func (d *decoder) notYet(it *item, name string, pos Pos) {
	it.damaged = true
	p := Problem{Pos: pos, Key: it.join(name), Message: "not yet in this version"}
	if k := it.key.child(name); k != nil && k.stage == inert {
		p.Allowed = "only " + presetText(k) + " works so far"
	}
	d.add(p)
}

func (d *decoder) sequence(it *item, n *yaml.Node) {
	if limit := int(it.key.max); limit > 0 && len(n.Content) > limit {
		d.refuse(it, strconv.Itoa(len(n.Content))+" entries", "at most "+strconv.Itoa(limit)+" are taken", "")
		return
	}
	it.kids = make([]*item, 0, len(n.Content))
	for i, c := range n.Content {
		kid := &item{key: it.key.elem, parent: it, index: i}
		d.decode(kid, c)
		kid.keyLine, kid.keyCol = kid.line, kid.col
		it.damaged = it.damaged || kid.bad
		it.kids = append(it.kids, kid)
	}
}

func (d *decoder) scalar(it *item, n *yaml.Node) {
	k := it.key
	if isNull(n) && !d.from.lenient {
		d.refuse(it, "no value stands here", k.allowed(), "")
		return
	}
	value, expanded, wrong := d.expand(n.Value, d.from)
	if wrong.message != "" {
		d.refuse(it, wrong.message, "", wrong.suggest)
		return
	}
	if !expanded && !d.from.lenient {
		quoted := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0
		switch {
		case quoted && (k.kind == number || k.kind == flag) && !slices.Contains(k.words, value):
			d.refuse(it, quote(value)+" in quotes is a text", k.allowed(), unquoted(k, value))
			return
		case (k.kind == name || k.kind == path) && n.Tag != "!!str":
			d.refuse(it, value+" is "+describe(n)+" to YAML", k.allowed()+", here in quotes", "")
			return
		}
	}
	num, wrong := k.parse(value)
	if wrong.message != "" {
		d.refuse(it, wrong.message, k.allowed(), wrong.suggest)
		return
	}
	if k.kind == path && !slices.Contains(k.words, value) {
		if value == "" {
			d.refuse(it, "the path is empty", k.allowed(), "")
			return
		}
		value = d.from.absolute(value)
	}
	it.text, it.num = value, num
}

// unquoted suggests the bare value where that would be right.
func unquoted(k *key, value string) string {
	if _, wrong := k.parse(value); wrong.message == "" {
		return value
	}
	return ""
}

// isPreset reports whether the value of an inert key, which is never a text,
// says the same as its default.
func (it *item) isPreset() bool {
	p := it.key.preset
	if it.key.kind == list {
		return len(it.kids) == len(p.kids)
	}
	return it.num == p.num
}

// presetText is a default as it would be written.
func presetText(k *key) string {
	switch {
	case k.kind == list:
		return "[" + strings.Join(k.defList, ", ") + "]"
	case k.preset.text == "":
		return `""`
	}
	return k.preset.text
}

// refuse reports that the value of an item cannot be used.
func (l *loader) refuse(it *item, message, allowed, suggest string) {
	it.bad = true
	if it.parent != nil {
		it.parent.damaged = true
	}
	l.add(Problem{Pos: it.pos(), Key: it.path(), Message: message, Allowed: allowed, Suggest: suggest})
}

// count bounds how many values there are. It reports once.
func (l *loader) count(it *item) bool {
	l.values++
	if l.values == maxValues+1 {
		l.refuse(it, "more than "+strconv.Itoa(maxValues)+" values, aliases followed", "", "")
	}
	if l.values > maxValues {
		it.bad = true
		return false
	}
	return true
}

// follow gives the node an alias stands for. An alias never stands for another.
func follow(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// describe says what a node is, to people.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a group of keys"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "no value"
	case n.Tag == "!!int" || n.Tag == "!!float":
		return "a number"
	case n.Tag == "!!bool":
		return "true or false"
	case n.Tag == "!!timestamp":
		return "a date"
	}
	return "a text"
}
