package wire

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// writeAnswer writes a line for each line, and one for several that come again
// and again.
func writeAnswer(b *strings.Builder, data []byte) {
	for len(data) > 0 {
		block, n := repeated(data)
		if n > 1 {
			fmt.Fprintf(b, "< \\(%s x %d)\n", escape(block), n)
		} else {
			fmt.Fprintf(b, "< %s\n", escape(block))
		}
		data = data[n*len(block):]
	}
}

// repeated returns the first lines of data and how often they come there: at
// least manyTimes, or it is one line, once.
func repeated(data []byte) (block []byte, times int) {
	const manyTimes, longestBlock = 8, 512
	for i := 0; i < min(len(data), longestBlock); i++ {
		if data[i] != '\n' {
			continue
		}
		block = data[:i+1]
		for times = 1; bytes.HasPrefix(data[times*len(block):], block); times++ {
		}
		if times >= manyTimes {
			return block, times
		}
	}
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return data[:i+1], 1
	}
	return data, 1
}

// shortRun is the shortest run of one byte that is written as such.
const shortRun = 32

func escape(line []byte) string {
	line = bytes.ReplaceAll(line, []byte(now), []byte(nowText))
	var b strings.Builder
	for i := 0; i < len(line); {
		n := 1
		for i+n < len(line) && line[i+n] == line[i] {
			n++
		}
		one := escapeByte(line[i], i+n == len(line))
		if n >= shortRun {
			fmt.Fprintf(&b, `\(%s x %d)`, one, n)
		} else {
			b.WriteString(strings.Repeat(one, n))
		}
		i += n
	}
	return b.String()
}

func escapeByte(c byte, last bool) string {
	switch {
	case c == '\r':
		return `\r`
	case c == '\n':
		return `\n`
	case c == '\t':
		return `\t`
	case c == '\\':
		return `\\`
	case c < ' ' || c >= 0x7f || c == ' ' && last:
		return fmt.Sprintf(`\x%02x`, c)
	}
	return string(c)
}

var repetition = regexp.MustCompile(`^\\\((.*?) x ([0-9]+)\)`)

func unescape(text string) ([]byte, error) {
	text = strings.ReplaceAll(text, nowText, now)
	var out []byte
	for len(text) > 0 {
		if m := repetition.FindStringSubmatch(text); m != nil {
			one, err := unescape(m[1])
			n, _ := strconv.Atoi(m[2])
			if err != nil {
				return nil, err
			}
			out = append(out, bytes.Repeat(one, n)...)
			text = text[len(m[0]):]
			continue
		}
		if text[0] != '\\' {
			out = append(out, text[0])
			text = text[1:]
			continue
		}
		c, n, err := unescapeByte(text)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
		text = text[n:]
	}
	return out, nil
}

func unescapeByte(text string) (c byte, n int, err error) {
	if len(text) > 1 {
		if i := strings.IndexByte(`rnt\`, text[1]); i >= 0 {
			return "\r\n\t\\"[i], 2, nil
		}
		if text[1] == 'x' && len(text) > 3 {
			v, err := strconv.ParseUint(text[2:4], 16, 8)
			return byte(v), 4, err
		}
	}
	return 0, 0, fmt.Errorf(`%.4q: want \r, \n, \t, \\, \xHH or \(TEXT x N)`, text)
}
