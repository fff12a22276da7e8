package conf

import "strconv"

// mergeInto adds what another file wrote. Groups of keys come together key by
// key, lists of sites one after the other; everything else may be written in
// one file only.
func (l *loader) mergeInto(root, sub *item) {
	root.damaged = root.damaged || sub.damaged
	root.misspelt = root.misspelt || sub.misspelt
	for _, kid := range sub.kids {
		if kid.key.is(fileOnly) {
			continue
		}
		have := root.get(kid.name)
		switch {
		case have == nil:
			root.adopt(kid)
		case kid.bad || have.bad:
			have.damaged = true
		case kid.key.kind == section && !kid.key.is(optional) && root.key.kind == section:
			l.mergeInto(have, kid)
		case kid.key.kind == named:
			l.mergeNames(have, kid)
		case kid.key.is(appends):
			l.mergeList(have, kid)
		default:
			l.writtenBefore(kid, have)
		}
	}
}

// mergeNames brings two groups of names together; a name may be in one only.
func (l *loader) mergeNames(have, more *item) {
	have.damaged = have.damaged || more.damaged
	for _, kid := range more.kids {
		if first := have.get(kid.name); first != nil {
			l.writtenBefore(kid, first)
			continue
		}
		if len(have.kids) >= int(have.key.max) {
			l.refuse(have, "more than "+itoa(int(have.key.max))+" entries in all files", have.key.allowed(), "")
			return
		}
		have.adopt(kid)
	}
}

func (l *loader) mergeList(have, more *item) {
	have.damaged = have.damaged || more.damaged
	if len(have.kids)+len(more.kids) > int(have.key.max) {
		l.refuse(have, "more than "+itoa(int(have.key.max))+" entries in all files", have.key.allowed(), "")
		return
	}
	for _, kid := range more.kids {
		have.adopt(kid)
	}
}

func (l *loader) writtenBefore(kid, first *item) {
	l.add(Problem{Pos: kid.keyPos(), Key: kid.path(),
		Message: "written twice, first at " + first.keyPos().String(), Allowed: "once is allowed"})
}

func itoa(n int) string { return strconv.Itoa(n) }
