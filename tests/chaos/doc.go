// Package chaos breaks the real server while clients ask it, and wants what was
// promised for each breakage: workers that are killed, stopped, hang, spin or
// fail at any step of their life, a master that is killed, configurations that
// are wrong, disks and descriptor tables that are full, addresses that are
// taken, and in between reloads that work.
//
// TestChaos draws the events by a seeded generator, which it prints: CHAOS_SEED
// repeats a run. The short form has every event once, SOAK=1 goes on for ten
// minutes. What needs a server of its own has a test of its own.
//
// # How failures are judged
//
// The load's clients check every answer: a wrong one is always an error. A
// request without an answer is written down with its connection's port and
// times, and whoever broke something says which ports may be among them. For a
// worker that dies these are exactly the connections it held: it is stopped
// first (SIGSTOP), then /proc tells which sockets are its own, then it is
// killed. So a connection that waited in its queue, or that a neighbour had,
// must not fail.
//
// What it does not do: it knows nothing of the server's inside, and nothing
// here depends on how fast the machine is but the limits that stretch makes
// longer.
package chaos
