package ledger

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
)

// Account reads the server's access logs (format json), compares them with what
// the clients wrote down and returns the whole account. The ledger must have
// been stopped, and the server too: it writes its last lines when it ends.
func (l *Ledger) Account(logs ...string) (Report, error) {
	seen := make([]uint8, len(l.numbers))
	for _, path := range logs {
		if err := l.readLog(path, seen); err != nil {
			return Report{}, fmt.Errorf("access log %s: %w", path, err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, e := range l.numbers {
		l.compareLocked(l.o.From+int64(i), e, seen[i])
	}
	return l.reportLocked(), nil
}

// compareLocked looks at one number: how often it was logged must go with what
// its client knows.
func (l *Ledger) compareLocked(number int64, e entry, seen uint8) {
	switch {
	case seen > 1:
		l.faultLocked(Doubled, e.form, fmt.Sprintf("request %d is in the log %d times", number, seen))
	case seen == 0 && e.state == stateAnswered:
		l.faultLocked(Unlogged, e.form, fmt.Sprintf("request %d was answered and is not in the log", number))
	case seen == 1 && e.state == stateUnaccepted:
		l.faultLocked(Lost, e.form, fmt.Sprintf("request %d was processed, but its connection ended without an answer", number))
	case seen == 1 && e.state == stateUnsent:
		l.faultLocked(Doubled, e.form, fmt.Sprintf("request %d was processed behind an answer with Connection: close", number))
	case e.state == stateSent:
		l.faultLocked(Lost, e.form, fmt.Sprintf("request %d: nothing is known of it", number))
	}
}

// Lines returns how many lines of an access log each worker (slot) wrote; a test
// may want each to have had some.
func Lines(path string) (byWorker map[int]int, err error) {
	byWorker = map[int]int{}
	err = eachLine(path, func(line []byte) error {
		worker, err := strconv.Atoi(string(field(line, `"worker":`, ",}")))
		if err != nil {
			return fmt.Errorf("no worker in %.200q", line)
		}
		byWorker[worker]++
		return nil
	})
	return byWorker, err
}

func (l *Ledger) readLog(path string, seen []uint8) error {
	return eachLine(path, func(line []byte) error {
		n, ok := numberOf(line)
		i := n - l.o.From
		switch {
		case !ok || i < 0 || i >= maxNumbers:
			return nil // somebody else's
		case i >= int64(len(seen)):
			l.fault(Unknown, 0, "the log has request %d, which was never sent", n)
		case seen[i] < 255:
			seen[i]++
		}
		return nil
	})
}

// maxNumbers is how many numbers one ledger may use: those from From+maxNumbers
// on are another's.
const maxNumbers = 1_000_000_000

func eachLine(path string, do func(line []byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 256<<10)
	for n := 1; ; n++ {
		line, err := r.ReadSlice('\n')
		switch {
		case err == io.EOF && len(line) == 0:
			return nil
		case err == io.EOF:
			return fmt.Errorf("line %d has no end", n)
		case err != nil:
			return fmt.Errorf("line %d: %w", n, err)
		}
		if line[0] != '{' || !bytes.HasSuffix(line, []byte("}\n")) {
			return fmt.Errorf("line %d is no JSON object: %.200q", n, line)
		}
		if err := do(line); err != nil {
			return err
		}
	}
}

// field finds the value behind a key, up to one of the ends.
func field(line []byte, key, ends string) []byte {
	_, value, ok := bytes.Cut(line, []byte(key))
	if !ok {
		return nil
	}
	return value[:max(0, bytes.IndexAny(value, ends))]
}

// numberOf finds the number in a line of the log.
func numberOf(line []byte) (int64, bool) {
	path := field(line, `"path":"`, `"`)
	digits, ok := bytes.CutPrefix(path, []byte("/n/"))
	if !ok {
		_, digits, ok = bytes.Cut(path, []byte("?n="))
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	return n, ok && err == nil
}
