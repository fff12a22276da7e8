package http1_test

import (
	"regexp"
	"strings"
	"testing"

	"srvctl/proto/http1"
)

// TestReasonsAreComplete checks every cell of the table.
func TestReasonsAreComplete(t *testing.T) {
	label := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	seen := make(map[string]http1.Reason)
	for i := range http1.NumReasons {
		r := http1.Reason(i)
		if !label.MatchString(r.String()) {
			t.Errorf("Reason(%d).String() = %q", i, r)
		}
		if other, ok := seen[r.String()]; ok {
			t.Errorf("Reason(%d) and Reason(%d) are both %q", i, other, r)
		}
		seen[r.String()] = r
		if s := r.Text(); len(s) < 10 || !strings.HasSuffix(s, ".") || s[0] < 'A' || s[0] > 'Z' {
			t.Errorf("%v.Text() = %q, want a sentence", r, s)
		}
		if r == http1.OK {
			continue
		}
		switch s := r.Status(); s {
		case 400, 413, 414, 417, 431, 501, 505:
		default:
			t.Errorf("%v.Status() = %d", r, s)
		}
	}
}

func TestMethodNames(t *testing.T) {
	for m := http1.MethodGet; m <= http1.MethodTrace; m++ {
		in := []byte(m.String() + " / HTTP/1.1\r\nHost: h\r\n\r\n")
		var h http1.Head
		if n, r := h.Parse(in, &usual); n != len(in) || h.Method != m || string(h.MethodName.Of(in)) != m.String() {
			t.Errorf("Parse(%q) = %d %v, method %v", in, n, r, h.Method)
		}
	}
	if got := http1.MethodConnect.String(); got != "CONNECT" {
		t.Errorf("MethodConnect = %q", got)
	}
	if got := http1.MethodOther.String(); got != "" {
		t.Errorf("MethodOther = %q", got)
	}
}
