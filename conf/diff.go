package conf

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Diff lists what a server that runs with the old configuration would do
// otherwise with the new one, in the order of the table. Elements are compared
// with those of the same name, wherever they stand: listeners, file types and
// fields by their name, sites by their hosts, routes by their match. So an order
// that means nothing is no change. Neither are comments, the files that a value
// stands in, and values that are written in another way.
//
// Both are what Load or Decode gave; positions are there for a new one from
// Load. What it takes grows with the size of both: for 100,000 routes it is a
// fraction of a second.
func Diff(old, new *Config) []Change {
	d := &differ{old: old, new: new, fields: make(map[*key]int)}
	d.section(both{schema, "", reflect.ValueOf(old).Elem(), reflect.ValueOf(new).Elem(), new.root})
	return d.found
}

type differ struct {
	old, new *Config
	found    []Change
	fields   map[*key]int // the field of a Config's struct that has a key's value
}

// both is one key in both configurations.
type both struct {
	key      *key
	path     string
	old, new reflect.Value
	item     *item // where the new value was written; nil when that is not known
}

// below is a key of a section in both.
func (d *differ) below(p both, k *key) both {
	q := both{key: k, path: joinName(p.path, k.name), old: d.field(p.old, k), new: d.field(p.new, k)}
	if p.item != nil {
		q.item = p.item.get(k.name)
	}
	return q
}

func joinName(path, name string) string {
	var b strings.Builder
	b.WriteString(path)
	writeName(&b, name)
	return b.String()
}

// section compares key by key.
func (d *differ) section(p both) {
	for _, k := range p.key.keys {
		if !k.inConfig() {
			continue
		}
		q := d.below(p, k)
		switch {
		case k.kind == section:
			d.group(q)
		case k.hasElements():
			d.elements(q)
		case k == siteListeners:
			d.servedAt(q)
		default:
			d.leaf(q, k.applies(p.old), k.applies(p.new))
		}
	}
}

// group compares groups of keys, of which one may be absent.
func (d *differ) group(p both) {
	if p.old.Kind() != reflect.Pointer {
		d.section(p)
		return
	}
	switch had, has := !p.old.IsNil(), !p.new.IsNil(); {
	case had && has:
		p.old, p.new = p.old.Elem(), p.new.Elem()
		d.section(p)
	case had:
		d.removed(p.key, p.path, p.old)
	case has:
		d.added(p.key, p.path, p.new, p.item)
	}
}

// leaf compares single values and lists of them. A key that does not apply on
// one side, such as the mode of a TCP listener, is one that was left away there.
func (d *differ) leaf(p both, had, has bool) {
	var old, new string
	if had {
		old = p.key.show(p.old)
	}
	if has {
		new = p.key.show(p.new)
	}
	preset := p.key.showPreset()
	if old == new || had != has && (old == preset || new == preset) {
		return
	}
	d.add(Change{Key: p.path, Old: old, New: new, Pos: place(p.item, (*item).pos), Restart: p.key.is(restart)})
}

// servedAt compares the listeners of a site, which are all when none was
// named: one listener more is not a change of every site.
func (d *differ) servedAt(p both) {
	oldAll, newAll := p.old.Len() == len(d.old.Listeners), p.new.Len() == len(d.new.Listeners)
	if oldAll && newAll || slices.Equal(sorted(p.old), sorted(p.new)) {
		return
	}
	show := func(v reflect.Value, all bool) string {
		if all {
			return "all"
		}
		return p.key.show(v)
	}
	d.add(Change{Key: p.path, Old: show(p.old, oldAll), New: show(p.new, newAll), Pos: place(p.item, (*item).pos)})
}

func sorted(texts reflect.Value) []string {
	return slices.Sorted(slices.Values(texts.Interface().([]string)))
}

