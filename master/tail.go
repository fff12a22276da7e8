package master

import (
	"bufio"
	"io"
	"regexp"
	"strings"
	"sync"
	"unicode"
)

const (
	// A Go panic says what happened in its first lines and where in the next
	// ones; the end of a long goroutine dump says little, but other programs'
	// last line is the one that matters. So both ends are kept.
	tailFirst   = 12
	tailLast    = 12
	tailAll     = 1000 // when all its stacks were asked for
	tailLineMax = 512
)

// tail keeps the first and the last lines that a worker wrote to its standard
// output and error: its last words. A worker writes there only when it fails.
// It is safe for one reading goroutine and any number of callers of Text.
type tail struct {
	donec chan struct{} // closed when the pipe has no writer left

	mu      sync.Mutex
	first   []string
	last    []string // ring of at most most
	most    int
	skipped int
}

func newTail() *tail { return &tail{donec: make(chan struct{}), most: tailLast} }

// read takes lines from r until it ends. It runs on a goroutine of its own.
func (t *tail) read(r io.ReadCloser) {
	defer close(t.donec)
	defer r.Close()
	br := bufio.NewReaderSize(r, tailLineMax)
	for {
		line, more, err := br.ReadLine()
		if err != nil {
			return
		}
		t.add(string(line))
		for more && err == nil { // the rest of a line that is too long
			_, more, err = br.ReadLine()
		}
	}
}

func (t *tail) add(line string) {
	line = clean(line)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case strings.TrimSpace(line) == "":
	case len(t.first) < tailFirst:
		t.first = append(t.first, line)
	default:
		if len(t.last) == t.most {
			t.last = append(t.last[:0], t.last[1:]...)
			t.skipped++
		}
		t.last = append(t.last, line)
	}
}

// keepAll keeps everything from now on, within reason.
func (t *tail) keepAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.most = tailAll
}

// clean keeps an operator's terminal safe from what a worker was made to say.
func clean(text string) string { return strings.Map(printable, text) }

func printable(r rune) rune {
	if r == '\t' || r == '\n' {
		return ' '
	}
	if !unicode.IsPrint(r) {
		return -1
	}
	return r
}

// Text returns the kept lines, "" when nothing was written.
func (t *tail) Text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := append([]string(nil), t.first...)
	if t.skipped > 0 {
		lines = append(lines, "...")
	}
	return strings.Join(append(lines, t.last...), "\n")
}

// verdict is how the Go runtime begins to tell why it ends a program: a panic,
// an error of its own, memory that may not be touched, a signal.
var verdict = regexp.MustCompile(`^(panic: |fatal error: |unexpected fault address |SIG[A-Z0-9]+: )`)

// Headline returns the one line that says most, for a status line.
func (t *tail) Headline() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, lines := range [][]string{t.first, t.last} {
		for _, line := range lines {
			if verdict.MatchString(line) {
				return line
			}
		}
	}
	if len(t.last) > 0 {
		return t.last[len(t.last)-1]
	}
	if len(t.first) > 0 {
		return t.first[len(t.first)-1]
	}
	return ""
}
