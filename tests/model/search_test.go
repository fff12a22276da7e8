package model

import "slices"

// A search visits every state that can be reached, the nearest first.
type search struct {
	steps  steps
	states []world
	number map[world]int32 // of a state, by its canonical form
	parent []int32
	fair   []int32 // where the steps go that do no harm, state after state
	first  []int32 // where those of a state begin in fair
	acts   map[act]bool
	wrong  wrong // the first thing found
	at     int32 // in this state
}

func explore(r rules, sc scene) *search {
	s := &search{steps: steps{rules: r, scene: sc}, number: make(map[world]int32), acts: make(map[act]bool)}
	start := sc.start()
	s.add(&start, -1)
	for i := int32(0); int(i) < len(s.states) && s.wrong == nothing; i++ {
		s.first = append(s.first, int32(len(s.fair)))
		w := s.states[i]
		s.steps.from(&w, func(n *world, a action) {
			s.acts[a.what] = true
			canonical(n, sc.conns)
			j := s.add(n, i)
			if !a.what.harm() {
				s.fair = append(s.fair, j)
			}
		})
		if s.wrong == nothing && int(s.first[i]) == len(s.fair) {
			s.wrong, s.at = s.steps.quiet(&w), i
		}
	}
	s.first = append(s.first, int32(len(s.fair)))
	if s.wrong == nothing {
		s.findEndless()
	}
	return s
}

func (s *search) add(n *world, parent int32) int32 {
	if j, known := s.number[*n]; known {
		return j
	}
	j := int32(len(s.states))
	s.number[*n] = j
	s.states = append(s.states, *n)
	s.parent = append(s.parent, parent)
	if s.wrong == nothing {
		s.wrong, s.at = s.steps.check(n), j
	}
	return j
}

// findEndless looks for states that need not come to rest although no more harm
// is done. It goes backward from the states without further steps, which are
// quiet: a state is sure to come to rest when all that can follow it are.
func (s *search) findEndless() {
	before := s.backward()
	waits := make([]int32, len(s.states)) // steps that are not known to end
	var sure []int32
	for i := range s.states {
		waits[i] = s.first[i+1] - s.first[i]
		if waits[i] == 0 {
			sure = append(sure, int32(i))
		}
	}
	for len(sure) > 0 {
		j := sure[len(sure)-1]
		sure = sure[:len(sure)-1]
		for _, i := range before.of(j) {
			if waits[i]--; waits[i] == 0 {
				sure = append(sure, i)
			}
		}
	}
	if i := slices.IndexFunc(waits, func(n int32) bool { return n > 0 }); i >= 0 {
		s.wrong, s.at = stuck, s.circle(waits)
	}
}

// circle returns a state of those that are not sure to end from which one can
// come back to it.
func (s *search) circle(waits []int32) int32 {
	at := int32(slices.IndexFunc(waits, func(n int32) bool { return n > 0 }))
	seen := make(map[int32]bool)
	for !seen[at] {
		seen[at] = true
		for _, j := range s.fair[s.first[at]:s.first[at+1]] {
			if waits[j] > 0 {
				at = j
				break
			}
		}
	}
	return at
}

// edges are the fair steps by where they lead.
type edges struct{ from, first []int32 }

func (e edges) of(j int32) []int32 { return e.from[e.first[j]:e.first[j+1]] }

func (s *search) backward() edges {
	e := edges{from: make([]int32, len(s.fair)), first: make([]int32, len(s.states)+2)}
	for _, j := range s.fair {
		e.first[j+2]++
	}
	for j := range len(s.states) {
		e.first[j+2] += e.first[j+1]
	}
	for i := range s.states {
		for _, j := range s.fair[s.first[i]:s.first[i+1]] {
			e.from[e.first[j+1]] = int32(i)
			e.first[j+1]++
		}
	}
	e.first = e.first[:len(s.states)+1]
	return e
}

// trace is the shortest way to the state in which something is wrong.
func (s *search) trace() (lines []action) {
	var way []int32
	for i := s.at; i > 0; i = s.parent[i] {
		way = append(way, i)
	}
	slices.Reverse(way)
	now := s.states[0]
	for _, i := range way {
		found := false
		var next world
		s.steps.from(&now, func(n *world, a action) {
			form := *n
			if canonical(&form, s.steps.scene.conns); !found && form == s.states[i] {
				found, next = true, *n // the names of before
				lines = append(lines, a)
			}
		})
		now = next
	}
	return lines
}
