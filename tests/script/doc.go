// Package script tests srvctl as an operator uses it: each file of testdata is
// a script with the files it needs, and runs the real binary.
//
// A script has a folder of its own ($WORK), and in its environment what keeps
// its server apart from all others: a pid file, a control socket, and port 0
// for the admin page and the listener http, so `srvctl start --daemon` works
// as it is. The first word of a script's name is its subject. Beside the
// commands of testscript (exec, stdout, stderr, grep, cmp, exists, ...) there
// are:
//
//	exits CODE COMMAND...    run it and want this exit code
//	get NAME PATH            set a variable from `status --json`: get ADDR listeners.0.bound
//	await PATH REGEXP        wait until that value of the status matches
//	awaitfile FILE REGEXP    wait until the file has a match
//	awaitgone PID            wait until a process has ended
//	awaitrefused ADDR        wait until nobody listens there
//	[!] http CODE URL        fetch a page; its body is stdout
//	signal NAME PID          send a signal
//	user PID UID             want a process to run as this user, without further groups
//	unprivileged COMMAND...  run it as a user who is not root
//	occupy NAME              listen on a free port and set a variable to its address
//	connect ADDR             open a connection and send the start of a request on it
//	talk SOCKET LINE         send a line to a unix socket; what comes back is stdout
//
// Nothing is waited for by sleeping. Whatever server a script leaves is stopped
// at its end, and a process that outlives the scripts fails them.
package script
