package logging

// NewBatch returns an access log without a writer, of lines of at most limit
// bytes.
func NewBatch(format string, limit int) *Access {
	a := &Access{most: limit, line: appendLineJSON, length: lenJSON, buf: make([]byte, 0, batchBytes)}
	if format == "combined" {
		a.line, a.length = appendLineCombined, lenNginx
	}
	return a
}

// Take empties the batch and returns what was in it until the next Append.
func (a *Access) Take() []byte {
	b := a.buf
	a.buf = b[:0]
	return b
}

// FormatLine returns the line that an access log of this format writes.
func FormatLine(format string, r *Record, limit int) []byte {
	a := NewBatch(format, limit)
	a.Append(r)
	return a.Take()
}

// Bounds of lines.
const (
	PipeBytes = pipeBytes
	LineBytes = lineBytes
)

// Watched returns the number of events that the throttle holds.
func (l *Logger) Watched() int {
	l.core.throttle.mu.Lock()
	defer l.core.throttle.mu.Unlock()
	return len(l.core.throttle.events)
}

// Waiting returns the bytes that wait for the writer.
func (l *Logger) Waiting() int {
	l.core.queue.mu.Lock()
	defer l.core.queue.mu.Unlock()
	return len(l.core.queue.lines)
}
