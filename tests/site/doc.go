// Package site tests the server as a whole, as its operator and its clients see
// it: real processes on real files and sockets, with real load, crashes, stops
// and foreign clients. It has no code of its own.
//
// Every test starts a server of its own through tests/harness, on loopback only.
// What lies outside a client's view is read from where an operator would read
// it: status, metrics, logs, /proc.
//
// Tests that measure time come first, one after the other; the rest run in
// parallel with each other. A limit on time is what the server promises on a
// machine that does nothing else, stretched by how busy this one is. SOAK=1 asks
// for the long forms.
package site
