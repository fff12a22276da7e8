package conf

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"
)

const (
	// Comments stand in this column where the value leaves room for it.
	commentColumn = 44
	// Built-in texts longer than this, such as the welcome page, are cut: they
	// are no news to anybody.
	longestBuiltin = 60
)

// Render writes the effective configuration as YAML, with a comment behind
// each value that says where it came from. Reading it gives the same
// configuration again, but for the built-in welcome page, which is cut short.
func (c *Config) Render(w io.Writer) error {
	r := &renderer{config: c, w: bufio.NewWriter(w)}
	if c.root != nil {
		r.children(c.root, "")
	}
	return r.w.Flush()
}

type renderer struct {
	config *Config
	w      *bufio.Writer
}

// children writes what is in a group or list. The first line of a group in a
// list stands behind its dash.
func (r *renderer) children(it *item, indent string) {
	for _, kid := range it.effective() {
		r.child(it, kid, indent)
	}
}

func (r *renderer) child(parent, kid *item, indent string) {
	if parent.key.kind == list {
		// Groups only: lists of single values are leaves.
		for i, below := range kid.effective() {
			dash := "  "
			if i == 0 {
				dash = "- "
			}
			r.keyed(below, indent+dash, indent+"  ")
		}
		return
	}
	r.keyed(kid, indent, indent)
}

// keyed writes "key: value", or "key:" and what is in it.
func (r *renderer) keyed(it *item, first, rest string) {
	head := first + textYAML(it.name) + ":"
	if it.leaf() {
		value, note := r.config.shown(it)
		if it.from == nil && len(value) > longestBuiltin && it.key.kind == text {
			r.line(first+"# "+it.name+": "+value[:strings.LastIndexByte(value[:longestBuiltin], ' ')]+" ...", "default, "+itoa(len(it.text))+" bytes")
			return
		}
		r.line(head+" "+value, joinNote(it.origin(), note))
		return
	}
	if len(it.effective()) == 0 {
		if it.from != nil {
			r.line(head+" {}", it.origin())
		}
		return
	}
	r.line(head, "")
	r.children(it, rest+"  ")
}

func joinNote(origin, note string) string {
	if note == "" {
		return origin
	}
	return origin + ", " + note
}

func (r *renderer) line(text, comment string) {
	r.w.WriteString(text)
	if comment != "" {
		for n := len(text); n < commentColumn; n++ {
			r.w.WriteByte(' ')
		}
		r.w.WriteString(" # ")
		r.w.WriteString(comment)
	}
	r.w.WriteByte('\n')
}

// scalarYAML writes a single value so that it is read as the same again.
func scalarYAML(it *item) string { return writeYAML(it.key.kind, it.text) }

func writeYAML(k kind, v string) string {
	switch k {
	case word:
		if v != "" && isDigits(v) {
			return v // a status, which nobody writes in quotes
		}
	case flag, number, size, duration, rate, octal:
		return v
	}
	return textYAML(strings.ReplaceAll(v, "${", "$${"))
}

// textYAML writes a text: bare where nothing in it means anything to YAML,
// else in double quotes with the escapes of JSON, which YAML shares.
func textYAML(s string) string {
	bare := s != ""
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '/'
		bare = bare && (letter || i > 0 && (c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'))
	}
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		bare = false
	}
	if bare {
		return s
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}
