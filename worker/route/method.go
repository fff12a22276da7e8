package route

import (
	"errors"
	"fmt"
	"slices"

	"srvctl/proto/http1"
	"srvctl/worker/serve"
)

// target is where a path and a method lead.
type target struct {
	handler serve.Handler
	route   int
	names   []string // of the parameters, in path order
}

// leaf holds the targets of one path.
type leaf struct {
	known   [http1.MethodConnect + 1]*target
	other   map[string]*target // methods without a number of their own
	any     *target
	methods methodSet
}

// knownMethods are in the order in which Allow lists them.
var knownMethods = [...]http1.Method{
	http1.MethodGet, http1.MethodHead, http1.MethodPost, http1.MethodPut,
	http1.MethodDelete, http1.MethodPatch, http1.MethodTrace, http1.MethodOptions,
}

func methodOf(name string) http1.Method {
	for _, m := range knownMethods {
		if m.String() == name {
			return m
		}
	}
	return http1.MethodOther
}

var errTaken = errors.New("another route has this path and method already")

func (l *leaf) add(methods []string, to *target) error {
	if len(methods) == 0 {
		if l.any != nil {
			return errTaken
		}
		l.any = to
	}
	for _, name := range methods {
		m := methodOf(name)
		switch {
		case m != http1.MethodOther && l.known[m] == nil:
			l.known[m] = to
		case m == http1.MethodOther && l.other[name] == nil:
			if l.other == nil {
				l.other = map[string]*target{}
			}
			l.other[name] = to
		default:
			return fmt.Errorf("%s: %w", name, errTaken)
		}
	}
	return nil
}

// finish gives HEAD to the route of GET. Until then HEAD is only that of a
// route which names it.
func (l *leaf) finish() {
	if l.known[http1.MethodHead] == nil {
		l.known[http1.MethodHead] = l.known[http1.MethodGet]
	}
	for m, to := range l.known {
		if to != nil || l.any != nil {
			l.methods.known |= 1 << m
		}
	}
	for name := range l.other {
		l.methods.other = append(l.methods.other, name)
	}
	slices.Sort(l.methods.other)
}

// take returns the target of the request's method, nil when it has none.
func (l *leaf) take(r *serve.Request) *target {
	to := l.known[r.Method]
	if r.Method == http1.MethodOther && l.other != nil {
		to = l.other[string(r.MethodBytes())]
	}
	if to == nil {
		to = l.any
	}
	return to
}

// A methodSet is the methods of some leaves.
type methodSet struct {
	known uint16   // a bit for each http1.Method
	other []string // the others, sorted; may be shared, so it is never changed in place
}

func (s *methodSet) add(more *methodSet) {
	s.known |= more.known
	switch {
	case len(more.other) == 0:
	case len(s.other) == 0:
		s.other = more.other
	default:
		s.other = slices.Compact(slices.Sorted(slices.Values(slices.Concat(s.other, more.other))))
	}
}

func (s *methodSet) empty() bool { return s.known == 0 && len(s.other) == 0 }

// append appends the value of Allow. OPTIONS is always allowed.
func (s *methodSet) append(dst []byte) []byte {
	known := s.known | 1<<http1.MethodOptions
	for _, m := range knownMethods {
		if known&(1<<m) == 0 {
			continue
		}
		if len(dst) > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, m.String()...)
	}
	for _, name := range s.other {
		dst = append(append(dst, ", "...), name...)
	}
	return dst
}
