// Package reload tests that a running server can be given another configuration
// and that nobody notices: real processes, real connections, every request
// accounted for. It has no code of its own; the accounting is package ledger.
//
// What the tests want of a reload: it takes effect as a whole or changes
// nothing; no request is lost, processed twice or reset, whatever changes and
// however often; old workers finish what they have and go; each answer says what
// was done or why not; nothing is left behind.
//
// Every test starts a server of its own through tests/harness. Tests that
// measure time, or need the machine for themselves, come one after the other;
// the rest run in parallel with each other. SOAK=1 asks for the long forms.
package reload
