// Package limit counts what is limited for the whole host, across worker processes.
//
// The counts live in one piece of shared memory (a memfd) that the master
// creates and every worker maps. It holds numbers only, no pointers, and is
// the same in every process:
//
//	0            64           128                         64*(MaxProcesses+1)
//	+------------+------------+------------+--- ... ---+------------+
//	| high  u32  | process 0  | process 1  |           | process 511|
//	| 60 unused  | conns  i64 | conns  i64 |           | conns  i64 |
//	|            | 56 unused  | 56 unused  |           | 56 unused  |
//	+------------+------------+------------+--- ... ---+------------+
//
// A cell is a cache line, so that a worker that counts does not slow down its
// neighbours. high is one more than the highest process number that ever
// counted: a sum walks only the cells below it.
//
// Promises: a reader sees each cell whole; a process that dies leaves its
// count behind until the master calls Clear, so a limit is never exceeded by a
// crash; Acquire never lets the sum pass the limit, whatever the number of
// processes. No call blocks, allocates or enters the kernel.
//
// It does not hand out process numbers (the master does, lowest free number
// first, so that high stays near the number of live processes), does not know
// which processes are alive, and starts no goroutine.
package limit
