// Command bench measures the server beside nginx, h2o, Go's net/http and a
// minimal epoll loop in C, all on this machine in one run: "make bench".
//
//	make bench                                     every row, five rounds
//	make bench-smoke                               does everything answer; a second each
//	make bench ROWS=fixed,file10k CONTENDERS=srvctl,nginx ROUNDS=9
//	make bench CONTENDERS=srvctl,srvctl:/tmp/before,nginx    a change against its parent
//
// # How to read it
//
// Machines are noisy, and a figure of today says nothing beside one of yesterday.
// So every claim is a ratio within one run. The rounds are interleaved (A B C
// A B C ...), so that a slow minute hits everyone; a ratio is taken within each
// round and the median of the rounds is shown. The server is bound to one CPU
// and wrk to another, with one worker each.
//
// "cpu" is the steadiest figure and the one that counts: the run time of all
// threads of all the server's processes over the round (schedstat), divided by
// the requests wrk counted. It includes the kernel's part of the work, which on
// loopback also includes a share of the receiver's. "spread" is (largest -
// smallest) / median of it over the rounds: a difference smaller than that means
// nothing. "both" is the same with wrk's own CPU time added: on loopback the
// kernel may do a part of a transfer on either side, and for large files it moves
// hundreds of microseconds from one to the other for a trifle (nginx's tcp_nopush
// is one), so a difference in "cpu" that is not in "both" was only moved.
// "req/s" is bounded by wrk where the server is faster than wrk.
// "p50" and "p99" are wrk's, at full load, and therefore mostly queueing.
// "head" is the size of the response head in bytes: a server that says less
// sends less.
//
// "vs nginx" is the ratio of cpu against nginx (below 1 is better), for rows of
// large files the same thing per byte; for the pipelined row the ratio of
// requests per second (above 1 is better). The last lines compare with the
// goals. The whole of it, each round too, is written to .cache/bench/ as JSON.
//
// # What is measured
//
//	fixed      a fixed text of 14 bytes from the configuration, 64 connections that last
//	file14     a file of 14 bytes
//	file10k    a file of 10 KB
//	file1m     a file of 1 MB, 16 connections
//	pipeline   the fixed text, 16 requests at a time on each connection
//	connect    the fixed text, a new connection for each request
//	file100m   a file of 100 MB, 4 connections (only when named in ROWS)
//
// Before anything is measured every contender must answer every row it takes
// part in with the same status, bytes and type of content, twice on one
// connection; otherwise the run ends. nginx and h2o are as fast as their
// configuration (conf/) makes them; ours runs with all its defenses on. A
// contender that cannot be had here is left out with a line "NOT RUN: why", or
// ends the run where REQUIRE=1.
//
// The program starts its servers in sessions of their own on loopback and ends
// them by their ids, also when interrupted. One goroutine per server waits for
// its end.
package main
