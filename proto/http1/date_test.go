package http1_test

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"srvctl/proto/http1"
)

func TestDatesAgreeWithNetHTTP(t *testing.T) {
	check := func(d time.Time) {
		got := string(http1.AppendDate([]byte("x"), d))
		if want := "x" + d.UTC().Format(http.TimeFormat); got != want {
			t.Fatalf("AppendDate(%v) = %q, want %q", d, got, want)
		}
		if len(got)-1 != http1.DateLen {
			t.Fatalf("AppendDate(%v) = %d bytes, want %d", d, len(got)-1, http1.DateLen)
		}
		back, ok := http1.ParseDate([]byte(got[1:]))
		if want := d.UTC().Truncate(time.Second); !ok || !back.Equal(want) {
			t.Fatalf("ParseDate(%q) = %v, %v, want %v", got[1:], back, ok, want)
		}
	}
	// Every day of four centuries and a bit, at a time that moves.
	zone := time.FixedZone("elsewhere", -11*3600-30*60)
	for d := time.Date(1890, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() < 2310; d = d.Add(24*time.Hour + 59*time.Second) {
		check(d)
		check(d.In(zone))
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	first, last := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()
	for range 100_000 {
		check(time.Unix(first+rnd.Int64N(last-first+1), rnd.Int64N(1e9)))
	}
	check(time.Unix(first, 0))
	check(time.Unix(last, 999_999_999))
}

func TestAppendDateIsAlwaysAsLong(t *testing.T) {
	for _, d := range []time.Time{
		{},
		time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(292277026596, 12, 4, 15, 30, 7, 0, time.UTC),
		time.Unix(-1<<62, 0),
		time.Unix(1<<62, 0),
	} {
		got := string(http1.AppendDate(nil, d))
		if len(got) != http1.DateLen || got[3] != ',' || got[25:] != " GMT" {
			t.Errorf("AppendDate(%v) = %q", d, got)
		}
	}
	if got := string(http1.AppendDate(nil, time.Date(12345, 6, 7, 8, 9, 10, 0, time.UTC))); got[5:] != "07 Jun 9999 08:09:10 GMT" {
		t.Errorf("AppendDate(year 12345) = %q", got)
	}
}

func TestParseDate(t *testing.T) {
	at := time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)
	for _, c := range []struct {
		in   string
		want time.Time // zero: refused
	}{
		{"Sun, 06 Nov 1994 08:49:37 GMT", at},
		{"Sunday, 06-Nov-94 08:49:37 GMT", at},
		{"Sun Nov  6 08:49:37 1994", at},
		{"Sun Nov 16 08:49:37 1994", at.AddDate(0, 0, 10)},
		{"Sun Nov 06 08:49:37 1994", at},
		{"Mon, 06 Nov 1994 08:49:37 GMT", at}, // the day of the week is not compared
		{"Wednesday, 06-Nov-94 08:49:37 GMT", at},
		{"Thu, 29 Feb 2024 23:59:59 GMT", time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC)},
		{"Tue, 29 Feb 2000 00:00:00 GMT", time.Date(2000, 2, 29, 0, 0, 0, 0, time.UTC)},
		{"Thu, 01 Jan 1970 00:00:00 GMT", time.Unix(0, 0)},
		{"Sat, 01 Jan 0000 00:00:00 GMT", time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"Fri, 31 Dec 9999 23:59:59 GMT", time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
		{"Monday, 01-Jan-68 00:00:00 GMT", time.Date(2068, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"Monday, 01-Jan-69 00:00:00 GMT", time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"Monday, 01-Jan-00 00:00:00 GMT", time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)},

		{"", time.Time{}},
		{"0", time.Time{}},
		{"Sun", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:37 GMT ", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:37", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:37 UTC", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:37 +00", time.Time{}},
		{"sun, 06 Nov 1994 08:49:37 GMT", time.Time{}},
		{"Sun, 06 nov 1994 08:49:37 GMT", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:37 gmt", time.Time{}},
		{"Sux, 06 Nov 1994 08:49:37 GMT", time.Time{}},
		{"Sun, 06 Nox 1994 08:49:37 GMT", time.Time{}},
		{"Sun, 6  Nov 1994 08:49:37 GMT", time.Time{}},
		{"Sun,  6 Nov 1994 08:49:37 GMT", time.Time{}},
		{"Sun, 06-Nov-1994 08:49:37 GMT", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:3x GMT", time.Time{}},
		{"Sun, 06 Nov -994 08:49:37 GMT", time.Time{}},
		{"Sun, 00 Nov 1994 08:49:37 GMT", time.Time{}},
		{"Sun, 31 Nov 1994 08:49:37 GMT", time.Time{}},
		{"Sun, 29 Feb 2023 08:49:37 GMT", time.Time{}},
		{"Sun, 29 Feb 1900 08:49:37 GMT", time.Time{}},
		{"Sun, 06 Nov 1994 24:00:00 GMT", time.Time{}},
		{"Sun, 06 Nov 1994 08:60:37 GMT", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:60 GMT", time.Time{}},
		{"Sun, 06 Nov 1994 08.49.37 GMT", time.Time{}},
		{"Sunday, 06-Nov-94 08:49:37 UTC", time.Time{}},
		{"Sunday 06-Nov-94 08:49:37 GMT", time.Time{}},
		{"Sunday, 06 Nov 94 08:49:37 GMT", time.Time{}},
		{"Sunda, 06-Nov-94 08:49:37 GMT", time.Time{}},
		{"Sundays, 06-Nov-94 08:49:37 GMT", time.Time{}},
		{"Sunday, 06-Nov-94 08:49:37", time.Time{}},
		{"Sun Nov  6 08:49:37 1994 ", time.Time{}},
		{"Sun Nov 6 08:49:37 1994 ", time.Time{}},
		{"Sun Nov   08:49:37 1994 x", time.Time{}},
		{"Sun Nov  6  8:49:37 1994", time.Time{}},
		{"Sun Nox  6 08:49:37 1994", time.Time{}},
		{"Sun Nov 31 08:49:37 1994", time.Time{}},
		{"1994-11-06T08:49:37Z     ", time.Time{}},
	} {
		got, ok := http1.ParseDate([]byte(c.in))
		if ok != !c.want.IsZero() || !got.Equal(c.want) {
			t.Errorf("ParseDate(%q) = %v, %v, want %v", c.in, got, ok, c.want)
		}
		if ok {
			if want, err := http.ParseTime(c.in); err != nil || !got.Equal(want) {
				t.Errorf("ParseDate(%q) = %v, net/http says %v, %v", c.in, got, want, err)
			}
		}
	}
}

// FuzzParseDate demands that net/http accepts what is accepted here, as the
// same time.
func FuzzParseDate(f *testing.F) {
	f.Add("Sun, 06 Nov 1994 08:49:37 GMT")
	f.Add("Sunday, 06-Nov-94 08:49:37 GMT")
	f.Add("Sun Nov  6 08:49:37 1994")
	f.Fuzz(func(t *testing.T, in string) {
		got, ok := http1.ParseDate([]byte(in))
		if !ok {
			return
		}
		if want, err := http.ParseTime(in); err != nil || !got.Equal(want) {
			t.Errorf("ParseDate(%q) = %v, net/http says %v, %v", in, got, want, err)
		}
	})
}

func BenchmarkAppendDate(b *testing.B) {
	dst := make([]byte, 0, http1.DateLen)
	now := time.Date(2026, 11, 22, 19, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		http1.AppendDate(dst, now)
	}
}

func BenchmarkParseDate(b *testing.B) {
	in := []byte("Sun, 06 Nov 1994 08:49:37 GMT")
	b.ReportAllocs()
	for b.Loop() {
		http1.ParseDate(in)
	}
}
