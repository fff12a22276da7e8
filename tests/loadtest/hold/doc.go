// Command hold opens connections to a server, lets them idle, and asks on each
// of them: how many it bears, and whether all are still served.
//
//	go run ./tests/loadtest/hold -n 10000 -idle 30s http://127.0.0.1:8080/
package main
