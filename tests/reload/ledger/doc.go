// Package ledger is a client that writes down every request it sends and
// afterwards holds the server to account: each was answered once, whole and
// right, or it is known what became of it.
//
// # What it does
//
// Each request carries a number of its own, in its path. Four forms of client
// send them, each over several connections, by TCP or unix sockets and without
// any library of HTTP, so that every byte, every FIN and every RST is seen:
//
//	keep      connections that stay, GET, HEAD and POST with 0 to 50 ms between
//	fresh     a connection for each request
//	dribble   heads and bodies that come byte by byte, 1 to 5 ms apart
//	pipeline  1 to 16 requests at once
//
// Stop ends them when what is in flight has been answered, and Account compares
// what they wrote down with the server's access logs, in which each number must
// stand exactly once.
//
// # What it holds the server to
//
// A server may end a connection at any time, if its last answer says so
// (Connection: close). What was sent behind that request was not processed (RFC
// 9112, section 9.6): it is sent again, over a new connection, and still stands
// in the log only once. The end of the stream must follow.
//
// A connection without a request may also be ended unannounced, but not before
// it has been silent for Options.Idle. A request that meets such an end is
// counted as raced, if its connection had been silent for that long: nobody can
// win that race, so whoever wants none must not be silent. Any other end with a
// request in flight is a loss, and a reset is a fault wherever it comes.
//
// With Options.Stay a connection may not end at all unless its client asks for
// it: ends that are announced or that follow a silence are faults too.
//
// A refused connection is a fault, unless AllowRefusal says that the address may
// be gone. Then a connection that ends before its first answer, with requests
// that are not in the log, was never accepted: that is no loss either.
//
// # What it does not do
//
// It never sends a request again that the server may have processed, and it has
// no opinion on how much may be lost when the test kills processes: Report has
// the figures, and Problems is for servers that must lose nothing.
//
// # Goroutines
//
// One for each connection, from Start to Stop. Each owns its figures; only the
// list of numbers is shared, under a lock.
package ledger
