// Package servetest runs handlers without a connection: a Carrier whose clock
// and pool the test holds in its hands.
//
// It is as strict as a handler must expect a real carrier to be: once the
// handler has returned without an answer the buffer of the request's head is
// overwritten, so that a kept view shows; body bytes are overwritten after
// each delivery; a file is asked whether it is resident before each read. It
// writes no framing. All of it belongs to the test's goroutine, but for Resume.
package servetest
