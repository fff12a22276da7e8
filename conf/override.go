package conf

import (
	"cmp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// override puts a value of the environment or of --set over what the files
// gave.
type override struct {
	decoder
	root *item
}

// step is one part of a key path: a name, or the index in a list.
type step struct {
	name  string
	index int // -1 for names
}

// applySet puts the values of --set over everything else. The last one of a
// key wins, as people expect of a command line.
func (l *loader) applySet(root *item, set []string) {
	for _, arg := range set {
		path, value, ok := strings.Cut(arg, "=")
		from := &source{name: setPrefix + cmp.Or(path, arg), dir: l.dir, lenient: true}
		l.place(from.name)
		fail := func(message, allowed string) {
			l.add(Problem{Pos: Pos{File: from.name}, Message: message, Allowed: allowed})
		}
		if !ok || path == "" {
			fail(quote(arg)+" sets nothing", "wanted: key=value, such as workers=2 or listeners.http.address=:9090")
			continue
		}
		node, wrong := parseYAML([]byte(value), "")
		switch {
		case wrong != nil:
			fail(wrong.Message, wrong.Allowed)
			continue
		case node == nil:
			node = plainNode("")
		}
		steps, wrongPath := parseSteps(path)
		if wrongPath != "" {
			fail(wrongPath, "a path looks like drain.timeout or sites[0].routes[2].match")
			continue
		}
		o := &override{decoder: decoder{loader: l, from: from}, root: root}
		o.set(steps, node)
	}
}

// parseSteps splits a path as messages show it:
// sites[0].routes[2].match, mime_types[".foo"].
func parseSteps(path string) (steps []step, wrong string) {
	bad := quote(path) + " is not a path of keys"
	for rest := path; rest != ""; {
		if rest[0] == '[' {
			s, after, ok := bracketStep(rest)
			if !ok || after != "" && after[0] != '[' && after[0] != '.' {
				return nil, bad
			}
			steps, rest = append(steps, s), after
			continue
		}
		if len(steps) > 0 {
			rest = strings.TrimPrefix(rest, ".")
		}
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		if end == 0 {
			return nil, bad
		}
		steps, rest = append(steps, step{rest[:end], -1}), rest[end:]
	}
	return steps, ""
}

// bracketStep reads [5] or ["name"].
func bracketStep(s string) (st step, after string, ok bool) {
	if quoted, err := strconv.QuotedPrefix(s[1:]); err == nil {
		name, _ := strconv.Unquote(quoted)
		after, ok = strings.CutPrefix(s[1+len(quoted):], "]")
		return step{name, -1}, after, ok
	}
	digits, after, ok := strings.Cut(s[1:], "]")
	n, err := strconv.Atoi(digits)
	return step{"", n}, after, ok && err == nil && n >= 0
}

// stepsTo is the path to a key that a variable sets. The name under listeners
// is that of a listener there is, or else a new one.
func stepsTo(root *item, k *key, chosen string) []step {
	p := k.parent
	switch {
	case p == nil:
		return nil
	case p.kind != named:
		return append(stepsTo(root, p, chosen), step{k.name, -1})
	}
	steps := stepsTo(root, p, chosen)
	if group := root.get(steps[0].name); group != nil {
		for _, kid := range group.kids {
			if envFold(kid.name) == envFold(chosen) {
				return append(steps, step{kid.name, -1})
			}
		}
	}
	return append(steps, step{chosen, -1})
}

// set walks to the place and puts the value there. Groups and names on the way
// come into being; entries of lists must be there.
func (o *override) set(steps []step, n *yaml.Node) {
	it := o.root
	for i, s := range steps {
		k, kid := o.next(it, s, steps[i:])
		if k == nil {
			return
		}
		if i < len(steps)-1 {
			if kid == nil || kid.bad {
				kid = &item{key: k, name: s.name, from: o.from}
				it.adopt(kid)
			}
			it = kid
			continue
		}
		o.put(it, k, s, n)
	}
}

func (o *override) put(it *item, k *key, s step, n *yaml.Node) {
	fresh := &item{key: k, parent: it, name: s.name, index: max(s.index, 0)}
	o.decode(fresh, n)
	switch {
	case fresh.bad:
	case k.stage == inert && !fresh.isPreset():
		o.notYet(it, s.name, fresh.pos())
	case s.index >= 0:
		it.kids[s.index] = fresh
	default:
		overlay(it, fresh)
	}
}

// next finds the table's entry and the present value one step further, or says
// why there is none.
func (o *override) next(it *item, s step, rest []step) (*key, *item) {
	pos := Pos{File: o.from.name}
	fail := func(message string) (*key, *item) {
		if s.index >= 0 && o.broken {
			return nil, nil // it may be in the file that could not be read
		}
		o.add(Problem{Pos: pos, Key: it.path(), Message: message})
		return nil, nil
	}
	switch k := it.key; {
	case s.index >= 0 && k.kind != list:
		return fail(k.kind.String() + " has no [" + itoa(s.index) + "]")
	case s.index >= len(it.kids) && s.index >= 0:
		return fail("there is no [" + itoa(s.index) + "]; there are " + itoa(len(it.kids)))
	case s.index >= 0:
		return k.elem, it.kids[s.index]
	case k.kind == list:
		return fail("which one? write [0] for the first")
	case k.kind == named:
		return k.elem, it.get(s.name)
	case k.kind != section:
		return fail(k.kind.String() + " has nothing called " + quote(rest[0].name))
	}
	k := o.lookup(it, &yaml.Node{Value: s.name})
	return k, it.get(s.name)
}

// overlay puts a value over the present one: groups key by key, so that what
// is not mentioned stays; everything else as a whole.
func overlay(it, fresh *item) {
	have := it.get(fresh.name)
	if have == nil || have.bad || fresh.key.kind != section && fresh.key.kind != named {
		it.adopt(fresh)
		return
	}
	for _, kid := range fresh.kids {
		overlay(have, kid)
	}
}
