package route

import (
	"bytes"

	"srvctl/worker/serve"
)

// walk is the search for the route of one request.
type walk struct {
	req     *serve.Request
	params  [serve.MaxParams]span
	nparams int
	rest    int       // where in the path the "*" begins, -1 without
	passed  methodSet // of the leaves whose path matched but not their method
}

// span is a range of the path. A path is a part of a head, which has 65,535
// bytes at most.
type span struct{ off, len uint16 }

// find returns the target of a request and stores what the path gives for its
// parameters. It returns nil when there is none; w.passed then holds what
// methods there are.
func (w *walk) find(t *tree, r *serve.Request) *target {
	w.req, w.rest = r, -1
	to := w.from(&t.root, 1)
	if to == nil {
		return nil
	}
	r.Rest = w.rest
	if len(to.names) > 0 {
		w.store(to)
	}
	return to
}

func (w *walk) store(to *target) {
	var ps [serve.MaxParams]serve.Param
	for i, name := range to.names {
		ps[i] = serve.Param{Name: name, Off: int(w.params[i].off), Len: int(w.params[i].len)}
	}
	w.req.SetParams(ps[:len(to.names)])
}

// from looks beneath n for what matches the path from off on, where a segment
// begins. It tries the most specific first.
func (w *walk) from(n *node, off int) *target {
	seg, last := w.req.Path[off:], true
	if i := bytes.IndexByte(seg, '/'); i >= 0 {
		seg, last = seg[:i], false
	}
	next := off + len(seg) + 1
	if child := n.literal[string(seg)]; child != nil {
		if to := w.child(child, next, last); to != nil {
			return to
		}
	}
	if n.param != nil && len(seg) > 0 {
		w.params[w.nparams] = span{uint16(off), uint16(len(seg))}
		w.nparams++
		if to := w.child(n.param, next, last); to != nil {
			return to
		}
		w.nparams--
	}
	if n.rest != nil {
		return w.take(n.rest, off)
	}
	return nil
}

// child goes on at a child: beneath it, or with it when the path is at its end.
func (w *walk) child(n *node, next int, last bool) *target {
	if !last {
		return w.from(n, next)
	}
	if n.leaf != nil {
		if to := w.take(n.leaf, -1); to != nil {
			return to
		}
	}
	if n.rest != nil {
		return w.take(n.rest, len(w.req.Path))
	}
	return nil
}

// take ends the search at l if it has the method.
func (w *walk) take(l *leaf, rest int) *target {
	to := l.take(w.req)
	if to != nil {
		w.rest = rest
	} else {
		w.passed.add(&l.methods)
	}
	return to
}
