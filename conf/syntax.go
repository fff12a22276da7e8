package conf

import (
	"bytes"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// locate turns an error of yaml.v3 into a problem with a place.
//
// yaml.v3 gives a line that is sometimes that of the mistake, sometimes that of
// the group around it, one less for some errors, and none on the first line;
// never a column. So the place is found by reading again: it is where the
// shortest beginning of the file ends that is refused for the same reason.
func locate(data []byte, name string, err error) Problem {
	reason, line := splitError(err)
	p := Problem{Pos: Pos{File: name, Line: max(line, 1)}, Message: "not valid YAML: " + reason}
	if say, known := syntaxWords[reason]; known {
		p.Message, p.Allowed = "not valid YAML: "+say.wrong, say.want
	}
	// Reading a large file a few dozen times would take too long.
	if len(data) > 256*kib {
		return p
	}
	same := func(n int) bool {
		var doc yaml.Node
		dec := yaml.NewDecoder(bytes.NewReader(data[:n]))
		for {
			err := decodeNode(dec, &doc)
			if err != nil {
				again, _ := splitError(err)
				return again == reason
			}
			doc = yaml.Node{}
		}
	}
	end := shortest(lineEnds(data), same)
	start := bytes.LastIndexByte(data[:max(end-1, 0)], '\n') + 1
	p.Pos.Line = 1 + bytes.Count(data[:start], []byte{'\n'})
	// Within the line: the shortest beginning of it. What is missing is
	// missing behind the line, not at the letter where that was noticed.
	text := bytes.TrimRight(data[start:end], " \t\r\n")
	if strings.Contains(reason, "' or '") {
		p.Pos.Col = utf8.RuneCount(text) + 1
		return p
	}
	at := shortest(runeEnds(data, start, end), same)
	p.Pos.Col = max(utf8.RuneCount(data[start:at]), 1)
	if line := bytes.TrimLeft(text, " "); bytes.HasPrefix(line, []byte("\t")) {
		p.Pos.Col = len(text) - len(line) + 1
	}
	return p
}

// shortest gives the smallest of the ends for which same holds. It looks from
// the back in growing steps and then between the last two: what is refused
// stays refused when more follows, but the beginning of a good list of several
// lines looks like a broken one, so the front is not where to start.
func shortest(ends []int, same func(int) bool) int {
	last := len(ends) - 1
	bad, step := last, 1
	for bad-step >= 0 && same(ends[bad-step]) {
		bad -= step
		step *= 2
	}
	good := max(bad-step, -1)
	i := good + 1 + sort.Search(bad-good-1, func(i int) bool { return same(ends[good+1+i]) })
	return ends[i]
}

func lineEnds(data []byte) []int {
	var ends []int
	for i, c := range data {
		if c == '\n' {
			ends = append(ends, i+1)
		}
	}
	if len(ends) == 0 || ends[len(ends)-1] != len(data) {
		ends = append(ends, len(data))
	}
	return ends
}

func runeEnds(data []byte, start, end int) []int {
	var ends []int
	for i := start; i < end; {
		_, n := utf8.DecodeRune(data[i:end])
		i += n
		ends = append(ends, i)
	}
	if len(ends) == 0 {
		ends = []int{end}
	}
	return ends
}

var errorLine = regexp.MustCompile(`^line (\d+): `)

// splitError separates the reason from the line, if yaml.v3 named one.
func splitError(err error) (reason string, line int) {
	reason = strings.TrimPrefix(err.Error(), "yaml: ")
	if m := errorLine.FindStringSubmatch(reason); m != nil {
		line, _ = strconv.Atoi(m[1])
		reason = reason[len(m[0]):]
	}
	return reason, line
}

// syntaxWords says the usual reasons in the words of someone who writes YAML
// and does not read its grammar.
var syntaxWords = map[string]struct{ wrong, want string }{
	"mapping values are not allowed in this context": {
		"a ':' that does not fit here", "check the indentation, and put a text with ': ' in quotes"},
	"did not find expected key": {
		"this does not fit what stands before it", "check the indentation and the quotes above"},
	"could not find expected ':'": {
		"a key without ':'", "write key: value"},
	"did not find expected '-' indicator": {
		"this is no entry of the list it stands in", "begin it with '- ' or check the indentation"},
	"did not find expected ',' or ']'": {
		"',' or ']' is missing", "a list is written [a, b]"},
	"did not find expected ',' or '}'": {
		"',' or '}' is missing", "a group is written {a: 1, b: 2}"},
	"did not find expected node content": {
		"a value is missing", "check brackets and commas"},
	"found character that cannot start any token": {
		"a value cannot begin with this character", "indent by spaces, not by tabs; put texts that begin with @, ` or % in quotes"},
	"found a tab character that violates indentation": {
		"a tab", "indent by spaces"},
	"found a tab character where an indentation space is expected": {
		"a tab", "indent by spaces"},
	"found unexpected end of stream": {
		"a quote that is never closed", "end the text with the quote it began with"},
	"found unknown escape character": {
		"an unknown escape", `in "..." write \\ for a backslash, or use '...'`},
	"control characters are not allowed": {
		"a control character", "save the file as UTF-8 text"},
	"invalid leading UTF-8 octet": {
		"a byte that is not UTF-8", "save the file as UTF-8"},
	"invalid trailing UTF-8 octet": {
		"a byte that is not UTF-8", "save the file as UTF-8"},
	"incomplete UTF-8 octet sequence": {
		"a byte that is not UTF-8", "save the file as UTF-8"},
}
