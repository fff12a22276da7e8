// Package conn is the HTTP/1.1 connection: bytes in, exchanges, bytes out, over
// a Transport that may be a plain socket or anything that behaves like one. It
// knows neither epoll nor descriptors, and reads no clock: the owner of a
// Server sets its Now once a turn.
//
// What it promises:
//
//   - An idle connection owns no buffer, no exchange and no job.
//   - What is answered does not depend on how the request was cut into packets.
//   - All responses to what one read brought are sent with one write, up to a
//     cap, after which the other connections get their turn.
//   - A response that was begun is either whole or visibly cut: nothing is
//     padded, and a body that comes up short ends in a reset.
//   - A request that is refused gets a complete response with its status, and
//     the connection is closed so that the client can read it (RFC 9112
//     section 9.6).
//   - Draining answers every request that has been read whole, and says
//     Connection: close with the last of them only. Nothing more is read of a
//     connection than the rest of one request and what comes with it.
//   - A connection that can be moved to another process is not told to close
//     while draining, and is served until it moves.
//   - No deadline ends a connection whose client has sent what was waited for,
//     also when the process stood still and could not read it in time.
//   - Back-pressure: while a response waits for its reader, no further request
//     of that connection is started, and its bytes stay in the kernel.
//   - A callback of a handler runs nothing of another connection, nor of its own:
//     what it asks for is done when it has returned. So handlers may wake each
//     other's exchanges, and the buffers of a Server can be shared.
//   - A request of the fast path, whose handler answers at once from memory,
//     costs no allocation, no lock and no call that the bytes do not need.
//
// It does not route, does not log, and starts no goroutine.
package conn
