package route_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"srvctl/worker/route"
)

// FuzzTable compares the table with a matcher that tries every route. routes
// is a line for each, target the path of a request.
func FuzzTable(f *testing.F) {
	f.Add("/\n/a\n/a/{x}\n/a/*", "GET", "/a/b")
	f.Add("/users/new\n/users/{id}/edit\nGET /{a}/{b}/{c}\n/*", "POST", "/users/new/edit")
	f.Add("GET /a\nPOST /{x}\nPUT /*", "DELETE", "/a")
	f.Add("/a/*\n/{x}/b", "GET", "/a/b")
	f.Add("/a/\n/a/{x}/\n/{x}/\n/b/*", "HEAD", "/a/")
	f.Add("GET,HEAD /{a}/b/*\nHEAD /a/{b}/c\n/{x}/{y}/{z}/*", "HEAD", "/a/b/c")
	f.Fuzz(func(t *testing.T, texts, method, path string) {
		if !slices.Contains([]string{"GET", "HEAD", "POST", "PURGE"}, method) ||
			!strings.HasPrefix(path, "/") || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`%\?#`, r) }) ||
			slices.ContainsFunc(strings.Split(path[1:], "/"), func(s string) bool { return s == "." || s == ".." }) || strings.Contains(path, "//") {
			t.Skip("no request has this path and method")
		}
		rs := routes(strings.Split(texts, "\n")...)
		tab, err := route.New([]route.Site{{Routes: rs}}, 1)
		if err != nil {
			t.Skip(err)
		}
		want, best := "404", ""
		for i, r := range rs {
			rank, text, ok := naive(r, i, method, path)
			if !ok {
				continue
			}
			if rank == "" {
				if best == "" {
					want = "405"
				}
				continue
			}
			if rank > best {
				want, best = text, rank
			}
		}
		res := do(tab, method+" "+path)
		got := res.Body
		if res.Status != 200 {
			got = fmt.Sprint(res.Status)
		} else if method == "HEAD" {
			got = want
		}
		if got != want || (method == "HEAD" && (res.Status == 200) != (best != "")) {
			t.Errorf("%s %s among\n%s\ngot %q, want %q", method, path, texts, got, want)
		}
	})
}

// naive matches one route. rank grows with how specific it is, and is empty
// when only the method does not match.
func naive(r route.Route, number int, method, path string) (rank, text string, ok bool) {
	pattern := strings.Split(r.Pattern[1:], "/")
	segments := strings.Split(path[1:], "/")
	text = fmt.Sprintf("0/%d", number)
	for i, seg := range pattern {
		switch {
		case seg == "*" && i == len(pattern)-1:
			rank += "a" // less than anything, the end of the path too
			text += " *=" + strings.Join(segments[min(i, len(segments)):], "/")
			segments = segments[:min(i, len(segments))]
		case i >= len(segments):
			return "", "", false
		case strings.HasPrefix(seg, "{"):
			if segments[i] == "" {
				return "", "", false
			}
			rank += "b"
			text += " " + seg[1:len(seg)-1] + "=" + segments[i]
		case seg == segments[i]:
			rank += "c"
		default:
			return "", "", false
		}
	}
	fixed := len(pattern)
	if pattern[fixed-1] == "*" {
		fixed--
	} else {
		rank += "b" // the path ends here
	}
	if len(segments) != fixed {
		return "", "", false
	}
	switch {
	case r.Methods == nil:
		rank += "1"
	case slices.Contains(r.Methods, method):
		rank += "3"
	case method == "HEAD" && slices.Contains(r.Methods, "GET"):
		rank += "2"
	default:
		rank = ""
	}
	return rank, text, true
}
