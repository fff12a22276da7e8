// Package supervise looks at the server as what starts and stops it sees it: a
// terminal, systemd, a container in which it is process 1, an operator who
// starts it twice.
//
// What it promises. systemd is stood in for by a manager (manager_test.go) that
// does with the notify socket, with stored descriptors and with the sockets of
// socket units what systemd does, and takes nothing from any process but the
// one it started. The terminal is a real pseudo-terminal, the process 1 that of
// a real namespace. The server is the real binary: this test's own becomes it
// by exec, having arranged what it is started with (launch_test.go).
//
// What it does not do: it starts no systemd. The unit files of init/systemd are
// not read here.
package supervise
