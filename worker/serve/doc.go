// Package serve is what a site is made of: the Exchange (one request and its
// response), the Handler that answers it, the Middleware around a Handler, and
// the small handlers respond, redirect, health and echo.
//
// It promises that a Handler sees neither a socket nor the loop. What carries
// an exchange (an HTTP/1.1 connection today) stands behind the Carrier
// interface, so one and the same site can be served by any of them.
//
// The rules every handler lives by:
//
//   - Every method of an Exchange, a Sink and a Source is called on the loop.
//     Nothing there may block. Work that may block goes to the bounded pool
//     with Offload, or to a goroutine of the handler's own after Suspend; both
//     come back to the loop as a message. Resumer.Resume is the only call that
//     is safe from another goroutine.
//   - A handler answers exactly once, either before Serve returns or later
//     from a callback. A handler that returns without an answer and without
//     anything outstanding is a defect and the client gets 500.
//   - Byte slices of the request are views into the connection's buffers. They
//     are valid until the handler returns or the callback ends, and are to be
//     fetched again in the next callback: what they point into moves when an
//     exchange waits.
//   - Bytes given as a response body must not change until the exchange ends,
//     so they must not be such a view.
//
// It does not write framing: Content-Length, Transfer-Encoding, Connection and
// Date belong to the carrier. It keeps no state between exchanges but the pool
// and the memory that all echoes of the process may take together.
package serve
