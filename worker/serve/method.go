package serve

import "srvctl/proto/http1"

// ReadMethods is the Allow value of what can only be read.
const ReadMethods = "GET, HEAD, OPTIONS"

// optionsReady answers OPTIONS; Allow is added.
var optionsReady = NewReady(204, nil, nil)

// Readable reports whether the method is GET or HEAD.
func (x *Exchange) Readable() bool {
	return x.Req.Method == http1.MethodGet || x.Req.Method == http1.MethodHead
}

// NotAllowed answers a method that the target does not have: OPTIONS with 204,
// for to ask is what it is for, any other with 405. Both tell the methods in
// allow.
func (x *Exchange) NotAllowed(allow string) {
	x.AddField("Allow", allow)
	x.notAllowed()
}

// NotAllowedBytes is NotAllowed for a list held as bytes, which are copied.
func (x *Exchange) NotAllowedBytes(allow []byte) {
	x.AddFieldBytes("Allow", allow)
	x.notAllowed()
}

func (x *Exchange) notAllowed() {
	if x.Req.Method == http1.MethodOptions {
		x.Send(optionsReady)
		return
	}
	x.Error(405)
}
