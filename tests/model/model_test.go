package model

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestProtocol wants that nothing is wrong in any state that can be reached, and
// that each comes to rest. What no scene ever does is not tested by any.
func TestProtocol(t *testing.T) {
	all := scenes
	if os.Getenv("SOAK") != "" {
		all = slices.Concat(scenes, longScenes)
	}
	done := make(map[act]bool)
	for _, sc := range all {
		t.Run(sc.name, func(t *testing.T) {
			s := explore(0, *sc)
			t.Logf("%d states, %d steps", len(s.states), len(s.fair))
			if s.wrong != nothing {
				t.Errorf("%v:%s", s.wrong, s.story())
			}
			for a := range s.acts {
				done[a] = true
			}
		})
	}
	for a, words := range actWords {
		if mistake := a == timesOut || a == givesUp; done[a] == mistake {
			t.Errorf("%q: done in some scene: %v, want %v", words, done[a], !mistake)
		}
	}
}

// story is a trace in words.
func (s *search) story() string {
	var b strings.Builder
	for i, a := range s.trace() {
		fmt.Fprintf(&b, "\n  %2d  %s", i+1, a)
	}
	return b.String()
}

// TestBrokenRules breaks each rule once, and wants the mistake to be found: first
// by whatever sees it first, then by clients, if it is one that harms them.
func TestBrokenRules(t *testing.T) {
	all := rules(0)
	for _, m := range mutants {
		all |= m.broken
		t.Run(m.rule, func(t *testing.T) {
			s := explore(m.broken, *m.scene)
			t.Logf("otherwise, in %s: %v:%s", m.scene.name, s.wrong, s.story())
			if !slices.Contains(m.finds, s.wrong) {
				t.Errorf("found %q, want one of %q", s.wrong, m.finds)
			}
			sc := *m.scene
			sc.eye = true
			s = explore(m.broken, sc)
			if len(m.client) == 0 {
				if s.wrong != nothing {
					t.Errorf("clients see %q, want nothing:%s", s.wrong, s.story())
				}
				return
			}
			t.Logf("for the client: %v:%s", s.wrong, s.story())
			if !slices.Contains(m.client, s.wrong) {
				t.Errorf("clients see %q, want one of %q", s.wrong, m.client)
			}
		})
	}
	if all != lastRule<<1-1 {
		t.Errorf("rules broken: %b, want all of %b", all, lastRule<<1-1)
	}
}

// TestSymmetry wants one form of all states that differ by the numbers of
// connections only.
func TestSymmetry(t *testing.T) {
	for _, sc := range []*scene{&replaced, &orphans} {
		s := explore(0, *sc)
		for i := range s.states {
			n := s.states[i]
			n.swap()
			if canonical(&n, sc.conns); n != s.states[i] {
				t.Fatalf("%s: state %d is another one when connections 1 and 2 are exchanged", sc.name, i)
			}
		}
	}
}

// swap exchanges the numbers of the first two connections.
func (n *world) swap() {
	n.conns[0], n.conns[1] = n.conns[1], n.conns[0]
	to := [maxConns + 1]uint8{0, 2, 1, 3}
	for l := range n.links {
		for at := range maxWindow {
			n.links[l].fwd[at].conn = to[n.links[l].fwd[at].conn]
			n.links[l].back[at].conn = to[n.links[l].back[at].conn]
		}
	}
}
