package static

import "srvctl/worker/serve"

// flight is a query on the pool. Requests for the same name wait for it
// instead of asking again: when a worker starts, thousands may want one file.
type flight struct {
	query
	found   answer
	handler *Handler
	waiting []serve.Resumer
}

// fly lets the pool answer q for x.
func (h *Handler) fly(x *serve.Exchange, q query) {
	f := &flight{query: q, handler: h}
	h.flights[q.name] = f
	q.root.hold()
	if !x.Offload(f.work, f.land) {
		q.root.release()
		delete(h.flights, q.name)
		x.Busy()
	}
}

// join lets x wait for f.
func (f *flight) join(x *serve.Exchange) {
	f.waiting = append(f.waiting, x.Suspend())
}

// work is done on the pool.
func (f *flight) work() { f.found, _ = f.query.find(true, nil) }

// land is back on the loop, with the exchange that the flight began for.
func (f *flight) land(x *serve.Exchange) {
	h := f.handler
	delete(h.flights, f.name)
	f.query.root.release()
	if f.found.exhausted() {
		h.cache.shed() // for the next one
	}
	res := h.settle(&f.query, &f.found)
	res.answer(x)
	for _, w := range f.waiting {
		res.hold()
		w.Resume(func(x *serve.Exchange) {
			res.answer(x)
			res.release()
		})
	}
	res.release()
}