// elements compares groups of names and lists of groups. What was removed comes
// last, as it has no place among the others any more.
func (d *differ) elements(p both) {
	olds, news := elementsOf(p.old, nil), elementsOf(p.new, p.item)
	partner, left := partners(olds, news)
	for i, e := range news {
		path := p.key.elementPath(p.path, e.name)
		switch {
		case partner[i] < 0:
			d.added(p.key.elem, path, e.value, e.item)
		case p.key.elem.kind == section:
			d.section(both{p.key.elem, path, olds[partner[i]].value, e.value, e.item})
		default:
			d.leaf(both{p.key.elem, path, olds[partner[i]].value, e.value, e.item}, true, true)
		}
	}
	for _, i := range left {
		d.removed(p.key.elem, p.key.elementPath(p.path, olds[i].name), olds[i].value)
	}
	if p.key == responseHeaders && len(left) == 0 && len(olds) == len(news) && !slices.IsSorted(partner) {
		d.add(Change{Key: p.path, Old: order(olds), New: order(news), Pos: place(p.item, (*item).keyPos)})
	}
}

func (d *differ) added(k *key, path string, v reflect.Value, it *item) {
	d.add(Change{Key: path, New: d.summary(d.new, k, v), Pos: place(it, (*item).keyPos)})
}

func (d *differ) removed(k *key, path string, v reflect.Value) {
	d.add(Change{Key: path, Old: d.summary(d.old, k, v)})
}

func (d *differ) add(c Change) { d.found = append(d.found, c) }

func place(it *item, at func(*item) Pos) Pos {
	if it == nil {
		return Pos{}
	}
	return at(it)
}

// element is one of a group of names or of a list of groups.
type element struct {
	name  string   // unique among its neighbours
	also  []string // other names that tell that it is the same
	value reflect.Value
	item  *item
}

// elementsOf lists the elements of a slice or map of a Config. In a usable
// Config they are in the order in which they were written.
func elementsOf(v reflect.Value, it *item) []element {
	if v.Kind() == reflect.Map {
		return namesOf(v, it)
	}
	all := make([]element, v.Len())
	for i := range all {
		e := element{value: v.Index(i)}
		switch x := e.value.Addr().Interface().(type) {
		case *Listener:
			e.name = x.Name
		case *Site:
			e.name, e.also = x.Name, x.Hosts
		case *Route:
			e.name = x.Match
		case *Header:
			e.name, e.value = x.Name, e.value.FieldByName("Value")
		}
		if it != nil && len(it.kids) == len(all) {
			e.item = it.kids[i]
		}
		all[i] = e
	}
	return all
}

func namesOf(v reflect.Value, it *item) []element {
	all := make([]element, 0, v.Len())
	for _, name := range v.MapKeys() {
		all = append(all, element{name: name.String(), value: v.MapIndex(name)})
	}
	slices.SortFunc(all, func(a, b element) int { return strings.Compare(a.name, b.name) })
	for i := range all {
		if it == nil {
			break
		}
		for _, kid := range it.kids {
			if strings.EqualFold(kid.name, all[i].name) {
				all[i].item = kid
			}
		}
	}
	return all
}

// partners gives for each new element the number of the old one it is compared
// with, or -1: the one of the same name, else one that shares another name.
// left are the old ones that are nobody's.
func partners(olds, news []element) (partner, left []int) {
	byName := make(map[string]int, len(olds))
	for i, e := range olds {
		byName[e.name] = i
	}
	partner = make([]int, len(news))
	free := make([]bool, len(olds))
	for i := range free {
		free[i] = true
	}
	for i, e := range news {
		partner[i] = -1
		if at, ok := byName[e.name]; ok {
			partner[i], free[at] = at, false
		}
	}
	clear(byName)
	for i, e := range olds {
		for _, name := range e.also {
			if _, taken := byName[name]; free[i] && !taken {
				byName[name] = i
			}
		}
	}
	for i, e := range news {
		for _, name := range e.also {
			if at, ok := byName[name]; ok && partner[i] < 0 && free[at] {
				partner[i], free[at] = at, false
			}
		}
	}
	for i, is := range free {
		if is {
			left = append(left, i)
		}
	}
	return partner, left
}

func order(all []element) string {
	names := make([]string, len(all))
	for i, e := range all {
		names[i] = textYAML(e.name)
	}
	return "[" + strings.Join(names, ", ") + "]"
}

// elementPath is the path of an element: names as everywhere, sites by their
// name, routes by their match.
func (k *key) elementPath(path, name string) string {
	switch {
	case k.kind == named:
		return joinName(path, name)
	case k == schema.child("sites"):
		return path + "[" + name + "]"
	}
	return path + "[" + strconv.Quote(name) + "]"
}
