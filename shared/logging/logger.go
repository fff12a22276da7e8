package logging

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sirupsen/logrus"
)

// Options say what a Logger writes and where.
type Options struct {
	Level  string // error, warn, info or debug; anything else is info
	Format string // "text", or JSON
	// Out is the output; nil is os.Stderr. A file belongs to the logger from
	// here on (os.Stdout and os.Stderr are never closed) and should be in append
	// mode; any other writer is written to directly and must be quick.
	Out io.Writer
	// Process is "master" or "worker". Slot, Generation and the process's pid are
	// on each line of a worker; the master names the worker it speaks of.
	Process          string
	Slot, Generation int
}

// A Logger writes events, one line each. Any goroutine may use it; no method
// but Close waits for the output. Error, Warn, Info and Debug take the event
// and then keys and values; a nil "err" is left out.
//
// The event says what happened in constant words: lines with the same words
// about the same process are the same event. More than 10 in 10 s are suppressed;
// when the 10 s are over, the last of them is written with repeated=N.
type Logger struct {
	entry *logrus.Entry
	core  *core
}

// core is what a logger shares with those made by With.
type core struct {
	queue    queue
	throttle throttle
}

// New returns a logger. Close writes what may be waiting at the end.
func New(o Options) *Logger {
	c := &core{throttle: throttle{events: map[event]*window{}}}
	c.queue.wakec = make(chan struct{}, 1)
	l := &Logger{core: c}
	log := logrus.New()
	log.Out = &c.queue
	log.Formatter = formatter{text: o.Format == "text"}
	fields := logrus.Fields{}
	if o.Process != "" {
		fields["process"] = o.Process
	}
	if o.Process == "worker" {
		fields["slot"], fields["generation"], fields["pid"] = o.Slot, o.Generation, os.Getpid()
	}
	l.entry = log.WithFields(fields)
	c.queue.told = l.lostLine
	l.SetLevel(o.Level)
	if o.Out == nil {
		o.Out = os.Stderr
	}
	c.queue.set(o.Out)
	return l
}

// With returns a logger that adds these keys and values to each line and
// shares everything else.
func (l *Logger) With(kv ...any) *Logger {
	return &Logger{entry: l.entry.WithFields(fieldsOf(kv)), core: l.core}
}

// SetLevel changes the level, for the loggers made by With too.
func (l *Logger) SetLevel(level string) {
	n, err := logrus.ParseLevel(level)
	if err != nil {
		n = logrus.InfoLevel
	}
	l.entry.Logger.SetLevel(n)
}

// SetFormat changes the format, "json" or "text", for the loggers made by With
// too.
func (l *Logger) SetFormat(format string) {
	l.entry.Logger.SetFormatter(formatter{text: format == "text"})
}

// SetOutput lets the log go on in w, on the terms of Options.Out. What is
// waiting goes to the old output or the new one; the old one is closed.
func (l *Logger) SetOutput(w io.Writer) { l.core.queue.set(w) }

// Dropped returns the number of lines lost because the output was full or
// failed.
func (l *Logger) Dropped() uint64 { return l.core.queue.dropped.Load() }

// Close writes what was suppressed and what is waiting, and stops the
// logger's goroutine. It takes as long as the disk, or about a second when the
// reader of a pipe does not read. The output stays open: lines that come later
// are still written, directly.
func (l *Logger) Close() {
	l.core.throttle.close()
	l.core.queue.close()
}

// Error logs that the operator must act.
func (l *Logger) Error(event string, kv ...any) { l.log(logrus.ErrorLevel, event, kv) }

// Warn logs that something is degraded.
func (l *Logger) Warn(event string, kv ...any) { l.log(logrus.WarnLevel, event, kv) }

// Info logs an event of life.
func (l *Logger) Info(event string, kv ...any) { l.log(logrus.InfoLevel, event, kv) }

// Debug logs what is never needed in production.
func (l *Logger) Debug(event string, kv ...any) { l.log(logrus.DebugLevel, event, kv) }

func (l *Logger) log(level logrus.Level, text string, kv []any) {
	if !l.entry.Logger.IsLevelEnabled(level) {
		return
	}
	entry := l.entry.WithFields(fieldsOf(kv))
	same := event{level: level.String(), text: text, about: fmt.Sprint(entry.Data["slot"], entry.Data["generation"], entry.Data["pid"])}
	if l.core.throttle.pass(same, func(repeated int) {
		entry.WithField("repeated", repeated).Log(level, text)
	}) {
		entry.Log(level, text)
	}
}

// fieldsOf makes fields of keys and values. A value without a key is "extra".
func fieldsOf(kv []any) logrus.Fields {
	fields := make(logrus.Fields, len(kv)/2)
	for ; len(kv) >= 2; kv = kv[2:] {
		key := fmt.Sprint(kv[0])
		if key == "err" && kv[1] == nil {
			continue
		}
		fields[key] = kv[1]
	}
	if len(kv) == 1 {
		fields["extra"] = kv[0]
	}
	return fields
}

// lostLine makes the line that tells of lost lines.
func (l *Logger) lostLine(total uint64) []byte {
	entry := l.entry.WithField("dropped_total", total)
	entry.Time, entry.Level, entry.Message = time.Now(), logrus.WarnLevel, "log lines dropped: the output is full or failed"
	line, err := entry.Logger.Formatter.Format(entry)
	if err != nil {
		return nil
	}
	return line
}
