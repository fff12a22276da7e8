// Package logging writes the two kinds of logs: events (Logger, by logrus) and
// requests (Access, by its own appender).
package logging
