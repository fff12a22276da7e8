package logging

import (
	"os"
	"time"
)

// A Record is one line of the access log. The byte slices are only read during
// Append.
type Record struct {
	Time       time.Time // wall clock, when the response ended
	Client     []byte
	Method     []byte
	Scheme     []byte
	Host       []byte
	Path       []byte // the request target as received, with the query
	Protocol   []byte
	Site       []byte
	Route      []byte
	Cache      []byte
	UserAgent  []byte
	Referer    []byte
	RequestID  []byte
	User       []byte // authenticated user, for the combined format
	Status     int
	Bytes      int64 // of the response's body
	DurationUS int64
	Worker     int
}

// An Access is one access log of one process.
type Access struct {
	f *os.File
}

// NewAccess returns an access log that owns f. The format is "json" or
// "combined".
func NewAccess(f *os.File, format string) *Access { return &Access{f: f} }

// Append formats a record into the batch.
func (a *Access) Append(r *Record) {}

// Flush hands the batch to the writer.
func (a *Access) Flush() {}

// Dropped returns the number of lines lost so far.
func (a *Access) Dropped() uint64 { return 0 }

// Swap lets the log go on in f, which it owns from here on; the file before is
// closed.
func (a *Access) Swap(f *os.File) { a.f.Close(); a.f = f }

// Close writes what is left and closes the file.
func (a *Access) Close() { a.f.Close() }
