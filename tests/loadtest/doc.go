// Package loadtest opens thousands of connections to a server, lets them idle,
// and asks on each of them again.
//
// A Crowd comes from several addresses of the loopback network, as clients do,
// and holds its connections without a goroutine each; only the requests in
// flight (at most inFlight) have one, and these end with the call that made
// them. Every answer is read to its end and compared.
//
// The tests measure what the idle connections cost the server, from outside
// (/proc): 2,000 of them in "make test", 10,000 in "make soak". The same thing
// by hand, against any server:
//
//	go run ./tests/loadtest/hold -n 10000 http://127.0.0.1:8080/
package loadtest
