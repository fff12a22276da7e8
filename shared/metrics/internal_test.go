package metrics

// White box: the bucket search and the parser of /proc are checked against
// plain definitions of what they compute.

import (
	"os"
	"strings"
	"testing"
)

func TestBoundsDouble(t *testing.T) {
	for i := 1; i < len(bounds); i++ {
		if bounds[i] < 2*bounds[i-1] {
			t.Errorf("bound %d is less than twice bound %d: bucket compares only once", bounds[i], bounds[i-1])
		}
	}
}

func TestBucket(t *testing.T) {
	check := func(ns uint64) {
		want := 0
		for want < len(bounds) && ns > bounds[want] {
			want++
		}
		if got := bucket(ns); got != want {
			t.Errorf("bucket(%d) = %d, want %d", ns, got, want)
		}
	}
	for _, b := range bounds {
		for _, ns := range []uint64{b - 1, b, b + 1} {
			check(ns)
		}
	}
	for bit := range 64 {
		for _, ns := range []uint64{1<<bit - 1, 1 << bit, 1<<bit + 1} {
			check(ns)
		}
	}
	check(0)
	check(1<<64 - 1)
}

func TestParseStat(t *testing.T) {
	const tail = " S 1 2 3 4 5 6 7 8 9 10 110 55 14 15 20 0 4 0 98765 1000 321 0 0"
	want := stat{utime: 110, stime: 55, start: 98765, rss: 321}
	for _, test := range []struct {
		text string
		ok   bool
	}{
		{"42 (srvctl)" + tail, true},
		{"42 (a) b) (c" + ")" + tail, true}, // a process may call itself anything
		{"42 ()" + tail, true},
		{"", false},
		{"42 (srvctl) S 1 2 3", false},
		{"42 (srvctl)" + strings.Replace(tail, "110", "x", 1), false},
	} {
		got, err := parseStat([]byte(test.text))
		if (err == nil) != test.ok || test.ok && got != want {
			t.Errorf("parseStat(%q) = %+v, %v; want %+v, ok %v", test.text, got, err, want, test.ok)
		}
	}
}

// A pid that was given to another process is not the worker any more.
func TestProcessIdentity(t *testing.T) {
	p := openProcess(os.Getpid())
	if u := p.usage(); !u.ok || u.resident == 0 || u.fds == 0 {
		t.Errorf("own usage = %+v, want resident memory and descriptors", u)
	}
	p.start--
	if u := p.usage(); u.ok {
		t.Errorf("usage of an earlier process with this pid = %+v, want none", u)
	}
	if u := openProcess(1 << 30).usage(); u.ok {
		t.Errorf("usage of no process = %+v, want none", u)
	}
}
