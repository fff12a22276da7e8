package wire

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// script is one file of testdata.
type script struct {
	title  string
	server string   // the configuration it is for
	why    []string // the lines between title and first step, as they are
	parts  []part
}

// part is one connection of a script.
type part struct {
	why      string // why there is another connection
	onePiece string // why it must not be cut into pieces, "" when it may
	counted  string // reason of the parse error
	steps    []step
}

type action int

const (
	send    action = iota
	receive        // to the byte
	endSide        // the client shuts down its sending side
	closes         // the server ends the connection, the last step
	open           // the connection can be used again, the last step
)

type step struct {
	do   action
	data []byte   // of send and receive; now stands for a date
	text []string // the lines it was written in
}

// now stands for the date of an answer; it is as long as one.
const (
	nowText = "(now)"
	now     = "=============now============="
)

var dateField = regexp.MustCompile(`\r\nDate: ([A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT)\r\n`)

// maskDates puts now in the place of the dates of answers.
func maskDates(b []byte) []byte {
	return dateField.ReplaceAll(b, []byte("\r\nDate: "+now+"\r\n"))
}

const sameAnswer = "(the same answer)"

func parseScript(text string) (*script, error) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	s := &script{title: lines[0], server: "main"}
	if s.title == "" || isStep(s.title) {
		return nil, errors.New("line 1: want a title")
	}
	i := 1
	for ; i < len(lines) && !isStep(lines[i]); i++ {
		if name, ok := strings.CutPrefix(lines[i], "server: "); ok {
			s.server = name
		}
		s.why = append(s.why, lines[i])
	}
	p := &part{}
	for ; i < len(lines); i++ {
		var err error
		if p, err = s.take(p, lines[i]); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	s.parts = append(s.parts, *p)
	return s, nil
}

func isStep(line string) bool {
	return strings.HasPrefix(line, "> ") || strings.HasPrefix(line, "< ") || strings.HasPrefix(line, "* ")
}

// take adds a line to the part, or ends that and begins another.
func (s *script) take(p *part, line string) (*part, error) {
	what, text := line, ""
	if isStep(line) {
		what, text = line[:1], line[2:]
	}
	switch what {
	case ">", "<":
		if what == "<" && text == sameAnswer {
			return p, s.repeat(p)
		}
		data, err := unescape(text)
		if err != nil {
			return nil, err
		}
		p.add(map[string]action{">": send, "<": receive}[what], data, text)
	case "*":
		if why, ok := strings.CutPrefix(text, "another connection: "); ok {
			s.parts = append(s.parts, *p)
			return &part{why: why}, nil
		}
		return p, p.note(text)
	case "": // an empty line between steps is for the reader
	default:
		return nil, fmt.Errorf("%q is no step", line)
	}
	return p, nil
}

// note takes a line that begins with a star.
func (p *part) note(text string) error {
	if why, ok := strings.CutPrefix(text, "only in one piece: "); ok {
		p.onePiece = why
		return nil
	}
	if reason, ok := strings.CutPrefix(text, "counted: "); ok {
		p.counted = reason
		return nil
	}
	for do, name := range notes {
		if text == name {
			p.steps = append(p.steps, step{do: do})
			return nil
		}
	}
	return fmt.Errorf("no step is called %q", text)
}

var notes = map[action]string{endSide: "client ends its side", closes: "server closes", open: "stays open"}

// add adds data to the step before if that does the same.
func (p *part) add(do action, data []byte, line string) {
	if n := len(p.steps); n == 0 || p.steps[n-1].do != do {
		p.steps = append(p.steps, step{do: do})
	}
	st := &p.steps[len(p.steps)-1]
	st.data = append(st.data, data...)
	st.text = append(st.text, line)
}

// repeat adds the answer of the connection before.
func (s *script) repeat(p *part) error {
	if len(s.parts) > 0 {
		if last := s.parts[len(s.parts)-1].answer(); last != nil {
			p.add(receive, last, sameAnswer)
			return nil
		}
	}
	return errors.New("there is no answer before that could be the same")
}

// answer returns the last answer of a connection.
func (p *part) answer() []byte {
	var last []byte
	for _, st := range p.steps {
		if st.do == receive {
			last = st.data
		}
	}
	return last
}

// check reports a script that does not say how it ends.
func (s *script) check() error {
	for i, p := range s.parts {
		if n := len(p.steps); n == 0 || p.steps[n-1].do != closes && p.steps[n-1].do != open {
			return fmt.Errorf("connection %d does not end with %q or %q (go test -update writes what happens)", i+1, "* "+notes[closes], "* "+notes[open])
		}
	}
	return nil
}

// String is the file.
func (s *script) String() string {
	var b strings.Builder
	fmt.Fprintln(&b, s.title)
	for _, line := range s.why {
		fmt.Fprintln(&b, line)
	}
	var before []byte
	for i, p := range s.parts {
		if i > 0 {
			fmt.Fprintf(&b, "\n* another connection: %s\n", p.why)
		}
		if p.onePiece != "" {
			fmt.Fprintf(&b, "* only in one piece: %s\n", p.onePiece)
		}
		for _, st := range p.steps {
			switch {
			case st.do == send: // as its author wrote it
				for _, line := range st.text {
					fmt.Fprintf(&b, "> %s\n", line)
				}
			case st.do == receive && len(before) > 60 && bytes.Equal(st.data, before):
				fmt.Fprintf(&b, "< %s\n", sameAnswer)
			case st.do == receive:
				writeAnswer(&b, st.data)
			default:
				fmt.Fprintf(&b, "* %s\n", notes[st.do])
			}
		}
		if p.counted != "" {
			fmt.Fprintf(&b, "* counted: %s\n", p.counted)
		}
		before = p.answer()
	}
	return b.String()
}
