package sock

import "errors"

// These errors can be returned by a Conn.
var (
	// ErrFull is returned by Send when the peer has not made room for the
	// frame in time. Nothing was sent.
	ErrFull = errors.New("control channel is full")
	// ErrTruncated is returned by Recv when a frame or its descriptors did not
	// arrive whole. What came is closed, and the channel cannot be trusted
	// any more: close it.
	ErrTruncated = errors.New("control frame arrived incomplete")
	// ErrFrame is returned by Send for an empty frame, one longer than
	// MaxFrame or one with more than MaxFDs descriptors.
	ErrFrame = errors.New("not a control frame")
)

// These errors can be returned for files and memory.
var (
	// ErrLocked is returned by Lock when another process holds the lock.
	ErrLocked = errors.New("locked by another process")
	// ErrUnsealed is returned by ReadSealed and Map when the memory could
	// still be changed or shrunk by whoever sent it.
	ErrUnsealed = errors.New("memory is not sealed")
	// ErrSize is returned when memory is empty or larger than MaxMemory.
	ErrSize = errors.New("memory has an unusable size")
)

// BindError is returned by Bind, Adopt, Prepare and Listen: an address cannot
// be served.
type BindError struct {
	Address string // as the operator wrote it
	Err     error
	Hint    string // what is in the way and what to do; may be empty
}

func (e *BindError) Error() string {
	s := "bind " + e.Address + ": " + e.Err.Error()
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

func (e *BindError) Unwrap() error { return e.Err }
