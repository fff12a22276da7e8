package serve

import "errors"

// Errors a Sink's End is called with.
var (
	// ErrTooLarge: the body is longer than the limit; the client gets 413.
	ErrTooLarge = errors.New("request body over the limit")
	// ErrMalformed: the chunked framing of the body is broken; the client gets 400.
	ErrMalformed = errors.New("request body framing is malformed")
	// ErrTooSlow: the body came in below the minimum rate; the client gets 408.
	ErrTooSlow = errors.New("request body below the minimum rate")
	// ErrGone: the client went away before the body was complete.
	ErrGone = errors.New("client went away")
)

// A Sink takes a request's body as it arrives. Every call is made on the loop.
type Sink interface {
	// Data takes the next bytes of the body. p is valid only during the call.
	// Returning false pauses the stream, so that the client is not read from,
	// until Exchange.More.
	Data(x *Exchange, p []byte) (more bool)
	// End is called once: with nil when the whole body has arrived, otherwise
	// with the reason why it never will. Then the carrier answers, and an
	// answer of the sink's own is ignored.
	End(x *Exchange, err error)
}

// A Source gives a response's body piece by piece. Every call is made on the
// loop.
type Source interface {
	// Read fills p and does not block. 0 bytes without an error mean "nothing
	// now": the source calls Exchange.Wake when there is more. io.EOF, which
	// may come with the last bytes, ends the body; any other error cuts the
	// connection, so that the client sees that the body is not whole.
	Read(x *Exchange, p []byte) (n int, err error)
	// Close is called once, when the exchange ends, however it ends.
	Close()
}

// A File is an open regular file that a response's body is sent from.
type File interface {
	// FD is the descriptor, open until Release.
	FD() int
	// Resident reports whether n bytes from off on can be sent without
	// waiting for the disk. It does not block.
	Resident(off, n int64) bool
	// Load brings that range into memory. It may block, and is called on the
	// pool.
	Load(off, n int64)
	// Intact reports whether the content is still what the response's head
	// was made for. It is asked before each part that is sent, and does not
	// block; when it is not, the connection is cut rather than two contents
	// mixed.
	Intact() bool
	// Release gives the descriptor back. It is called once, on the loop.
	Release()
}
