package conf

import (
	"strconv"

	"gopkg.in/yaml.v3"
)

// pair is one key of a mapping and its value.
type pair struct{ key, value *yaml.Node }

// pairs lists a mapping's keys in the order they were written, with merge keys
// ("<<: *other") replaced by what they bring in. A key written twice is an
// error; a key that is merged in as well is not, the written one wins.
func (d *decoder) pairs(it *item, n *yaml.Node) []pair {
	own := &pairSet{list: make([]pair, 0, len(n.Content)/2)}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode || k.Style&yaml.TaggedStyle != 0:
			it.damaged = true
			d.add(Problem{Pos: d.at(k), Key: it.path(),
				Message: describe(k) + " stands in place of a key", Allowed: "keys are plain words"})
		case k.Tag == mergeTag:
			merges = append(merges, v)
		case !own.add(k, v):
			first := own.find(k.Value)
			d.twice(it, k, d.at(first))
		}
	}
	for _, m := range merges {
		d.merge(it, own, m, 0)
	}
	return own.list
}

// mergeTag is what yaml.v3 gives a plain "<<".
const mergeTag = "!!merge"

func (d *decoder) twice(it *item, k *yaml.Node, first Pos) {
	d.add(Problem{Pos: d.at(k), Key: it.join(k.Value),
		Message: "written twice, first at " + first.String(), Allowed: "once is allowed"})
}

// merge adds the pairs that a merge key brings in and that are not there yet.
// Of several mappings the first one wins, as YAML has it. Everything looked at
// is counted, so that aliases of aliases end somewhere.
func (d *decoder) merge(it *item, own *pairSet, n *yaml.Node, depth int) {
	n = follow(n)
	bad := func(why string) {
		it.damaged = true
		d.add(Problem{Pos: d.at(n), Key: it.join("<<"), Message: why,
			Allowed: "wanted: an alias of a group of keys, or a list of such"})
	}
	switch {
	case depth > maxMergeDepth:
		bad("merge keys more than " + strconv.Itoa(maxMergeDepth) + " deep")
	case n.Kind == yaml.SequenceNode:
		for _, c := range n.Content {
			if !d.count(it) {
				return
			}
			d.merge(it, own, c, depth+1)
		}
	case n.Kind == yaml.MappingNode:
		d.mergeMapping(it, own, n, depth)
	default:
		bad(describe(n) + " stands here")
	}
}

func (d *decoder) mergeMapping(it *item, own *pairSet, n *yaml.Node, depth int) {
	var deeper []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !d.count(it) {
			return
		}
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode:
		case k.Tag == mergeTag:
			deeper = append(deeper, v)
		default:
			own.add(k, v)
		}
	}
	for _, m := range deeper {
		d.merge(it, own, m, depth+1)
	}
}

// pairSet is a list of pairs without duplicates. It looks through the list
// while that is short, which it nearly always is, and makes a map after that.
type pairSet struct {
	list []pair
	many map[string]*yaml.Node
}

const fewPairs = 16

// find gives the key of that name, or nil.
func (s *pairSet) find(name string) *yaml.Node {
	if s.many != nil {
		return s.many[name]
	}
	for _, p := range s.list {
		if p.key.Value == name {
			return p.key
		}
	}
	return nil
}

// add reports false when the key is there already, and then changes nothing.
func (s *pairSet) add(k, v *yaml.Node) bool {
	if s.find(k.Value) != nil {
		return false
	}
	s.list = append(s.list, pair{k, v})
	if s.many == nil && len(s.list) > fewPairs {
		s.many = make(map[string]*yaml.Node, 2*len(s.list))
		for _, p := range s.list {
			s.many[p.key.Value] = p.key
		}
	}
	if s.many != nil {
		s.many[k.Value] = k
	}
	return true
}
