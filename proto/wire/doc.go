// Package wire is what the formats between the processes of this server have
// in common: the header of a frame, and how numbers, strings and lists stand in
// it. What the frames are, is said by the packages that use it.
//
// A frame is one message on a SOCK_SEQPACKET socket, which keeps boundaries and
// order. Numbers are little-endian. It is at most 64 KiB and begins with
//
//	 0         1         2                   4                             8
//	+---------+---------+-------------------+-----------------------------+
//	| version | type    | 0                 | length of the whole frame   |
//	+---------+---------+-------------------+-----------------------------+
//
// The fields follow without gaps. A number is never negative; str is its
// length in 2 bytes and so many bytes, list is its count in 2 bytes and so
// many elements, time is nanoseconds, flag is a byte that is 0 or 1.
//
// Promises: Decode never panics, whatever it is given, bounds every count and
// string before it takes memory for it, accepts exactly the frames that Append
// makes (so a frame has one spelling), and says what is wrong with others by a
// typed error. Decoded messages share no memory with the frame.
//
// A message lists its fields once for both directions, so that what is written
// and what is read cannot drift apart.
//
// It does no I/O, reads no clock, keeps no state and starts no goroutine.
package wire
