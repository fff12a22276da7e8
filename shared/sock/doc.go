// Package sock makes descriptors and passes them between processes: the
// sockets of listeners, control channels, shared and sealed memory, the lock
// file. Together with worker/loop it is the only package that makes raw socket
// calls.
//
// # Listeners
//
// Bind makes a listener's sockets in one of two forms. A sliced listener has a
// socket per slot, joined by SO_REUSEPORT, among which the kernel spreads new
// connections; a shared one has a single socket for all slots (unix: sockets,
// and whoever turns reuseport off).
//
//   - A conflict with any other process shows as an error, never as a silent
//     half of the traffic: the first socket of an address is bound without
//     SO_REUSEPORT and gets the option afterwards (the kernel compares the
//     options when the second socket is bound), and the first Listen looks
//     again. Between that look and listen(2), some microseconds, and from then
//     on, another server of the same user could still join on purpose. Against
//     a second srvctl the caller holds the lock.
//   - A change of a listener's Spec or of the number of slots (Prepare, then
//     Commit or Rollback) closes no socket that listens, and shows nothing to
//     clients before Commit. Only a new address makes a new Set: with
//     BindBeside even one that overlaps an old one of this server.
//   - Sockets that others made (Adopt) are checked before anything is done with
//     them, get the options of our own, and stay the giver's where that shows:
//     a unix: socket's file keeps its mode, its owner and its life.
//   - A bound socket takes no connection; only Listen makes clients come. Until
//     then epoll reports EPOLLHUP on it without end, so that a worker must not
//     watch it yet.
//   - Sockets are plain TCP, non-blocking and CLOEXEC, and what they accept
//     inherits TCP_NODELAY. No function calls shutdown on a TCP listener, which
//     would end the queue for every process that holds a copy.
//   - A listener can end without losing a connection that a client believes to
//     have: Refuse lets no new ones begin, Settle waits for the handshakes that
//     have. To close a socket without that resets what comes between the last
//     accept and the close: about 1 in 10,000 connections on the loopback
//     interface for a shared listener and up to 1 in 100 for sliced ones, 1 in
//     25 with a round trip of 10 ms (measured under a rush of new connections).
//   - Every error of Bind, Prepare, Adopt and Listen is a *BindError that says
//     who or what is in the way, as far as /proc tells, and what to do.
//
// # Control channels
//
// A Conn is one end of a SOCK_SEQPACKET pair. A frame arrives whole, with all
// its descriptors, or not at all: what came of an incomplete one is closed.
// Send waits a bounded time, or not at all. Nothing is known here about what
// frames mean.
//
// # The lock file
//
// One process holds it, by flock, for as long as it lives; a child never does.
// LockWait also waits for the remains of a holder that was killed, and never
// for one that lives.
//
// # Memory
//
// Memory from another process is used only when its size (Map) or its whole
// content (ReadSealed) is sealed: it can neither fault nor change.
//
// The package starts no goroutine, keeps no state of its own and never logs.
// Descriptors in results belong to the caller, descriptors in arguments stay
// the caller's, except those given to NewConn and Adopt.
package sock
