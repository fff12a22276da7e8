package conf

import (
	"encoding/json"
	"io"
	"sort"
	"strconv"
	"strings"
)

// Pos is a place an operator can go to. Line and Col count from 1; they are 0
// for what stands in no file, and then File says what it is: "environment:
// SRVCTL_X" or "--set key". The zero Pos is a built-in default.
type Pos struct {
	File string
	Line int
	Col  int
}

// String gives "FILE:LINE:COL", or only what is known.
func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return p.File + ":" + strconv.Itoa(p.Line)
	}
	return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Col)
}

// Problem is one thing that is wrong, or worth saying, about a configuration.
type Problem struct {
	Pos     Pos
	Key     string // path of the key, "sites[0].routes[2].match"; "" when it is about the file
	Message string // what is wrong
	Allowed string // what is allowed instead; may be empty
	Suggest string // what was probably meant; may be empty
	Warning bool   // the configuration is usable all the same
}

// Error gives the line the operator reads:
//
//	FILE:LINE:COL: key.path: what is wrong; what is allowed (did you mean "x"?)
func (p Problem) Error() string {
	var b strings.Builder
	for _, head := range []string{p.Pos.String(), p.Key} {
		if head != "" {
			b.WriteString(head)
			b.WriteString(": ")
		}
	}
	if p.Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(p.Message)
	if p.Allowed != "" {
		b.WriteString("; ")
		b.WriteString(p.Allowed)
	}
	if p.Suggest != "" {
		b.WriteString(" (did you mean ")
		b.WriteString(quote(p.Suggest))
		b.WriteString("?)")
	}
	return b.String()
}

// MarshalJSON gives the same as an object for programs.
func (p Problem) MarshalJSON() ([]byte, error) {
	severity := "error"
	if p.Warning {
		severity = "warning"
	}
	return json.Marshal(struct {
		File     string `json:"file"`
		Line     int    `json:"line,omitempty"`
		Column   int    `json:"column,omitempty"`
		Key      string `json:"key,omitempty"`
		Severity string `json:"severity"`
		Message  string `json:"message"`
		Allowed  string `json:"allowed,omitempty"`
		Suggest  string `json:"suggest,omitempty"`
	}{p.Pos.File, p.Pos.Line, p.Pos.Col, p.Key, severity, p.Message, p.Allowed, p.Suggest})
}

// Problems are all problems of a configuration, sorted: the main file, the
// included ones in the order they were read, the environment, --set; inside
// each by line and column.
type Problems []Problem

// Error gives a line for each problem, without a newline at the end.
func (p Problems) Error() string {
	var b strings.Builder
	for i, one := range p {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(one.Error())
	}
	return b.String()
}

// Failed reports whether there is any problem that is not a warning.
func (p Problems) Failed() bool { return len(p.Errors()) > 0 }

// Errors gives the problems that make a configuration unusable.
func (p Problems) Errors() Problems { return p.only(false) }

// Warnings gives the problems that do not.
func (p Problems) Warnings() Problems { return p.only(true) }

func (p Problems) only(warning bool) Problems {
	var some Problems
	for _, one := range p {
		if one.Warning == warning {
			some = append(some, one)
		}
	}
	return some
}

// RenderJSON writes the problems as one JSON array, "[]" when there are none.
func (p Problems) RenderJSON(w io.Writer) error {
	if p == nil {
		p = Problems{}
	}
	return writeJSON(w, p)
}

// report collects the problems of one Load.
type report struct {
	found   Problems
	errors  int
	dropped int            // beyond maxProblems
	order   map[string]int // file name -> place in the order of reading
}

// add keeps a problem, up to maxProblems. The first error is kept in any case:
// warnings must never hide why a configuration is refused.
func (r *report) add(p Problem) {
	if !p.Warning {
		r.errors++
	}
	if r.full() && (p.Warning || r.errors > 1) {
		r.dropped++
		return
	}
	r.found = append(r.found, p)
}

// full reports whether further problems are only counted.
func (r *report) full() bool { return len(r.found) >= maxProblems }

// place gives a file, an environment variable or an argument its rank.
func (r *report) place(file string) {
	if r.order == nil {
		r.order = make(map[string]int)
	}
	if _, known := r.order[file]; !known {
		r.order[file] = len(r.order)
	}
}

func (r *report) sorted() Problems {
	sort.SliceStable(r.found, func(i, j int) bool {
		a, b := r.found[i].Pos, r.found[j].Pos
		if x, y := r.order[a.File], r.order[b.File]; x != y {
			return x < y
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Col < b.Col
	})
	if r.dropped > 0 {
		r.found = append(r.found, Problem{
			Message: strconv.Itoa(r.dropped) + " further problems are not shown",
			Warning: r.errors == 0,
		})
	}
	return r.found
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
