// Package harness starts the real server for the black-box tests and looks at
// it only from outside: sockets, files, signals, exit codes, /proc.
//
//	func TestMain(m *testing.M) { harness.Main(m) }
//
//	func TestHello(t *testing.T) {
//		s := harness.Start(t, harness.Options{Config: `
//	listeners: {http: {address: "@http@"}}
//	sites: [{routes: [{match: "/", respond: {body: "hello\n"}}]}]
//	`})
//		code, body := harness.Get(t, s.URL("http", "/"))
//		...
//	}
//
// What it promises. The binary is the one "make build" makes, built once for
// all packages. Every server has a folder, ports, a control socket and a pid
// file of its own, on loopback only, so tests may run in parallel and beside a
// server in production. Nobody sleeps in the hope that something has happened:
// a server is awaited by its readiness, a log line by its arrival. Processes
// are ended by their own id only. A server that does not stop when told, and
// any process that outlives its server, fails the test.
//
// Servers whose workers fail on purpose are Options.Faults and Server.Fault;
// their binary is built beside the other.
//
// What it does not do: it imports nothing of the server, so no test can pass
// by sharing a mistake with it.
//
// A test that needs something the machine lacks says so with NotRun: it is
// skipped with "NOT RUN: reason", or fails where REQUIRE=1 (as in CI). SOAK=1
// asks for the long forms: see Soak.
//
// Each server has one goroutine that waits for its process, and those with
// which os/exec reads its output; all end with the process, which Start's
// clean-up awaits.
package harness
