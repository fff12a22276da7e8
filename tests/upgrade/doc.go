// Package upgrade replaces the program of a running server by another version
// of it, by programs that are none, and by versions that fail, and looks at
// what clients, operators and the service manager notice.
//
// What it promises. The versions are built from these sources with another
// main.version each, once for a run of the package; those that fail on purpose
// have the tag "faults". The program is replaced as a package manager does it,
// by renaming over its path. Clients are those of tests/reload/ledger, which
// account for every request.
//
// What it does not do: it has no version of the past, so it cannot tell whether
// this one can take over from that; states of other formats are the business of
// the unit tests in master.
package upgrade
