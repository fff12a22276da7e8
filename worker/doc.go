// Package worker is one worker process: it takes sockets, configuration and
// log files from the master, builds the site, runs the loop, and drains.
//
// It promises to accept nothing before Commit, to leave no listening
// descriptor open while it drains, and to serve what it has accepted also when
// the master is gone. What waits in a queue when it leaves is left to those who
// accept from it next, or answered when there is nobody. An order that crosses
// with a drain changes nothing but the log files, and another drain can only
// make the end come sooner.
//
// A connection that another worker can go on with moves there while this one
// drains: between two requests or in the middle of a head, with what was read
// of it. At any moment at most one process reads from it. Who gives it away
// sends the descriptor, keeps a copy, and does not read again before the taker
// has refused it or is known to be gone, however long that takes; the taker
// answers before it reads. So the death of either costs no connection but those
// that it was serving, and neither needs the master for it.
//
// Goroutines: the one that called Main owns the loop and with it every
// connection, handler, counter and log buffer. One goroutine reads the control
// channel and posts what it gets, one waits for SIGTERM, and both end with the
// process. The pool runs what may block. The access logs have a writer each.
//
// It binds nothing, starts no process, and does not use net/http to serve.
package worker
