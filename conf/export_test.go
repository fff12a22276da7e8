package conf

import (
	"os/user"
	"slices"
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
