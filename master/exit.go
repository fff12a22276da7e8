package master

import (
	"fmt"
	"syscall"
)

// signalNames are the signals a process may die of. The words in brackets are
// what an operator would have to look up otherwise.
var signalNames = map[syscall.Signal]string{
	syscall.SIGABRT: "SIGABRT (aborted)",
	syscall.SIGALRM: "SIGALRM",
	syscall.SIGBUS:  "SIGBUS (bad memory access)",
	syscall.SIGFPE:  "SIGFPE",
	syscall.SIGHUP:  "SIGHUP",
	syscall.SIGILL:  "SIGILL (illegal instruction)",
	syscall.SIGINT:  "SIGINT",
	syscall.SIGKILL: "SIGKILL (killed by someone, or by the kernel when memory ran out)",
	syscall.SIGPIPE: "SIGPIPE",
	syscall.SIGQUIT: "SIGQUIT",
	syscall.SIGSEGV: "SIGSEGV (bad memory access)",
	syscall.SIGSYS:  "SIGSYS (forbidden system call)",
	syscall.SIGTERM: "SIGTERM",
	syscall.SIGTRAP: "SIGTRAP",
	syscall.SIGXCPU: "SIGXCPU (CPU time limit)",
	syscall.SIGXFSZ: "SIGXFSZ (file size limit)",
}

// exitText says in words how a process ended.
func exitText(s syscall.WaitStatus) string {
	if !s.Signaled() {
		return fmt.Sprintf("exit code %d", s.ExitStatus())
	}
	name, ok := signalNames[s.Signal()]
	if !ok {
		name = fmt.Sprintf("signal %d", int(s.Signal()))
	}
	if s.CoreDump() {
		name += ", core dumped"
	}
	return "killed by " + name
}
