// Package conf reads what the operator wrote and checks it.
//
// Load takes a file, the files it includes, environment variables and --set
// arguments, and gives either a Config in which every value is final, or every
// problem of all of them at once, each with its place and, where there is one,
// the word the operator probably meant.
//
// One table (table_*.go) describes every key: its type, default, bounds,
// meaning, and whether this version has it. Reading, positions, suggestions,
// environment variables, defaults, `config show`, `config env` and the JSON
// Schema all come from that table, and so does Diff, which tells what another
// configuration would change; nothing else knows the keys' names but the
// builders (build_*.go), which turn the checked values into a Config.
//
// How a configuration comes to be:
//
//	file, includes ─ parse ─→ yaml.Node ─ decode ─→ items ─┐
//	built-in listeners and sites (when none are written) ──┤ merge
//	environment, --set ──────────────────────────── decode ┘ override
//	                                                       └─ build ─→ Config
//
// An item is one value together with the table's entry and its position, so
// that every later stage can still say where a value came from.
//
// What it does not do: it binds no socket, opens no log, resolves no host
// name, starts no goroutine, and writes nothing. Of the files named in a
// configuration it only looks at whether they are there and of the right kind.
//
// Invariants: a Config is handed out as usable only when no problem but
// warnings was found. Input never makes it panic or hang: files, values,
// include depth, alias expansion and the number of problems are bounded (see
// limits.go). A key that this version does not implement is never ignored. A
// key is never taken for another one: suggestions are only ever text.
package conf
