// Package handover is the wire format between two workers of which one gives
// its connections to the other: one frame per message on a SOCK_SEQPACKET
// socket pair, which carries the connection's descriptor beside the bytes. What
// a frame and its fields look like, and what Decode promises, is said in
// srvctl/proto/wire. The descriptor that travels with a frame is in brackets.
//
// Giver to taker:
//
//	         +-------+------------+----------+------------+-------+-------+-------+
//	1  conn  | seq 8 | listener 4 | peer     | requests 4 | head  | age 8 | bytes |  [connection]
//	         +-------+------------+-- str ---+------------+- flag +- time-+- str -+
//
// Taker to giver:
//
//	         +-------+
//	2  ack   | seq 8 |
//	         +-------+
//	         +-------+--------+
//	3  nack  | seq 8 | reason |
//	         +-------+- str --+
//
// listener is a number in the configuration of the taker. peer is the address
// of the client: 4 bytes, 16, or none. head says that a part of a request has
// come, in bytes, and age how long ago that began; without head, age is how
// long the connection has been silent, and bytes are whole requests of which
// none has been answered, or nothing.
//
// An ack says that the taker serves the connection, and comes before its first
// read; a nack that it has not read from it and has closed its copy of the
// descriptor. Both name the seq of their conn, and no conn has the seq of one
// before.
//
// It does no I/O, reads no clock, keeps no state and starts no goroutine. It
// does not know which message may follow which: that is the business of the
// workers.
package handover
