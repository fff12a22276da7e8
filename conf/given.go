package conf

import (
	"slices"
	"strings"
)

// Given is what a Load was given besides its files, as far as that had a say:
// without it another process cannot read the same configuration.
type Given struct {
	// Dir is where relative paths of the environment and of --set start.
	Dir string
	// Set are the "key=value" of --set.
	Set []string
	// Environ are the variables that were looked for: "NAME=value", or "NAME"
	// for one that was not set. Sorted.
	Environ []string
}

// Options are those of the same Load as in the process that was given this, of
// another file if that is named, and with more of --set. The environment is
// that of the other process as far as it is known: of this one's, variables
// that set keys have no say, and others only where the other did not look for
// them.
func (g Given) Options(file string, environ, set []string) Options {
	known := make(map[string]bool, len(g.Environ))
	for _, e := range g.Environ {
		name, _, _ := strings.Cut(e, "=")
		known[name] = true
	}
	o := Options{File: file, Dir: g.Dir, Set: slices.Concat(g.Set, set), Environ: slices.Clone(g.Environ)}
	for _, e := range environ {
		if name, _, _ := strings.Cut(e, "="); !known[name] && !strings.HasPrefix(name, "SRVCTL_") {
			o.Environ = append(o.Environ, e)
		}
	}
	return o
}

// given tells what this Load was given.
func (l *loader) given(set []string) Given {
	g := Given{Dir: l.dir, Set: set}
	for name := range l.asked {
		if value, ok := l.env[name]; ok {
			name += "=" + value
		}
		g.Environ = append(g.Environ, name)
	}
	slices.Sort(g.Environ)
	return g
}

// variable gives an environment variable.
func (l *loader) variable(name string) (value string, set bool) {
	l.asked[name] = true
	value, set = l.env[name]
	return value, set
}
