package route

import (
	"fmt"
	"strings"

	"srvctl/worker/serve"
)

// tree holds the routes of a site by the segments of their paths.
type tree struct {
	root  node
	exact map[string]*leaf // paths without parameters, whole
	allow []byte           // the methods of all routes
}

// node is what a run of segments leads to.
type node struct {
	literal map[string]*node // by the next segment
	param   *node            // any next segment that is not empty
	leaf    *leaf            // the path ends here
	rest    *leaf            // "*" follows
}

// add adds a route. The number is its position in the site.
func (t *tree) add(number int, r Route) error {
	p, err := parse(r.Pattern)
	if err != nil {
		return fmt.Errorf("%q: %w", r.Pattern, err)
	}
	n := &t.root
	for _, seg := range p.segments {
		n = n.child(seg)
	}
	at := &n.leaf
	if p.rest {
		at = &n.rest
	}
	if *at == nil {
		*at = &leaf{}
	}
	if err := (*at).add(r.Methods, &target{r.Handler, number, p.names}); err != nil {
		return fmt.Errorf("%q: %w", r.Pattern, err)
	}
	if !p.rest && len(p.names) == 0 {
		if t.exact == nil {
			t.exact = map[string]*leaf{}
		}
		t.exact[r.Pattern] = n.leaf
	}
	return nil
}

// child returns the node of the next segment, made when there is none. A
// parameter is the segment "{".
func (n *node) child(seg string) *node {
	if seg == paramSegment {
		if n.param == nil {
			n.param = &node{}
		}
		return n.param
	}
	if n.literal == nil {
		n.literal = map[string]*node{}
	}
	next := n.literal[seg]
	if next == nil {
		next = &node{}
		n.literal[seg] = next
	}
	return next
}

// finish is called when all routes are there.
func (t *tree) finish() {
	var all methodSet
	t.root.finish(&all)
	t.allow = all.append(nil)
}

func (n *node) finish(all *methodSet) {
	for _, l := range []*leaf{n.leaf, n.rest} {
		if l != nil {
			l.finish()
			all.add(&l.methods)
		}
	}
	for _, next := range n.literal {
		next.finish(all)
	}
	if n.param != nil {
		n.param.finish(all)
	}
}

// pattern is a path pattern taken apart.
type pattern struct {
	segments []string // paramSegment for a {param}
	names    []string // of the params
	rest     bool     // ends in "*"
}

// paramSegment stands for a {param} among segments. A literal one cannot be
// that: parse refuses braces in it.
const paramSegment = "{"

func parse(s string) (p pattern, err error) {
	if !strings.HasPrefix(s, "/") {
		return p, fmt.Errorf("a path begins with a slash")
	}
	segments := strings.Split(s[1:], "/")
	if last := len(segments) - 1; segments[last] == "*" {
		p.rest = true
		segments = segments[:last]
	}
	for i, seg := range segments {
		name, isParam := strings.CutPrefix(seg, "{")
		switch {
		case isParam && strings.HasSuffix(name, "}") && len(name) > 1 && !strings.ContainsAny(name[:len(name)-1], "{}*"):
			p.names = append(p.names, name[:len(name)-1])
			seg = paramSegment
		case strings.ContainsAny(seg, "{}*"):
			return p, fmt.Errorf("segment %q: {name} and * are whole segments, * the last", seg)
		case seg == "" && (p.rest || i < len(segments)-1), seg == ".", seg == "..":
			return p, fmt.Errorf("no request has a path with segment %q", seg)
		}
		p.segments = append(p.segments, seg)
	}
	if len(p.names) > serve.MaxParams {
		return p, fmt.Errorf("%d parameters, at most %d are possible", len(p.names), serve.MaxParams)
	}
	return p, nil
}
