package serve

import (
	"net/netip"

	"srvctl/proto/http1"
)

// MaxParams bounds the {name} parameters of one route.
const MaxParams = 16

// Param is one {name} of the route that matched; its value is a range of
// Request.Path.
type Param struct {
	Name     string
	Off, Len int
}

// Request is the request of an exchange: a parsed head as views into Buf, and
// what routing made of it.
type Request struct {
	http1.Head
	// Buf is what the spans of Head point into.
	Buf []byte
	// Path is the decoded, normalised path; routing and files use nothing else.
	Path []byte
	// Rest is where in Path the "*" of the route begins; -1 without one.
	Rest int
	// Client is the client's address, unmapped; invalid for unix sockets.
	Client netip.Addr
	// Secure is true when the connection is encrypted.
	Secure bool
	// Listener is the number of the listener that accepted the connection.
	Listener int

	params  [MaxParams]Param
	nparams int
}

// Params returns the parameters of the route that matched, in path order.
func (r *Request) Params() []Param { return r.params[:r.nparams] }

// SetParams is for the router: it stores the parameters of the match.
func (r *Request) SetParams(ps []Param) { r.nparams = copy(r.params[:], ps) }

// Param returns the value of the parameter of that name.
func (r *Request) Param(name string) ([]byte, bool) {
	for i := range r.params[:r.nparams] {
		if p := &r.params[i]; p.Name == name {
			return r.Path[p.Off : p.Off+p.Len], true
		}
	}
	return nil, false
}

// Wildcard returns what the "*" of the route matched, without a leading slash.
func (r *Request) Wildcard() []byte {
	if r.Rest < 0 || r.Rest > len(r.Path) {
		return nil
	}
	return r.Path[r.Rest:]
}

// Header returns the value of the first field of that name. The name is given
// in lower case.
func (r *Request) Header(name string) ([]byte, bool) { return r.Lookup(r.Buf, name) }

// MethodBytes returns the method as the client wrote it.
func (r *Request) MethodBytes() []byte { return r.MethodName.Of(r.Buf) }

// HostBytes returns the authority the request is for, port included.
func (r *Request) HostBytes() []byte { return r.Host.Of(r.Buf) }

// HasBody reports whether a body follows the head.
func (r *Request) HasBody() bool { return r.Chunked || r.ContentLength > 0 }
