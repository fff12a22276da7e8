// Package loop is a worker's event loop: one level-triggered epoll instance,
// accepting, deadlines, and messages from other goroutines. It knows
// descriptors and times, and nothing of what the bytes mean.
//
// Everything but Post and Stop belongs to the goroutine that called Run.
//
// What it promises:
//
//   - No system call on the hot path but the one that moves bytes: epoll_ctl
//     runs once when a connection is registered and after that only when its
//     interest really changes; deadlines are stores into a field.
//   - An event that was fetched before its connection was closed is not
//     delivered to the connection that got the same descriptor number since:
//     epoll data carries a generation beside the descriptor.
//   - The clock is read once a turn, and once more after a turn with work, to
//     know how long it kept the others waiting.
//   - A listener is taken out of epoll before anything closes it. The
//     registration belongs to the open file description, which other processes
//     share, and would keep firing as a ghost. So is a connection that came from
//     another process, or goes to one.
//
// Two properties of the Go runtime shape it. A raw system call does not tell
// the scheduler, so it is used only for calls that cannot block for more than a
// few milliseconds; whatever may block for longer goes through Syscall, and each
// turn makes a call with a stack check, or the garbage collector could never
// stop this goroutine. During the raw wait the loop keeps its processor: the
// process needs GOMAXPROCS of 2 at least, or other goroutines run only when the
// runtime's watcher takes it away. And channels are slow from here, so messages
// come through a list and an eventfd that is written only when the list was
// empty.
//
// It does not log: what an operator should know goes to the Accepter.
package loop
