// Package control is the wire format between the master and its workers: one
// frame per message on a SOCK_SEQPACKET socket pair, which carries descriptors
// beside the bytes. What a frame and its fields look like, and what Decode
// promises, is said in srvctl/proto/wire. The descriptors that travel with a
// frame are in brackets. Master to worker:
//
//	              +--------+--------------+---------+-----------+------------+
//	1  begin      | slot 4 | generation 4 | index 4 | workers 4 | instance   |  [configuration]
//	              +--------+--------------+---------+-----------+----- str --+
//	              +----------+---------+---------+--------+---------+---------+
//	2  listener   | number 4 | name    | address | shared | first 4 | count 4 |  [count sockets]
//	              +----------+-- str --+-- str --+- flag -+---------+---------+
//	              +-----------------+
//	3  logs       | names           |  [a file per name]
//	              +-- list of str --+
//	4  prepare    (no fields)
//	              +-------------------+
//	5  commit     | accept: slots     |
//	              +-- list of 2 B ----+
//	              +-------------------+
//	6  accept     | slots             |
//	              +-- list of 2 B ----+
//	              +-----------+-----------+-----------+---------+-----------------+
//	7  drain      | timeout 8 | idle 8    | delay 8   | why     | empty           |
//	              +-- time ---+-- time ---+-- time ---+-- str --+-- list of 2 B --+
//	              +-----------------------------+
//	8  give       | listeners: pairs            |  [end of a pair of sockets]
//	              +-- list of (old 2, new 2) ---+
//	              +--------+--------------+
//	9  take       | slot 4 | generation 4 |  [end of a pair of sockets]
//	              +--------+--------------+
//
// Worker to master:
//
//	               +------------+
//	65  ready      | checksum 8 |
//	               +------------+
//	               +-----------+
//	66  failed     | reason    |
//	               +--- str ---+
//	67  serving    (no fields)
//	               +------------+------------+------------+
//	68  drained    | finished 4 | moved 4    | cut 4      |
//	               +------------+------------+------------+
//	               +-----------+-----------+
//	69  degraded   | key       | text      |
//	               +--- str ---+--- str ---+
//	70  left       (no fields)
//
// A listener's sockets are those of the slots from first on. Of a sliced one
// each belongs to the worker of its slot; of a shared one every worker accepts
// from all, usually a single one, more if it was sliced before a reload.
//
// It does no I/O, reads no clock, keeps no state and starts no goroutine. It
// does not know which message may follow which, nor which side may send it:
// that is the business of master and worker. Anything that may grow beyond a
// frame (the configuration, stacks) is not put into one but travels beside it
// as a sealed memfd.
package control
