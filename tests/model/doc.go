// Package model is the protocol of reload and hand-over as a small program: a
// master, three workers, some clients, the links between them, and everything
// that may go wrong at any moment. Its tests try every order of events.
//
// It imports nothing of the server. It is the reference of what the processes
// say to each other and why; what their frames look like is said in
// proto/control and proto/handover.
//
// # Who talks to whom
//
//	                   +--------+
//	        Commit --> | master | --> Give, Drain
//	        Take       +--------+
//	     +-------------- |    | -------------+
//	     |    Ready, Serving  Left           |
//	     v                                   v
//	+----------+      ack, nack        +----------+
//	|   new    | --------------------> |   old    |
//	|  worker  |                       |  worker  |
//	|  taker   | <-------------------- |  giver   |
//	+----------+   conn [descriptor]   +----------+
//	     ^              link                 ^
//	     +---------- connections ------------+
//	                   +---------+
//	                   | clients |
//	                   +---------+
//
// All arrows between processes are queues that keep their order. The link is a
// SOCK_SEQPACKET pair. The master makes it, sends one end with Give and the
// other with Take, keeps neither, and relays nothing. When the master dies, a
// link goes on.
//
// # A reload
//
//	master           new worker                 old worker          client
//	   | <---- Ready --- |                           | <---- asks --- |
//	   | --- Commit ---> | accepts                   | --- answers -> |
//	   | <-- Serving --- |                           |                |
//	   | ---- Give, Drain ------------------------>  | has left the   |
//	   | --- Take -----> |                           | listener       |
//	   | <------------------------------- Left ----- |                |
//	   |                 | <--- conn [descriptor] -- | reads no more  |
//	   |                 | counts it                 |                |
//	   |                 | --- ack --------------->  | counts it off, |
//	   |                 | reads, answers            | closes its copy|
//	   |                 | ------------------------- | -------------> |
//	   | <------------------------------- exits ---- |                |
//
// # The rules
//
// A connection has one owner, which alone may read from it. The owner changes
// at one moment: when the ack is in the link.
//
// The giver
//   - moves a connection at a message boundary, with the bytes that it has read
//     and not consumed; no answer says Connection: close while it can move;
//   - takes it out of epoll before it sends it, and keeps a copy of the
//     descriptor, which it does not read, until the verdict: at the ack it closes
//     the copy and counts off, at a nack it reads on. It never calls shutdown(2)
//     for a copy, not even at drain.timeout: that would end the connection for
//     the taker too;
//   - reads the link to its end, which comes behind all verdicts, then reads on
//     with what was not acknowledged. Never because of a timeout; not at a
//     hang-up; not at ECONNRESET, which comes before the verdicts when messages
//     were dropped; and not when a second Give comes, before which the first link
//     is read to its end;
//   - closes its end of a link after the other end only, or by exiting;
//   - does not offer again what was refused or taken back: that is drained with
//     Connection: close, or closed after drain.idle of silence;
//   - is done when nothing is left, nor unacknowledged.
//
// The taker
//   - takes a connection out of the link, counts it, acknowledges it, reads it,
//     in this order; or refuses it with a nack and closes what came, without
//     shutdown(2), because the giver reads on;
//   - closes the link when an ack cannot be sent to a giver that lives, without
//     having read;
//   - owns without an ack what came from a giver whose end is closed (EPIPE,
//     ECONNRESET), since that never takes anything back, and therefore reads a
//     link to its end even if the other end is closed;
//   - takes a connection out of epoll before it closes it: the giver's copy keeps
//     the registration alive. It ends one with shutdown, since close alone ends
//     nothing while there is a copy.
//
// The master
//   - sends Give before Drain, and both when the successor is Serving;
//   - gives a draining worker another link when the one it gave to is reaped and
//     another one serves;
//   - clears a cell when its process is reaped, neither sooner nor never.
//
// A worker that finds its master dead empties the queue of the listener before
// it leaves, also at a Drain that says somebody else has the queue: that one may
// have left. A draining taker refuses, or takes what it can move on itself: both
// are sound.
//
// # What is wanted in every state
//
//   - Nobody waits to read from a connection but its owner. No byte is skipped, no
//     request is answered twice or out of turn.
//   - A connection is closed without a word only when its owner was killed or cut
//     what it had at drain.timeout. While it travels the giver is the owner; if
//     that falls, the connection is the taker's, and is lost only if the taker
//     falls, refuses it or has drained too. A request that was sent is answered
//     otherwise, or the client is told Connection: close, or, where the connection
//     cannot move, it is closed after drain.idle.
//   - What was sent has a verdict under way, or the end of the link. No process has
//     a descriptor that it does not know, nor something in epoll that it has closed.
//   - The sum of the cells is not below the number of open connections. The one
//     exception is what only the messages of a dead giver hold: nobody counts that
//     from when the giver is reaped to when the taker takes it; it is at most a
//     window. When all is quiet the sum is exact.
//   - Somebody accepts while the master lives, unless the newest worker that did
//     has died and its replacement is not yet there. No draining process has a
//     listening descriptor. What waits in the queue is reset only when the master
//     and the newest worker that accepted are both dead.
//   - All comes to rest: whatever has happened, if no more harm is done every
//     order of steps ends, and ends with no draining process, no link, no frame
//     and no request unanswered. So nobody has to be killed, and no timeout to
//     pass, for a drain to end.
//
// # How it is tested
//
// A state is a comparable value (world_test.go). steps makes all states that can
// follow one: a process takes one step, a client sends, or harm is done, of which
// a scene has a budget (scene_test.go). The search goes through all of them,
// nearest first, so that the first mistake found has a shortest way, which is
// told in words. Then it goes backward from the states at rest.
//
// Each rule is broken once (rules_test.go), and the search must find that. Where
// clients are harmed, it must find it a second time when it looks at nothing but
// what clients see. What is believed of the kernel is asked of the kernel
// (facts_test.go). SOAK=1 searches larger worlds.
//
// # What it leaves out
//
// Time: whatever has a timeout may happen at once or never. So a process that
// stands still needs no rule; one that is stopped is there because the master
// kills it. Bytes: a request is read and consumed whole. Clients that hang up.
// Listeners that the successor does not have: their connections are like those
// that were refused. More than one slot: with neighbours that accept, there is
// less that can go wrong.
package model
