package serve

// A Handler answers requests. One Handler serves all connections of its loop,
// one call at a time, so it needs no lock for state that only it touches.
type Handler interface {
	// Serve answers x, or arranges for an answer (Receive, Offload, Suspend)
	// and returns. It must not block.
	Serve(x *Exchange)
}

// HandlerFunc lets a function be a Handler.
type HandlerFunc func(x *Exchange)

// Serve calls f.
func (f HandlerFunc) Serve(x *Exchange) { f(x) }

// Middleware wraps a Handler. It may answer instead of next, add response
// fields before calling it, or look at the exchange afterwards.
type Middleware func(next Handler) Handler

// Chain wraps h so that the first middleware sees a request first.
func Chain(h Handler, mw ...Middleware) Handler {
	for i := len(mw) - 1; i >= 0; i-- {
		h = mw[i](h)
	}
	return h
}
