package logging

import (
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// A Record is one line of the access log. The byte slices are only read, and
// only during Append.
type Record struct {
	Time      time.Time // wall clock, when the response was done
	Client    []byte    // address without port
	Method    []byte
	Scheme    []byte
	Host      []byte
	Path      []byte // the request target as received, query included
	Protocol  []byte // "HTTP/1.1"
	Site      []byte
	Route     []byte
	Cache     []byte
	UserAgent []byte
	Referer   []byte
	RequestID []byte
	User      []byte // authenticated user; only in the combined format

	Status     int
	Bytes      int64 // of the response's body
	DurationUS int64
	Worker     int // slot
}

// fixedBytes is more than a line has apart from its strings: keys, quotes,
// time and five numbers of at most 20 digits.
const fixedBytes = 400

// A stamp formats the time of a record. What changes once a second is kept.
type stamp struct {
	second int64
	json   []byte // "2026-11-22T18:49:01."
	offset []byte // "Z" or "+01:00"
	nginx  []byte // "22/Nov/2026:18:49:01 +0000"
}

func (s *stamp) set(t time.Time) {
	second := t.Unix()
	if second == s.second && len(s.json) > 0 {
		return
	}
	s.second = second
	local := t.Local()
	s.json = local.AppendFormat(s.json[:0], "2006-01-02T15:04:05.")
	s.offset = local.AppendFormat(s.offset[:0], "Z07:00")
	s.nginx = local.AppendFormat(s.nginx[:0], "02/Jan/2006:15:04:05 -0700")
}

func appendLineJSON(b []byte, r *Record, s *stamp) []byte {
	s.set(r.Time)
	ms := r.Time.Nanosecond() / 1e6
	b = append(b, `{"time":"`...)
	b = append(b, s.json...)
	b = append(b, byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
	b = append(b, s.offset...)
	b = appendJSON(append(b, `","client":"`...), r.Client)
	b = appendJSON(append(b, `","method":"`...), r.Method)
	b = appendJSON(append(b, `","scheme":"`...), r.Scheme)
	b = appendJSON(append(b, `","host":"`...), r.Host)
	b = appendJSON(append(b, `","path":"`...), r.Path)
	b = appendJSON(append(b, `","protocol":"`...), r.Protocol)
	b = strconv.AppendInt(append(b, `","status":`...), int64(r.Status), 10)
	b = strconv.AppendInt(append(b, `,"bytes":`...), r.Bytes, 10)
	b = strconv.AppendInt(append(b, `,"duration_us":`...), r.DurationUS, 10)
	b = appendJSON(append(b, `,"site":"`...), r.Site)
	b = appendJSON(append(b, `","route":"`...), r.Route)
	b = appendJSON(append(b, `","cache":"`...), r.Cache)
	b = appendJSON(append(b, `","user_agent":"`...), r.UserAgent)
	b = appendJSON(append(b, `","referer":"`...), r.Referer)
	b = appendJSON(append(b, `","request_id":"`...), r.RequestID)
	b = strconv.AppendInt(append(b, `","worker":`...), int64(r.Worker), 10)
	return append(b, '}', '\n')
}

// appendLineCombined writes nginx's combined format:
//
//	$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"
func appendLineCombined(b []byte, r *Record, s *stamp) []byte {
	s.set(r.Time)
	b = appendNginx(b, r.Client)
	b = appendNginx(append(b, " - "...), r.User)
	b = append(append(b, " ["...), s.nginx...)
	b = append(b, `] "`...)
	if len(r.Method)+len(r.Path)+len(r.Protocol) == 0 {
		b = append(b, '-') // a request line that could not be read
	} else {
		b = appendNginx(b, r.Method)
		b = appendNginx(append(b, ' '), r.Path)
		b = appendNginx(append(b, ' '), r.Protocol)
	}
	b = strconv.AppendInt(append(b, `" `...), int64(r.Status), 10)
	b = strconv.AppendInt(append(b, ' '), r.Bytes, 10)
	b = appendNginx(append(b, ` "`...), r.Referer)
	b = appendNginx(append(b, `" "`...), r.UserAgent)
	return append(b, '"', '\n')
}

// strings returns the record's strings, the long ones last.
func (r *Record) strings() [13]*[]byte {
	return [...]*[]byte{
		&r.Client, &r.Method, &r.Scheme, &r.Protocol, &r.Site, &r.Route, &r.Cache, &r.RequestID, &r.User,
		&r.Host, &r.UserAgent, &r.Referer, &r.Path,
	}
}

// fits tells whether the line is at most limit bytes long. No escape is longer
// than six bytes for one, so that the usual record needs no counting.
func (r *Record) fits(limit int, length func([]byte) int) bool {
	raw := len(r.Client) + len(r.Method) + len(r.Scheme) + len(r.Host) + len(r.Path) + len(r.Protocol) + len(r.Site) +
		len(r.Route) + len(r.Cache) + len(r.UserAgent) + len(r.Referer) + len(r.RequestID) + len(r.User)
	switch {
	case fixedBytes+6*raw <= limit:
		return true
	case fixedBytes+raw > limit:
		return false
	}
	n := fixedBytes
	for _, s := range r.strings() {
		n += length(*s)
	}
	return n <= limit
}

// mark ends a string that was cut to fit into a line.
const mark = "..."

// cut shortens the strings so that the line is at most limit bytes long, which
// must be 4096 or more: 256 parts of 16 bytes, of which the path gets the most.
// It is for lines of attackers and other rarities, and allocates.
func (r *Record) cut(limit int, length func([]byte) int) {
	part := limit / 256
	for _, s := range r.strings() {
		most := 5 * part
		switch s {
		case &r.Host:
			most = 16 * part
		case &r.UserAgent:
			most = 32 * part
		case &r.Referer:
			most = 60 * part
		case &r.Path:
			most = 70 * part
		}
		*s = cutString(*s, most, length)
	}
}

// cutString returns s if it is at most limit bytes long in the log, else its
// start and the mark.
func cutString(s []byte, limit int, length func([]byte) int) []byte {
	if len(s) <= limit && length(s) <= limit {
		return s
	}
	n := 0
	for left := limit - len(mark); n < len(s); {
		_, size := utf8.DecodeRune(s[n:])
		if left -= length(s[n : n+size]); left < 0 {
			break
		}
		n += size
	}
	return append(slices.Clip(s[:n]), mark...)
}
