package model

// Connections differ by number only: of all states that are the same but for
// these numbers one is kept.

// key is all that a state says about a connection.
type key [8 + 5*workers + 2*numLinks]uint8

func (n *world) key(c int) (k key) {
	x := &n.conns[c]
	k = key{uint8(x.phase), x.owner, bit(x.stranded), x.sent, x.out, x.done}
	i := 8
	for p := range x.rec {
		r := &x.rec[p]
		k[i], k[i+1], k[i+2], k[i+3], k[i+4] = uint8(r.hold), r.next, r.end, bit(r.busy), bit(r.watched)
		i += 5
	}
	for l := range n.links {
		for at := range maxWindow {
			if int(n.links[l].fwd[at].conn) == c+1 {
				k[i] |= 1 << at
			}
			if int(n.links[l].back[at].conn) == c+1 {
				k[i+1] |= 1 << at
			}
		}
		i += 2
	}
	return k
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

func (k *key) less(other *key) bool {
	for i := range k {
		if k[i] != other[i] {
			return k[i] < other[i]
		}
	}
	return false
}

// canonical sorts the connections.
func canonical(n *world, conns int) {
	var keys [maxConns]key
	var order [maxConns]int // at a place: the number before
	for c := range conns {
		keys[c] = n.key(c)
		order[c] = c
		for i := c; i > 0 && keys[order[i]].less(&keys[order[i-1]]); i-- {
			order[i], order[i-1] = order[i-1], order[i]
		}
	}
	var number [maxConns + 1]uint8 // of a connection: 1 + its new place
	moved := false
	for place, c := range order[:conns] {
		number[c+1] = uint8(place + 1)
		moved = moved || place != c
	}
	if !moved {
		return
	}
	before := n.conns
	for place, c := range order[:conns] {
		n.conns[place] = before[c]
	}
	for l := range n.links {
		for at := range maxWindow {
			n.links[l].fwd[at].conn = number[n.links[l].fwd[at].conn]
			n.links[l].back[at].conn = number[n.links[l].back[at].conn]
		}
	}
}
