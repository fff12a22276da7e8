package conf

import "strings"

// hostUse is a site that answers for a host, at a set of listeners.
type hostUse struct {
	listeners uint64 // bit i is the i-th listener; there are at most 64
	item      *item  // the host, or the site for the default site
	site      *item
}

func (b *builder) buildSites(it *item) {
	s := &siteSet{names: make(map[string]bool), hosts: make(map[string][]hostUse), bits: make(map[string]uint64)}
	for i, kid := range b.root.get("listeners").kids {
		s.bits[kid.name] = 1 << i
		s.all = append(s.all, kid.name)
	}
	b.config.Sites = make([]Site, 0, len(it.kids))
	for _, kid := range it.kids {
		if !kid.bad {
			b.config.Sites = append(b.config.Sites, b.site(kid, s))
		}
	}
	switch {
	case it.bad || b.errors > 0:
		// What is to be fixed may well be what seems to be missing.
	case len(it.kids) == 0:
		b.warn(it, "there is no site: every request is answered 404", "leave sites away for the welcome page", "")
	default:
		b.unusedListeners(s)
	}
}

// siteSet is what the sites have to share without conflict.
type siteSet struct {
	names map[string]bool
	hosts map[string][]hostUse
	bits  map[string]uint64 // of the listeners
	all   []string          // the listeners
	used  uint64
}

func (b *builder) unusedListeners(s *siteSet) {
	for _, kid := range b.root.get("listeners").kids {
		if s.used&s.bits[kid.name] == 0 {
			b.warn(kid, "no site is served at this listener: every request is answered 404", "name it under listeners of a site", "")
		}
	}
}

func (b *builder) site(it *item, s *siteSet) Site {
	site := Site{Pos: it.pos()}
	var mask uint64
	site.Listeners, mask = b.siteListeners(it, s)
	s.used |= mask
	b.siteHosts(it, &site, mask, s)
	site.Name = s.unique(&site)
	if log := it.get("access_log"); log != nil && !log.bad {
		a := b.accessLog(log)
		site.AccessLog = &a
	}
	routes := it.at("routes")
	if len(routes.kids) == 0 && !it.damaged && !routes.bad {
		b.warn(it, "the site has no routes: every request is answered 404", "", "")
	}
	site.Routes = b.routes(routes)
	return site
}

// unique names a site after its first host. Sites at different listeners may
// share that, but not the name in logs and metrics.
func (s *siteSet) unique(site *Site) string {
	base := "default"
	if len(site.Hosts) > 0 {
		base = site.Hosts[0]
	}
	name := base
	for i := 2; s.names[name]; i++ {
		name = base + "#" + itoa(i)
	}
	s.names[name] = true
	return name
}

// siteListeners gives the listeners a site is served at.
func (b *builder) siteListeners(it *item, s *siteSet) (names []string, mask uint64) {
	written := it.at("listeners")
	for _, kid := range written.kids {
		bit, known := s.bits[kid.text]
		switch {
		case kid.bad:
		case !known:
			// Not where the listeners themselves could not be read.
			if unread := b.broken || b.root.misspelt && b.root.get("listeners").from == nil; !unread {
				b.fault(kid, "there is no listener "+quote(kid.text), "known: "+strings.Join(s.all, ", "), nearest(kid.text, s.all))
			}
		case mask&bit != 0:
			b.fault(kid, "the listener "+kid.text+" is named twice", "once is allowed", "")
		default:
			names, mask = append(names, kid.text), mask|bit
		}
	}
	if len(written.kids) > 0 || written.bad {
		return names, mask
	}
	for _, name := range s.all {
		mask |= s.bits[name]
	}
	return s.all, mask
}

func (b *builder) siteHosts(it *item, site *Site, mask uint64, s *siteSet) {
	written := it.at("hosts")
	for _, kid := range written.kids {
		if kid.bad {
			continue
		}
		host, wrong := normalHost(kid.text)
		if wrong.message != "" {
			b.fault(kid, wrong.message, `wanted: a name such as example.com or "*.example.com", or an IP address`, wrong.suggest)
			continue
		}
		kid.text = host
		if b.claimHost(s, host, hostUse{mask, kid, it}) {
			site.Hosts = append(site.Hosts, host)
		}
	}
	if len(written.kids) == 0 && !written.bad && !it.misspelt {
		b.claimHost(s, "", hostUse{mask, it, it})
	}
}

// claimHost gives a host to a site, unless another one has it at one of the
// same listeners.
func (b *builder) claimHost(s *siteSet, host string, want hostUse) bool {
	for _, has := range s.hosts[host] {
		shared := has.listeners & want.listeners
		if shared == 0 {
			continue
		}
		where := has.site.path() + " (" + has.item.pos().String() + ")"
		switch at := s.some(shared); {
		case host == "":
			b.fault(want.item, "a second default site at listener "+at+"; the first is "+where,
				"write hosts for all sites but one, or use different listeners", "")
		case has.site == want.site:
			b.fault(want.item, "the host "+host+" is written twice, first at "+has.item.pos().String(), "once is allowed", "")
		default:
			b.fault(want.item, "the host "+host+" at listener "+at+" belongs to "+where+" already",
				"once per listener is allowed", "")
		}
		return false
	}
	s.hosts[host] = append(s.hosts[host], want)
	return true
}

// some names the first of a set of listeners.
func (s *siteSet) some(mask uint64) string {
	for _, name := range s.all {
		if s.bits[name]&mask != 0 {
			return name
		}
	}
	return ""
}
