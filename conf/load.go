package conf

import "strings"

// Options say where a configuration comes from.
type Options struct {
	// File is the file to read; "" looks for one: $SRVCTL_CONFIG,
	// ./srvctl.yaml, /etc/srvctl/srvctl.yaml, and else takes the embedded
	// default.
	File string
	// Environ is the environment, as os.Environ gives it. Nil is an empty one.
	Environ []string
	// Set are the "key=value" of --set.
	Set []string
	// Dir is where the search and the relative paths of the environment, of
	// --set and of the embedded default start; "" is the working folder.
	Dir string
}

// Load reads and checks a configuration. The Config is usable if and only if
// the problems have not Failed; there may be warnings with it. It may be
// called from any goroutine, and takes as long as the disks take.
func Load(o Options) (*Config, Problems) {
	return load(o, hostSystem())
}

// Default is the configuration that is used when there is no file.
func Default() *Config {
	return newLoader(Options{}, hostSystem()).finish(nil, "", nil)
}

// loader is the state of one Load.
type loader struct {
	report
	sys *system
	dir string
	env map[string]string
	// asked are the variables that were looked for.
	asked map[string]bool

	files    []*source // in the order of reading
	watched  []Watched
	bytes    int // of all files
	values   int
	expanded int
	// broken: a file could not be read as a whole, so what seems to be missing
	// may only be unread.
	broken bool
}

func newLoader(o Options, sys *system) *loader {
	l := &loader{sys: sys, dir: o.Dir, env: make(map[string]string, len(o.Environ)), asked: make(map[string]bool)}
	if l.dir == "" {
		l.dir = sys.cwd
	}
	for _, e := range o.Environ {
		if name, value, ok := strings.Cut(e, "="); ok && name != "" {
			l.env[name] = value
		}
	}
	return l
}

func load(o Options, sys *system) (*Config, Problems) {
	l := newLoader(o, sys)
	var root *item
	name, err := l.search(o.File)
	switch {
	case err != nil:
		l.add(*err)
	case name != "":
		root = l.readFile(name, nil, 0)
	}
	main := ""
	if len(l.files) > 0 {
		main = l.files[0].path
	}
	return l.finish(root, main, o.Set), l.sorted()
}

// finish makes a Config of what the files gave; root is nil without a file.
func (l *loader) finish(root *item, file string, set []string) *Config {
	if root == nil {
		root = &item{key: schema}
	}
	l.addBuiltin(root, file)
	l.applyEnvironment(root)
	l.applySet(root, set)
	l.requireKeys(root)
	b := &builder{loader: l, root: root, config: &Config{File: file, Watch: l.watched, Given: l.given(set), root: root}}
	for _, f := range l.files {
		b.config.Files = append(b.config.Files, f.path)
	}
	b.build()
	return b.config
}

// requireKeys reports required keys that nobody wrote, unless their group has
// a mistake that may well be that key.
func (l *loader) requireKeys(it *item) {
	if it.bad {
		return
	}
	for _, k := range it.key.keys {
		if !k.is(required) || it.get(k.name) != nil || it.damaged || k.stage == later {
			continue
		}
		it.damaged = true
		l.add(Problem{Pos: it.pos(), Key: it.join(k.name), Message: "is missing", Allowed: "wanted: " + k.doc})
	}
	for _, kid := range it.kids {
		l.requireKeys(kid)
	}
}
