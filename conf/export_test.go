package conf

import (
	"os/user"
	"slices"
	"strings"
)

// Host is what tests put in place of the machine they run on, so that goldens
// are the same everywhere.
type Host struct {
	CPUs          int
	Root          bool
	Users, Groups []string
}

// LoadOn is Load on another host. Files and folders are the real ones.
func LoadOn(h Host, o Options) (*Config, Problems) {
	sys := hostSystem()
	sys.cpus, sys.root = h.CPUs, h.Root
	sys.user = func(name string) error {
		if slices.Contains(h.Users, name) {
			return nil
		}
		return user.UnknownUserError(name)
	}
	sys.group = func(name string) error {
		if slices.Contains(h.Groups, name) {
			return nil
		}
		return user.UnknownGroupError(name)
	}
	return load(o, sys)
}

// Canonical is what Encode gives without what is no difference: positions,
// files, and the order of things that are found by name.
func Canonical(c *Config) string {
	d := *c
	d.File, d.Files, d.Given = "", nil, Given{}
	d.Listeners = slices.Clone(d.Listeners)
	for i := range d.Listeners {
		d.Listeners[i].Pos = Pos{}
	}
	slices.SortFunc(d.Listeners, func(a, b Listener) int { return strings.Compare(a.Name, b.Name) })
	d.Sites = slices.Clone(d.Sites)
	for i := range d.Sites {
		s := &d.Sites[i]
		s.Pos = Pos{}
		s.Listeners = slices.Sorted(slices.Values(s.Listeners))
		s.Routes = slices.Clone(s.Routes)
		for j := range s.Routes {
			s.Routes[j].Pos = Pos{}
		}
		slices.SortFunc(s.Routes, func(a, b Route) int { return strings.Compare(a.Match, b.Match) })
	}
	slices.SortFunc(d.Sites, func(a, b Site) int { return strings.Compare(a.Name, b.Name) })
	b, err := d.Encode()
	if err != nil {
		panic(err)
	}
	return string(b)
}
