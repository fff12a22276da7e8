package conf

import "strings"

// priorRoute is a route that has a pattern already.
type priorRoute struct {
	match *match
	item  *item
}

func (b *builder) routes(it *item) []Route {
	routes := make([]Route, 0, len(it.kids))
	taken := make(map[string][]priorRoute, len(it.kids))
	for _, kid := range it.kids {
		if kid.bad {
			continue
		}
		r := Route{Pos: kid.pos()}
		m := b.match(kid, taken)
		if m != nil {
			r.Match, r.Methods, r.Pattern = kid.str("match"), m.methods, m.pattern
		}
		b.handler(kid, &r, m)
		routes = append(routes, r)
	}
	return routes
}

// match reads a route's match. Without a good one it gives nil, and what is
// checked against the match is left out.
func (b *builder) match(it *item, taken map[string][]priorRoute) *match {
	written := it.get("match")
	if written == nil || written.bad {
		return nil
	}
	m, wrong := parseMatch(written.text)
	if wrong.message != "" {
		b.fault(written, wrong.message, wantMatch, wrong.suggest)
		return nil
	}
	for _, prior := range taken[m.same] {
		both := m.overlaps(prior.match)
		if both == "" {
			continue
		}
		first := prior.item.get("match").pos().String()
		b.fault(written, quote(written.text)+" never matches: "+prior.item.path()+" ("+first+") has this path for "+both+" already",
			"one route for a path and method is allowed", "")
		return &m
	}
	taken[m.same] = append(taken[m.same], priorRoute{&m, it})
	return &m
}

// handler finds the one way in which a route answers.
func (b *builder) handler(it *item, r *Route, m *match) {
	var has []*item
	for _, kid := range it.kids {
		if kid.key.is(handler) {
			has = append(has, kid)
		}
	}
	switch {
	case len(has) > 1:
		names := make([]string, len(has))
		for i, h := range has {
			names[i] = h.name
		}
		b.fault(it, "the route has "+itoa(len(has))+" handlers: "+strings.Join(names, ", "), "one of them is allowed", "")
		return
	case len(has) == 0 && it.damaged:
		return // it may be the handler that was misspelt
	case len(has) == 0:
		b.fault(it, "the route has no handler", "wanted: one of "+strings.Join(handlerNames(), ", "), "")
		return
	}
	h := has[0]
	if h.bad {
		return
	}
	switch h.name {
	case "respond":
		r.Respond = b.respond(h, m)
	case "redirect":
		r.Redirect = b.redirect(h, m)
	case "files":
		r.Files = b.files(h)
	case "health":
		r.Health = &Health{h.str("kind")}
	case "echo":
		r.Echo = &Echo{h.str("what")}
	}
}

func handlerNames() []string {
	var names []string
	for _, k := range schema.child("sites").elem.child("routes").elem.keys {
		if k.is(handler) && k.stage == ready {
			names = append(names, k.name)
		}
	}
	return names
}
