// Package logging writes the two kinds of logs: events and requests.
//
// Both promise the same three things. A line is whole: no other process's
// line, no full disk and no cut ends up inside it. A line is one line: bytes
// from clients cannot end it, drive a terminal or break its format. And logging
// does not hold up the program: when an output takes nothing, lines are
// dropped and counted.
//
// # Events
//
// A Logger writes events by logrus, as JSON or key=value: time, level, msg,
// then process, slot, generation, pid, addr, err where they apply, then the
// other fields by name. More than ten of the same event in ten seconds are
// told by one line with repeated=N. A Logger may be used by any goroutine.
//
// # Requests
//
// An Access writes one line for each request with its own appender, without
// allocating, in one of two formats. JSON, always with all fields in this
// order:
//
//	{"time":"2026-11-22T18:49:01.123+01:00","client":"192.0.2.17","method":"GET","scheme":"http",
//	 "host":"www.example.com","path":"/a?b=c","protocol":"HTTP/1.1","status":200,"bytes":5321,
//	 "duration_us":87,"site":"example.com","route":"GET,HEAD /*","cache":"","user_agent":"curl/8.5",
//	 "referer":"","request_id":"","worker":3}
//
// and nginx's combined:
//
//	192.0.2.17 - - [22/Nov/2026:18:49:01 +0100] "GET /a?b=c HTTP/1.1" 200 5321 "-" "curl/8.5"
//
// Times are in the local zone. In JSON, bytes that are not UTF-8 become U+FFFD;
// in combined, all that is not printable ASCII is \xXX. A line is at most 16 KiB
// long in a file and 4096 bytes elsewhere; strings that are too long for that
// end in "...".
//
// An Access belongs to one goroutine, the loop, which fills batches of 64 KiB;
// a writer goroutine of its own takes them. The writer needs a processor beside
// the loop's: with GOMAXPROCS=1 and a loop that never gives its own away, it
// does not run and lines are dropped.
//
// # Outputs
//
// A regular file, opened with O_APPEND, gets each batch in one write, which the
// kernel keeps in one piece even among several processes. When the disk has
// less space than the batch and 64 KiB, the batch is dropped before a write
// could tear a line; if one is torn all the same (a quota, a limit), its rest
// goes first in the next write. Each batch tries anew, so the log goes on as
// soon as there is space.
//
// A pipe, terminal or socket gets whole lines in writes of at most 4096 bytes
// (PIPE_BUF), without waiting in the kernel where the kernel can be asked
// (RWF_NOWAIT), after poll where it cannot. A reader that takes nothing for five
// seconds (one, when the process ends) costs what is held, and then gets no
// patience until it reads again.
//
// Files are opened, and opened again after a rotation, by the caller; SetOutput
// and Swap take them over and lose no line.
//
// # Goroutines and bounds
//
// One writer goroutine for each Access and each Logger with a file, from the
// start to Close, which waits for it. A Logger holds at most 256 KiB of lines
// and watches at most 1024 events; an Access holds at most 16 batches, of which
// all but two are made only when the writer falls behind.
package logging
