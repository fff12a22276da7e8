package http1

// Method is a request method that has a number of its own, or MethodOther.
// Methods are case-sensitive (RFC 9110 section 9.1): "get" is MethodOther.
type Method uint8

// The methods of RFC 9110 and RFC 5789. Head.MethodName has the name of a
// MethodOther. Parse refuses CONNECT, so no head has MethodConnect.
const (
	MethodOther Method = iota
	MethodGet
	MethodHead
	MethodPost
	MethodPut
	MethodDelete
	MethodOptions
	MethodPatch
	MethodTrace
	MethodConnect
)

// maxMethod bounds the name of a method. The longest registered one,
// UPDATEREDIRECTREF, has 17 bytes.
const maxMethod = 32

var methodNames = [...]string{
	MethodOther:   "",
	MethodGet:     "GET",
	MethodHead:    "HEAD",
	MethodPost:    "POST",
	MethodPut:     "PUT",
	MethodDelete:  "DELETE",
	MethodOptions: "OPTIONS",
	MethodPatch:   "PATCH",
	MethodTrace:   "TRACE",
	MethodConnect: "CONNECT",
}

// String returns the name of the method, "" for MethodOther.
func (m Method) String() string { return methodNames[m] }

// methodOf returns the method of that name.
func methodOf(name []byte) Method {
	switch string(name) {
	case "GET":
		return MethodGet
	case "HEAD":
		return MethodHead
	case "POST":
		return MethodPost
	case "PUT":
		return MethodPut
	case "DELETE":
		return MethodDelete
	case "OPTIONS":
		return MethodOptions
	case "PATCH":
		return MethodPatch
	case "TRACE":
		return MethodTrace
	case "CONNECT":
		return MethodConnect
	}
	return MethodOther
}
