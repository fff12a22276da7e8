// Package http1 is the HTTP/1.1 wire format as a pure codec (RFC 9110, RFC
// 9112): request heads, chunked bodies, paths, dates, and the lines of a
// response.
//
// # What it promises
//
// Strictness. Whatever two parsers could read in two ways is refused, with a
// [Reason] that carries its HTTP status and the place of the first wrong byte:
// bare CR or LF, folded lines, space around names, a Content-Length beside a
// Transfer-Encoding, two of either, a chunk extension out of bounds. There is
// no lenient mode.
//
// One answer. Parsing is a function of the bytes of the stream, never of how
// they arrived: an input cut in any places gives the same head, or the same
// refusal at the same offset, as the input in one piece. A refusal comes with
// the first byte that decides it.
//
// Bounded work. A head that arrives in pieces is parsed once, not from the
// start for each piece. Heads, request lines, field counts, chunk extensions,
// chunk framing and trailers all have a limit.
//
// No allocation: [Head.Parse] allocates for the Fields array only, which is
// reused; [Chunked.Decode] only for trailers that the caller asked for; the
// Append functions only when dst is too small.
//
// # What it does not do
//
// No I/O, no clock, no logging, no goroutine, no state outside its arguments.
// It holds no reference to a buffer: a head is offsets ([Span]) into the
// caller's buffer, which may move between two calls. It gives no meaning to
// fields other than those that frame a message or rule its connection: Host,
// Content-Length, Transfer-Encoding, Connection, Expect.
//
// # How a head is read
//
//	GET /shop?q=1 HTTP/1.1\r\n         request line   phaseStart .. phaseVersion
//	Host: example.org\r\n              field line     phaseLine .. phaseValue
//	\r\n                               end            phaseLine
//
// There are two readers. plainLine and scanLines take lines that are all there
// and hold nothing unusual, eight bytes at a time. The first line that is not
// is left, from its start, to the phases (parse.go): they know every case, and
// can stop and go on at any byte. The tests feed every input to both. One empty
// line before the request line is skipped and counted (RFC 9112 section 2.2).
//
// word and half (swar.go) are the only unsafe code. They never read beyond the
// buffer: the tests put each input at the end of readable memory.
//
// # Choices where the RFCs leave one
//
//   - A target may hold any byte from 0x21 up, except 0x7f and '#'. Bytes of
//     0x80 and above are not URI characters, but clients send UTF-8 unescaped;
//     nginx takes them, and no two parsers disagree where such a target ends.
//   - An absolute-form target is http or https, without user information, and
//     its authority must agree with Host: RFC 9112 section 3.2.2 lets it win
//     over Host, but a front end that believed Host would have routed on the
//     other name. A missing and a default port agree.
//   - The host is a reg-name of unreserved and sub-delim characters without ','
//     (a list to some) and without percent-encoding (two spellings of one
//     name), or an IPv6 literal; a port is at most 65535 and may be empty.
//   - Host may be empty for the origin form, as RFC 9112 section 3.2 provides.
//     HTTP/1.0 may go without it.
//   - CONNECT is refused (501), so no head has FormAuthority.
//   - HTTP/1.0 with Transfer-Encoding is refused; Expect and the upgrade option
//     of a 1.0 request are ignored, as RFC 9110 sections 10.1.1 and 7.8 demand.
//   - Names with '_' are kept: nothing here confuses '_' with '-'. Whoever
//     exports fields as environment variables must drop them.
//   - A body is allowed with every method, framed by the same rules.
//   - The path of a target is checked and cleaned by [NormalizePath], apart
//     from the head, because a proxy may want it untouched.
//
// # Concurrency
//
// Nothing is shared: a Head or Chunked belongs to one goroutine at a time;
// functions are safe from anywhere.
package http1
