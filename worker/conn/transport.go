package conn

// Transport is the byte stream under a connection and the deadline that goes
// with it. Errors: syscall.EAGAIN when nothing can be done now, io.EOF at the
// end of the stream, anything else when the stream is broken. Nothing may be
// called after Close or Abort.
type Transport interface {
	Read(p []byte) (int, error)
	// Write takes as many bytes as it can. Less than all means that there is
	// no room for more now.
	Write(p []byte) (int, error)
	// WriteMore is Write for bytes that more will follow at once.
	WriteMore(p []byte) (int, error)
	// Write2 is Write for two pieces in order.
	Write2(a, b []byte) (int, error)
	// SendFile sends up to n bytes of the open file fd from off on; 0 bytes
	// without an error mean that the file ends there.
	SendFile(fd int, off int64, n int) (int, error)
	// Unsent is how many bytes that Write took the peer has not acknowledged.
	Unsent() int
	// Watch says which of Readable and Writable are wanted.
	Watch(read, write bool)
	// SetDeadline asks for Expired at that time of Server.Now; 0 for never.
	SetDeadline(at int64)
	// Requeue asks for Continue once the events at hand have been seen to.
	// Asking again before that changes nothing.
	Requeue()
	// CloseWrite ends the sending direction.
	CloseWrite()
	Close()
	// Abort closes so that the peer cannot take what it got for whole.
	Abort()
}
