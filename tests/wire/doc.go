// Package wire tests the server as a client sees it: raw bytes in, raw bytes
// out. It has no code of its own; each file of testdata is one behaviour, to be
// read from top to bottom:
//
//	Keep-alive: the second request comes on the same connection
//
//	"HTTP/1.1 defaults to the use of persistent connections" (RFC 9112 section 9.3).
//
//	> GET /hello HTTP/1.1\r\n
//	> Host: www.test\r\n
//	> \r\n
//	< HTTP/1.1 200 OK\r\n
//	< Date: (now)\r\n
//	< ...
//	* stays open
//
// The first line is the title, what follows up to the first step says why. Steps
// are
//
//	> BYTES     what the client sends
//	< BYTES     what must come back, to the byte, before the next step
//	< (the same answer)
//	            as on the connection before
//	* client ends its side
//	* server closes
//	            the stream ends here, without a reset
//	* stays open
//	            another request on this connection is answered as it should be
//	* another connection: WHY
//	* only in one piece: WHY
//	            the answer depends on how the bytes of this connection arrive
//	* counted: REASON
//	            by srvctl_parse_errors_total, with this reason
//
// A line's end is nothing but the end of the line: what is sent or received is
// written as \r, \n, \t, \\, \xHH. \(TEXT x N) is TEXT, N times, and (now) the
// date of the answer. A line "server: NAME" below the title names the
// configuration, testdata/NAME.yaml; without one it is main.yaml.
//
// Each connection is played several times: in one piece over TCP, and over a
// unix socket in one piece, byte by byte and in two pieces, cut at various
// places (SOAK=1: at every place). Over a unix socket it can be seen when the
// server has read a piece, so that the next one surely comes apart from it. The
// answer must be the same each time.
//
// To add a behaviour write title, reason and ">" lines, run
//
//	go test ./tests/wire -update
//
// and read what it wrote as the answer: it is a promise from then on.
package wire
