// Command srvctl is the web server: its master, its workers, and the tool that
// operates them.
//
// There is one binary. `srvctl start` runs the master (package master), which
// executes the same image with a hidden verb for each worker (package worker).
// Every other verb reads the configuration (package conf) or asks a running
// master through the operators' socket.
//
// It promises one file per verb, and one way to fail: an error on stderr that
// says what is wrong, where, and what to do, and an exit code that programs can
// rely on: 0 done, 1 refused or failed, 2 wrong usage, 3 not running.
//
// It decides nothing about serving: no verb starts a process, binds a socket or
// signals anything but through package master.
package main
