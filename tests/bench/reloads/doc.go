// Command reloads shows what clients notice when a server is reloaded once a
// second: ours and nginx, on this machine, in one run: "make bench-reloads".
//
//	make bench-reloads                   20 s for each form and server
//	make bench-reloads DURATION=60s
//	go run ./tests/bench/reloads -contenders srvctl,nginx,nginx:reuseport -forms keep
//
// # What is done
//
// Both servers have 4 workers, one small fixed answer, 75 s for the next request
// of a connection and no limit of requests on it (conf/). Each starts anew for
// each form of load, and all of the load comes from this one process, with the
// same pauses for the same -seed:
//
//	keep      256 connections that stay, one request after the other, 0 to 50 ms between
//	fresh     a connection for each request, 16 at a time
//	pipeline  16 connections that stay, 8 requests at once on each
//
// Meanwhile the configuration file is changed once a second, and taken into use
// with the server's own command ("srvctl reload", "nginx -s reload"). Every
// version of it has another number in the answer. A third of the way it also
// says 2 workers, and after two thirds 4 again.
//
// # How to read it
//
// A server may end a connection at any time, if its last answer says
// "Connection: close"; what was sent behind that request was not processed and
// is sent again (RFC 9112, section 9.6). It may also end a silent connection
// without a word (section 9.5), but it cannot know then that no request is on
// its way: one that meets the end gets no answer, and its client cannot know
// whether it was processed. The clients here look at a connection right before
// they write, so these are only requests that crossed the end on its way.
//
//	no answer  requests whose connection ended before their answer, without announcement
//	cut idle   connections that ended without announcement, no request in flight
//	cut busy   the same with requests in flight
//	reset      how many of these two ended by RST
//	announced  connections that ended after an answer with Connection: close
//	reopened   connections that a client had to open in place of one that ended
//	again      requests sent again: they were behind an announcement
//	refused    attempts to connect that failed
//	longest    the longest a request took, the connect included if it needed one
//	command    what the reload command took
//	new        from its start to the first answer by the new configuration
//	last old   from its start to the last answer by the old one
//
// The last three are median/longest, in milliseconds. nginx's command returns
// when the signal is sent. Answers are seen by the clients of the load, so "new"
// is as fine as the pauses between their requests.
//
// The connections of form fresh end because their client asks for it: these ends
// are not counted, nor are the connections that follow.
//
// # Processes and goroutines
//
// The servers run in sessions of their own on loopback, not bound to a CPU, and
// are ended by their ids, also when the program is interrupted. A goroutine for
// each connection of the load belongs to the leg that started it and is waited
// for; one for each server waits for its end.
package main
