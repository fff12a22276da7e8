package conf

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Change is one difference between two configurations.
type Change struct {
	// Key is the path of what is different. Sites are named by their first
	// host, routes by their match: `sites[example.com].routes["GET /a"].files.root`.
	Key string
	// Old and New are the values in full, as they would be written in YAML on
	// one line; a group's are what differs from its defaults. Old is "" for
	// what was added and New for what was removed: an empty text is `""`.
	Old, New string
	// Pos is where the new value was written. It is zero for what was removed
	// and for defaults.
	Pos Pos
	// Restart: a running server keeps the old value until its next start.
	Restart bool
}

// String gives the line that people read. Long values are shortened around
// where they differ.
//
//	workers: 2 -> 4
//	listeners.alt: added {address: ":81"} (srvctl.yaml:4:3)
//	sites[example.com].routes["/old"]: removed {respond: {body: bye}}
//	pid_file: /run/a.pid -> /run/b.pid; takes effect at the next start
func (c Change) String() string {
	var b strings.Builder
	b.WriteString(c.Key)
	before, after := shorten(c.Old, c.New)
	switch {
	case c.Old == "":
		b.WriteString(": added " + after)
		if at := c.Pos.String(); at != "" {
			b.WriteString(" (" + at + ")")
		}
	case c.New == "":
		b.WriteString(": removed " + before)
	default:
		b.WriteString(": " + before + " -> " + after)
	}
	if c.Restart {
		b.WriteString("; takes effect at the next start")
	}
	return b.String()
}

// MarshalJSON gives the same as an object for programs. A change without "old"
// is an addition, one without "new" a removal.
func (c Change) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Key     string `json:"key"`
		Old     string `json:"old,omitempty"`
		New     string `json:"new,omitempty"`
		File    string `json:"file,omitempty"`
		Line    int    `json:"line,omitempty"`
		Column  int    `json:"column,omitempty"`
		Restart bool   `json:"restart"`
	}{c.Key, c.Old, c.New, c.Pos.File, c.Pos.Line, c.Pos.Col, c.Restart})
}

const (
	// A value of a Change takes no more of a line than this.
	longestShown = 72
	// What two long values have in common is cut down to this.
	contextShown = 20
)

// shorten cuts two values so that both fit a line and still show where they
// differ.
func shorten(a, b string) (string, string) {
	if len(a) <= longestShown && len(b) <= longestShown {
		return a, b
	}
	same := 0
	for same < len(a) && same < len(b) && a[same] == b[same] {
		same++
	}
	skip := max(same-contextShown, 0)
	return excerpt(a, skip), excerpt(b, skip)
}

// excerpt is the part of a value from skip on, with dots where something is
// left out.
func excerpt(s string, skip int) string {
	for skip > 0 && skip < len(s) && !utf8.RuneStart(s[skip]) {
		skip--
	}
	head := ""
	if skip > 0 {
		head = "..."
	}
	s = s[min(skip, len(s)):]
	if len(s) <= longestShown {
		return head + s
	}
	cut := longestShown
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return head + s[:cut] + "..."
}
