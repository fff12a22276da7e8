package serve

// NewHealth returns a handler that tells whether the server is well, for load
// balancers and containers. kind is "live", which is always well as long as
// the loop answers, or "ready", which asks ready. It takes GET and HEAD.
func NewHealth(kind string, ready func() bool) Handler {
	if kind != "ready" || ready == nil {
		ready = func() bool { return true }
	}
	const fields = "Content-Type: application/json\r\nCache-Control: no-store\r\n"
	return &health{
		ready: ready,
		yes:   NewReady(200, []byte(fields), []byte(`{"status":"ok"}`+"\n")),
		no:    NewReady(503, []byte(fields), []byte(`{"status":"not ready"}`+"\n")),
	}
}

type health struct {
	ready   func() bool
	yes, no *Ready
}

func (h *health) Serve(x *Exchange) {
	switch {
	case !x.Readable():
		x.NotAllowed(ReadMethods)
	case h.ready():
		x.Send(h.yes)
	default:
		x.Send(h.no)
	}
}
