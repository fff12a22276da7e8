// Package proc reads what the kernel says of processes: who is whose child,
// CPU time, memory. The tests and the benchmark look at the server only from
// outside, so this is how they see its workers.
//
// Every figure is a snapshot; a process that ends while it is read simply is
// not there.
package proc
