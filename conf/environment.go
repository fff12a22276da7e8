package conf

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Variable is an environment variable that sets a key.
type Variable struct {
	Name    string `json:"name"` // <NAME> in it stands for a name under listeners
	Key     string `json:"key"`
	Type    string `json:"type"`
	Default string `json:"default"`
	Doc     string `json:"doc"`
}

// Variables lists every variable that this version takes, in the order of the
// keys.
func Variables() []Variable {
	var all []Variable
	for _, v := range variables() {
		if v.key.reachable() != ready {
			continue
		}
		preset := ""
		if !v.key.is(required) {
			preset = presetText(v.key)
		}
		all = append(all, Variable{
			Name: v.prefix + v.hole + v.suffix, Key: v.key.path(), Type: v.key.typeText(),
			Default: preset, Doc: v.key.doc,
		})
	}
	return all
}

// typeText is the type for a table: "a number from 1 to 256, or auto".
func (k *key) typeText() string {
	s := strings.TrimPrefix(k.allowed(), "wanted: ")
	return strings.TrimPrefix(s, "allowed: ")
}

// reachable is the stage of a key together with the groups it is in.
func (k *key) reachable() stage {
	s := ready
	for ; k != nil; k = k.parent {
		s = max(s, k.stage)
	}
	return s
}

// variablePattern says how the variables of one key are called: always the
// same, or with an operator's name between prefix and suffix.
type variablePattern struct {
	key                  *key
	prefix, hole, suffix string
}

// variables are all patterns, also of keys that are not in this version.
var variables = sync.OnceValue(func() []variablePattern {
	var all []variablePattern
	schema.walk(func(k *key) {
		env := k.envName()
		if env == "" {
			return
		}
		v := variablePattern{key: k, prefix: env}
		if before, after, ok := strings.Cut(env, "<NAME>"); ok {
			v.prefix, v.hole, v.suffix = before, "<NAME>", after
		}
		all = append(all, v)
	})
	return all
})

// matchVariable finds the key that a variable sets, and the operator's name in it. Of
// several that fit, the one with the longest fixed part is meant.
func matchVariable(env string) (*key, string) {
	var best *variablePattern
	all := variables()
	for i := range all {
		v := &all[i]
		switch {
		case v.hole == "" && v.prefix != env:
			continue
		case v.hole != "" && !v.around(env):
			continue
		}
		if best == nil || len(v.prefix)+len(v.suffix) > len(best.prefix)+len(best.suffix) {
			best = v
		}
	}
	if best == nil {
		return nil, ""
	}
	return best.key, strings.ToLower(env[len(best.prefix) : len(env)-len(best.suffix)])
}

func (v *variablePattern) around(env string) bool {
	return len(env) > len(v.prefix)+len(v.suffix) &&
		strings.HasPrefix(env, v.prefix) && strings.HasSuffix(env, v.suffix)
}

// reserved are the variables that are no keys: where the file and the socket
// are.
var reserved = []string{"SRVCTL_CONFIG", "SRVCTL_SOCKET"}

// ignoredVariable reports whether a variable is none of ours: container
// platforms put SRVCTL_SERVICE_HOST, SRVCTL_PORT_80_TCP and the like into
// every container when a service is called srvctl.
func ignoredVariable(env string) bool {
	return !strings.HasPrefix(env, "SRVCTL_") || slices.Contains(reserved, env) ||
		strings.HasPrefix(env, "SRVCTL_SERVICE_") || strings.HasPrefix(env, "SRVCTL_PORT")
}

// applyEnvironment puts the values of SRVCTL_ variables over those of the
// files.
func (l *loader) applyEnvironment(root *item) {
	names := make([]string, 0, 8)
	for name := range l.env {
		if !ignoredVariable(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		from := &source{name: environmentPrefix + name, dir: l.dir, lenient: true}
		l.place(from.name)
		k, chosen := matchVariable(name)
		if k == nil {
			l.unknownVariable(name, from)
			continue
		}
		value, _ := l.variable(name)
		l.setVariable(root, k, chosen, from, value)
	}
}

func (l *loader) setVariable(root *item, k *key, chosen string, from *source, value string) {
	if !utf8.ValidString(value) {
		l.add(Problem{Pos: Pos{File: from.name}, Key: k.path(), Message: "the value is not UTF-8"})
		return
	}
	o := &override{decoder: decoder{loader: l, from: from}, root: root}
	o.set(stepsTo(root, k, chosen), envNode(k, value))
}

// envNode reads the value of a variable: as it stands, and for lists as YAML
// or as words with commas between them.
func envNode(k *key, value string) *yaml.Node {
	if k.kind != list {
		return plainNode(value)
	}
	if strings.HasPrefix(value, "[") {
		if n, wrong := parseYAML([]byte(value), ""); wrong == nil && n != nil {
			return n
		}
	}
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for word := range strings.SplitSeq(value, ",") {
		if word = strings.TrimSpace(word); word != "" {
			n.Content = append(n.Content, plainNode(word))
		}
	}
	return n
}

// unknownVariable warns, because variables come from many hands; one that
// names a group is an error, because somebody believes it to work.
func (l *loader) unknownVariable(name string, from *source) {
	p := Problem{Pos: Pos{File: from.name}, Message: "unknown variable, ignored", Warning: true,
		Allowed: "`srvctl config env` lists them"}
	for _, k := range schema.keys {
		if name == "SRVCTL_"+strings.ToUpper(k.name) {
			p.Key, p.Warning = k.name, false
			p.Message, p.Allowed = "a variable cannot set "+k.kind.String(), "write it in the file, or set the keys in it"
			l.add(p)
			return
		}
	}
	var all []string
	for _, v := range variables() {
		// "SRVCTL_LISTENERS_HTTP_ADRESS": compare with the operator's own name
		// in place.
		if v.hole == "" {
			all = append(all, v.prefix+v.suffix)
		} else if rest, ok := strings.CutPrefix(name, v.prefix); ok {
			own, _, _ := strings.Cut(rest, "_")
			all = append(all, v.prefix+own+v.suffix)
		}
	}
	p.Suggest = nearest(name, append(all, reserved...))
	l.add(p)
}

// envFold is a name under listeners as it looks in a variable.
func envFold(s string) string {
	return strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToLower(s))
}
