package conf

import (
	"strings"
	"unicode/utf8"
)

// expand replaces ${VAR} and ${VAR:-default} in a value of a file; $${ is a
// literal ${. Everything else stays as it is, also $VAR and a lone $. The
// result is not looked at again, so a variable cannot bring in another one.
func (l *loader) expand(s string, from *source) (string, bool, fault) {
	// Arguments were expanded by the shell, if somebody wanted that.
	if from.lenient || !strings.Contains(s, "${") {
		return s, false, fault{}
	}
	out, wrong := expand(s, l.variable)
	if wrong.message == "" {
		if l.expanded += len(out); l.expanded > maxExpandedBytes {
			wrong.message = "the variables of this configuration give more than " + formatSize(maxExpandedBytes)
		}
	}
	return out, true, wrong
}

func expand(s string, lookup func(string) (string, bool)) (string, fault) {
	var b strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			return b.String(), fault{}
		}
		if i > 0 && s[i-1] == '$' {
			b.WriteString(s[:i-1])
			b.WriteString("${")
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		end := strings.IndexByte(s[i:], '}')
		if end < 0 {
			return "", fault{message: "${ without }; write $${ where ${ is meant as it stands"}
		}
		value, wrong := variable(s[i+2:i+end], lookup)
		if wrong.message != "" {
			return "", wrong
		}
		b.WriteString(value)
		if b.Len() > maxTextBytes {
			return "", fault{message: "the variables give more than " + formatSize(maxTextBytes)}
		}
		s = s[i+end+1:]
	}
}

// variable gives what stands for NAME or NAME:-default. As in a shell, an
// empty variable takes the default too.
func variable(inside string, lookup func(string) (string, bool)) (string, fault) {
	name, preset, hasPreset := strings.Cut(inside, ":-")
	if !validVariable(name) {
		return "", fault{message: "${" + inside + "} does not name a variable; write ${NAME}, ${NAME:-default}, or $${ where ${ is meant as it stands"}
	}
	if strings.Contains(preset, "${") {
		return "", fault{message: "the default in ${" + name + ":-...} has another ${; they cannot be nested"}
	}
	value, set := lookup(name)
	switch {
	case hasPreset && value == "":
		return preset, fault{}
	case !set:
		return "", fault{message: "the environment variable " + name + " is not set; set it, or write ${" + name + ":-default}"}
	case !utf8.ValidString(value):
		return "", fault{message: "the environment variable " + name + " is not UTF-8"}
	}
	return value, fault{}
}

func validVariable(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
