package http1

import "time"

// DateLen is the length of a date in the preferred format.
const DateLen = len("Sun, 06 Nov 1994 08:49:37 GMT")

const (
	days   = "SunMonTueWedThuFriSat"
	months = "JanFebMarAprMayJunJulAugSepOctNovDec"
)

// AppendDate appends t in the preferred format of RFC 9110 section 5.6.7,
// always DateLen bytes: years before 0 or after 9999, which it cannot express,
// become those.
func AppendDate(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, sec := t.Clock()
	year = min(max(year, 0), 9999)
	w, m := 3*int(t.Weekday()), 3*(int(month)-1)
	return append(dst,
		days[w], days[w+1], days[w+2], ',', ' ',
		digit(day/10), digit(day), ' ',
		months[m], months[m+1], months[m+2], ' ',
		digit(year/1000), digit(year/100), digit(year/10), digit(year), ' ',
		digit(hour/10), digit(hour), ':',
		digit(minute/10), digit(minute), ':',
		digit(sec/10), digit(sec), ' ', 'G', 'M', 'T')
}

func digit(n int) byte { return byte('0' + n%10) }

// ParseDate reads a date in one of the three formats that RFC 9110 section
// 5.6.7 obliges a recipient to accept:
//
//	Sun, 06 Nov 1994 08:49:37 GMT    IMF-fixdate
//	Sunday, 06-Nov-94 08:49:37 GMT   RFC 850
//	Sun Nov  6 08:49:37 1994         asctime
//
// A day of the week must be one, but need not be that of the date. Years of
// two digits are 1969 to 2068, as in package time: the fifty-year rule of the
// RFC would need a clock. A leap second is refused.
func ParseDate(b []byte) (time.Time, bool) {
	if len(b) < len("Sun Nov  6 08:49:37 1994") {
		return time.Time{}, false
	}
	var d dateFields
	switch {
	case b[3] == ',':
		d.imf(b)
	case b[3] == ' ':
		d.asctime(b)
	default:
		d.rfc850(b)
	}
	if d.bad || d.day < 1 || d.day > daysIn(d.year, d.month) || d.hour > 23 || d.minute > 59 || d.sec > 59 {
		return time.Time{}, false
	}
	return time.Date(d.year, time.Month(d.month), d.day, d.hour, d.minute, d.sec, 0, time.UTC), true
}

// dateFields collects the parts of a date; bad is set by any part that is not
// as it must be.
type dateFields struct {
	year, month, day  int
	hour, minute, sec int
	bad               bool
}

func (d *dateFields) imf(b []byte) {
	if len(b) != DateLen {
		d.bad = true
		return
	}
	d.name(b[:3], days)
	d.day, d.month, d.year = d.number(b[5:7]), d.name(b[8:11], months), d.number(b[12:16])
	d.clock(b[17:25])
	d.bad = d.bad || b[4] != ' ' || b[7] != ' ' || b[11] != ' ' || b[16] != ' ' || string(b[25:]) != " GMT"
}

func (d *dateFields) asctime(b []byte) {
	if len(b) != len("Sun Nov  6 08:49:37 1994") {
		d.bad = true
		return
	}
	d.name(b[:3], days)
	d.month = d.name(b[4:7], months)
	if b[8] == ' ' {
		d.day = d.number(b[9:10])
	} else {
		d.day = d.number(b[8:10])
	}
	d.clock(b[11:19])
	d.year = d.number(b[20:24])
	d.bad = d.bad || b[7] != ' ' || b[10] != ' ' || b[19] != ' '
}

func (d *dateFields) rfc850(b []byte) {
	comma := len(b) - len(", 06-Nov-94 08:49:37 GMT")
	if comma < len("Sunday") {
		d.bad = true
		return
	}
	switch string(b[:comma]) {
	case "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday":
	default:
		d.bad = true
	}
	b = b[comma:]
	d.day, d.month, d.year = d.number(b[2:4]), d.name(b[5:8], months), d.number(b[9:11])+1900
	if d.year < 1969 {
		d.year += 100
	}
	d.clock(b[12:20])
	d.bad = d.bad || b[0] != ',' || b[1] != ' ' || b[4] != '-' || b[8] != '-' || b[11] != ' ' || string(b[20:]) != " GMT"
}

// clock reads "08:49:37".
func (d *dateFields) clock(b []byte) {
	d.hour, d.minute, d.sec = d.number(b[:2]), d.number(b[3:5]), d.number(b[6:8])
	d.bad = d.bad || b[2] != ':' || b[5] != ':'
}

// number reads decimal digits.
func (d *dateFields) number(b []byte) (n int) {
	for _, c := range b {
		d.bad = d.bad || c < '0' || c > '9'
		n = n*10 + int(c) - '0'
	}
	return n
}

// name returns which of the three-letter names of list b is, from 1.
func (d *dateFields) name(b []byte, list string) int {
	for i := 0; i < len(list); i += 3 {
		if string(b) == list[i:i+3] {
			return i/3 + 1
		}
	}
	d.bad = true
	return 1
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
