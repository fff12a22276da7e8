// Package handover tests that connections live through whatever an operator
// does to a running server: reloads, other numbers of workers, other programs.
// Real processes, real connections; it has no code of its own.
//
// What the tests want: no connection closes, nor announces that it will, while
// its listener stays; every request is answered once, by one process; a process
// that dies in the middle takes only what it held; the work is spread evenly
// afterwards; the kernel has nothing to count that a client could have noticed.
//
// What a process holds is read from /proc: the sockets among its descriptors,
// and those of them that its epoll instances do not watch, which are on their
// way to another process.
//
// Every test starts a server of its own through tests/harness, and they come
// one after the other, as each has load enough for the machine. The clients
// that account for every request are package tests/reload/ledger, the crowds of
// connections tests/loadtest. SOAK=1 asks for the long forms.
package handover
