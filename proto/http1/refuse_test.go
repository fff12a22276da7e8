package http1_test

import (
	"fmt"
	"strings"
	"testing"

	"srvctl/proto/http1"
)

// get is a request line and the one field that HTTP/1.1 demands: 16 + 9 bytes.
const (
	get  = "GET / HTTP/1.1\r\n"
	host = "Host: h\r\n"
)

// at marks the byte that an input must be refused for; it is taken out.
const at = "\u2038"

// refusals are the inputs that must be refused, by the rule they break. The
// caret stands before the byte at the expected offset.
var refusals = []struct {
	rule   string
	name   string
	in     string
	status int
	reason http1.Reason
}{
	// 1. A line ends with CRLF, nothing else.
	{"1", "bare LF after the request line", "GET / HTTP/1.1‸\nHost: h\n\n", 400, http1.BareLF},
	{"1", "bare CR after the request line", "GET / HTTP/1.1‸\rHost: h\r\r", 400, http1.BareCR},
	{"1", "bare LF after a field", get + "Host: h‸\n\r\n", 400, http1.BareLF},
	{"1", "bare CR in a value", get + "Host: h\r\nA: b‸\rc\r\n\r\n", 400, http1.BareCR},
	{"1", "bare CR in a name", get + "Ho‸\rst: h\r\n\r\n", 400, http1.BareCR},
	{"1", "bare LF in a name", get + "Ho‸\nst: h\r\n\r\n", 400, http1.BareLF},
	{"1", "bare LF for the empty line", get + host + "‸\n", 400, http1.BareLF},
	{"1", "bare CR for the empty line", get + host + "‸\rX", 400, http1.BareCR},
	{"1", "CR CR LF", get + "Host: h‸\r\r\n\r\n", 400, http1.BareCR},
	{"1", "bare LF before the request line", "‸\nGET / HTTP/1.1\r\n", 400, http1.BareLF},
	{"1", "bare CR before the request line", "‸\rGET / HTTP/1.1\r\n", 400, http1.BareCR},
	{"1", "bare LF in the method", "GE‸\nT / HTTP/1.1\r\n", 400, http1.BareLF},
	{"1", "bare CR in the method", "GE‸\rT / HTTP/1.1\r\n", 400, http1.BareCR},
	{"1", "bare LF in the target", "GET /‸\nx HTTP/1.1\r\n", 400, http1.BareLF},
	{"1", "bare CR in the target", "GET /‸\rx HTTP/1.1\r\n", 400, http1.BareCR},
	{"1", "bare LF in the version", "GET / HTTP‸\n/1.1\r\n", 400, http1.BareLF},
	{"1", "bare CR in the version", "GET / HTTP‸\r/1.1\r\n", 400, http1.BareCR},
	{"1", "bare LF where a value starts", get + "A:‸\nb\r\n", 400, http1.BareLF},

	// 2. No folded lines.
	{"2", "folded with a space", get + host + "A: b\r\n‸ c\r\n\r\n", 400, http1.ObsFold},
	{"2", "folded with a tab", get + host + "A: b\r\n‸\tc\r\n\r\n", 400, http1.ObsFold},
	{"2", "folded, nothing but space", get + host + "‸ \r\n\r\n", 400, http1.ObsFold},

	// 3. A name is a token, and the colon follows it.
	{"3", "space before the colon", get + "Host‸ : h\r\n\r\n", 400, http1.SpaceInName},
	{"3", "tab before the colon", get + "Host‸\t: h\r\n\r\n", 400, http1.SpaceInName},
	{"3", "space in a name", get + "Ho‸ st: h\r\n\r\n", 400, http1.SpaceInName},
	{"3", "empty name", get + "‸: h\r\n\r\n", 400, http1.EmptyName},
	{"3", "empty name, more behind", get + "‸: h\r\nHost: h\r\n\r\n", 400, http1.EmptyName},
	{"3", "empty name and value, more behind", get + "‸:\r\nHost: h\r\n\r\n", 400, http1.EmptyName},
	{"3", "NUL in a name", get + "Ho‸\x00st: h\r\n\r\n", 400, http1.BadNameByte},
	{"3", "parenthesis in a name", get + "Host‸(: h\r\n\r\n", 400, http1.BadNameByte},
	{"3", "at sign in a name", get + "‸@Host: h\r\n\r\n", 400, http1.BadNameByte},
	{"3", "bracket in a name", get + "Content-Leng‸[th: h\r\n\r\n", 400, http1.BadNameByte},
	{"3", "brace in a name", get + "Content-Leng‸{th: h\r\n\r\n", 400, http1.BadNameByte},
	{"3", "slash in a name", get + "a‸/b: h\r\n\r\n", 400, http1.BadNameByte},
	{"3", "UTF-8 in a name", get + "H‸öst: h\r\n\r\n", 400, http1.BadNameByte},
	{"3", "DEL in a name", get + "Host‸\x7f: h\r\n\r\n", 400, http1.BadNameByte},

	// 4. No control characters in a value.
	{"4", "NUL in a value", get + host + "A: b‸\x00c\r\n\r\n", 400, http1.BadValueByte},
	{"4", "BEL in a value", get + host + "A: b‸\ac\r\n\r\n", 400, http1.BadValueByte},
	{"4", "escape in a value", get + host + "A: ‸\x1b[0m\r\n\r\n", 400, http1.BadValueByte},
	{"4", "DEL in a value", get + host + "A: 0123456789‸\x7f\r\n\r\n", 400, http1.BadValueByte},
	{"4", "vertical tab in a long value", get + host + "A: 0123456789abcdef\t0123456789‸\v\r\n\r\n", 400, http1.BadValueByte},

	// 5. A field line has a colon.
	{"5", "no colon", get + "Host‸\r\n\r\n", 400, http1.MissingColon},
	{"5", "no colon in the last line", get + host + "Content-Length‸\r\n\r\n", 400, http1.MissingColon},

	// 6. No white space before the first field; one empty line before the head.
	{"6", "space before the first field", get + "‸ Host: h\r\n\r\n", 400, http1.LeadingSpace},
	{"6", "tab before the first field", get + "‸\tHost: h\r\n\r\n", 400, http1.LeadingSpace},
	{"6", "two empty lines before the head", "\r\n‸\r\n" + get + host + "\r\n", 400, http1.EmptyLine},
	{"6", "space before the method", "‸ GET / HTTP/1.1\r\n", 400, http1.BadMethod},

	// 7. Content-Length is one number, once.
	{"7", "length empty", get + host + "Content-Length:‸\r\n\r\n", 400, http1.BadLength},
	{"7", "length with plus", get + host + "Content-Length: ‸+5\r\n\r\n", 400, http1.BadLength},
	{"7", "length negative", get + host + "Content-Length: ‸-1\r\n\r\n", 400, http1.BadLength},
	{"7", "length hexadecimal", get + host + "Content-Length: 0‸x5\r\n\r\n", 400, http1.BadLength},
	{"7", "length with a fraction", get + host + "Content-Length: 5‸.0\r\n\r\n", 400, http1.BadLength},
	{"7", "length with a space", get + host + "Content-Length: 5‸ 5\r\n\r\n", 400, http1.BadLength},
	{"7", "length list of equals", get + host + "Content-Length: 5‸, 5\r\n\r\n", 400, http1.BadLength},
	{"7", "length list", get + host + "Content-Length: 5‸,6\r\n\r\n", 400, http1.BadLength},
	{"7", "length in fullwidth digits", get + host + "Content-Length: ‸５\r\n\r\n", 400, http1.BadLength},
	{"7", "length twice", get + host + "Content-Length: 5\r\n‸Content-Length: 6\r\n\r\n", 400, http1.DuplicateLength},
	{"7", "length twice, equal", get + host + "Content-Length: 5\r\n‸content-length: 5\r\n\r\n", 400, http1.DuplicateLength},
	{"7", "length 2^63", get + host + "Content-Length: ‸9223372036854775808\r\n\r\n", 400, http1.LengthTooLarge},
	{"7", "length 2^64+5", get + host + "Content-Length: ‸18446744073709551621\r\n\r\n", 400, http1.LengthTooLarge},
	{"7", "length of 30 digits", get + host + "Content-Length: ‸100000000000000000000000000000\r\n\r\n", 400, http1.LengthTooLarge},

	// 8. Not both framings.
	{"8", "length, then coding", get + host + "Content-Length: 5\r\n‸Transfer-Encoding: chunked\r\n\r\n", 400, http1.LengthAndCoding},
	{"8", "coding, then length", get + host + "Transfer-Encoding: chunked\r\n‸Content-Length: 5\r\n\r\n", 400, http1.LengthAndCoding},

	// 9. Transfer-Encoding is chunked, once, in 1.1.
	{"9", "coding twice", get + host + "Transfer-Encoding: chunked\r\n‸Transfer-Encoding: chunked\r\n\r\n", 400, http1.DuplicateCoding},
	{"9", "coding unknown", get + host + "Transfer-Encoding: ‸gzip\r\n\r\n", 501, http1.UnknownCoding},
	{"9", "coding before chunked", get + host + "Transfer-Encoding: ‸gzip, chunked\r\n\r\n", 501, http1.UnknownCoding},
	{"9", "coding identity", get + host + "Transfer-Encoding: ‸identity\r\n\r\n", 501, http1.UnknownCoding},
	{"9", "coding chunked twice in a list", get + host + "Transfer-Encoding: ‸chunked, chunked\r\n\r\n", 501, http1.UnknownCoding},
	{"9", "coding chunked, comma", get + host + "Transfer-Encoding: ‸chunked,\r\n\r\n", 501, http1.UnknownCoding},
	{"9", "coding with a parameter", get + host + "Transfer-Encoding: ‸chunked;q=1\r\n\r\n", 501, http1.UnknownCoding},
	{"9", "coding quoted", get + host + "Transfer-Encoding: ‸\"chunked\"\r\n\r\n", 501, http1.UnknownCoding},
	{"9", "coding x-chunked", get + host + "Transfer-Encoding: ‸xchunked\r\n\r\n", 501, http1.UnknownCoding},
	{"9", "coding with a Kelvin sign", get + host + "Transfer-Encoding: ‸chun\u212aed\r\n\r\n", 501, http1.UnknownCoding},
	{"9", "coding behind a vertical tab", get + host + "Transfer-Encoding: ‸\vchunked\r\n\r\n", 400, http1.BadValueByte},
	{"9", "coding empty", get + host + "Transfer-Encoding:‸\r\n\r\n", 400, http1.EmptyCoding},
	{"9", "coding in HTTP/1.0", "POST / HTTP/1.0\r\n‸Transfer-Encoding: chunked\r\n\r\n", 400, http1.CodingInHTTP10},

	// 10. Chunked bodies: see chunkRefusals.

	// 11. The request line: three parts, one space between them.
	{"11", "empty method", "‸ / HTTP/1.1\r\n", 400, http1.BadMethod},
	{"11", "method not a token", "G‸@T / HTTP/1.1\r\n", 400, http1.BadMethod},
	{"11", "tab after the method", "GET‸\t/ HTTP/1.1\r\n", 400, http1.BadMethod},
	{"11", "TLS ClientHello", "‸\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, http1.BadMethod},
	{"11", "method of 33 bytes", strings.Repeat("M", 32) + "‸M / HTTP/1.1\r\n", 501, http1.MethodTooLong},
	{"11", "method alone", "GET‸\r\n\r\n", 400, http1.MissingVersion},
	{"11", "two spaces before the target", "GET ‸ / HTTP/1.1\r\n", 400, http1.BadTarget},
	{"11", "two spaces before the version", "GET / ‸ HTTP/1.1\r\n", 400, http1.BadVersion},
	{"11", "space in the target", "GET /a ‸b HTTP/1.1\r\n", 400, http1.BadVersion},
	{"11", "space after the version", "GET / HTTP/1.1‸ \r\n", 400, http1.BadVersion},
	{"11", "no target", "GET ‸\r\n\r\n", 400, http1.MissingVersion},
	{"11", "no version, as in HTTP/0.9", "GET /‸\r\n", 400, http1.MissingVersion},
	{"11", "no version after a space", "GET / ‸\r\n", 400, http1.MissingVersion},
	{"11", "NUL in the target", "GET /a‸\x00b HTTP/1.1\r\n", 400, http1.BadTargetByte},
	{"11", "tab in the target", "GET /a‸\tb HTTP/1.1\r\n", 400, http1.BadTargetByte},
	{"11", "DEL in the target", "GET /abcdefghijklmnop‸\x7f HTTP/1.1\r\n", 400, http1.BadTargetByte},
	{"11", "escape in the query", "GET /a?b‸\x1b HTTP/1.1\r\n", 400, http1.BadTargetByte},
	{"11", "fragment", "GET /a‸#b HTTP/1.1\r\n", 400, http1.BadTargetByte},
	{"11", "fragment behind a query", "GET /a?b‸#c HTTP/1.1\r\n", 400, http1.BadTargetByte},
	{"11", "relative target", "GET ‸a/b HTTP/1.1\r\n", 400, http1.BadTarget},
	{"11", "target a query alone", "GET ‸?a HTTP/1.1\r\n", 400, http1.BadTarget},
	{"11", "version in lower case", "GET / ‸http/1.1\r\n", 400, http1.BadVersion},
	{"11", "version without a minor", "GET / HTTP/1‸\r\n", 400, http1.BadVersion},
	{"11", "version without digits", "GET / HTTP/‸x.y\r\n", 400, http1.BadVersion},
	{"11", "version of two digits", "GET / HTTP/1.1‸0\r\n", 400, http1.BadVersion},
	{"11", "version with two major digits", "GET / HTTP/1‸1.1\r\n", 400, http1.BadVersion},
	{"11", "another protocol", "GET / ‸RTSP/1.0\r\n", 400, http1.BadVersion},
	{"11", "HTTP/2.0", "GET / HTTP/‸2.0\r\n", 505, http1.UnsupportedVersion},
	{"11", "HTTP/1.2", "GET / HTTP/‸1.2\r\n", 505, http1.UnsupportedVersion},
	{"11", "HTTP/0.9", "GET / HTTP/‸0.9\r\n", 505, http1.UnsupportedVersion},
	{"11", "HTTP/3.1", "GET / HTTP/‸3.1\r\n", 505, http1.UnsupportedVersion},
	{"11", "HTTP/2 preface", "‸PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, http1.HTTP2Preface},

	// 12. Host: one, valid, and the same as that of an absolute target.
	{"12", "no Host", get + "A: b\r\n‸\r\n", 400, http1.MissingHost},
	{"12", "no field at all", get + "‸\r\n", 400, http1.MissingHost},
	{"12", "no Host with an absolute target", "GET http://h/ HTTP/1.1\r\n‸\r\n", 400, http1.MissingHost},
	{"12", "Host twice", get + host + "‸HOST: h\r\n\r\n", 400, http1.DuplicateHost},
	{"12", "Host twice in 1.0", "GET / HTTP/1.0\r\n" + host + "‸Host: h\r\n\r\n", 400, http1.DuplicateHost},
	{"12", "Host twice, both empty", get + "Host:\r\n‸Host:\r\n\r\n", 400, http1.DuplicateHost},
	{"12", "Host with user information", get + "Host: user‸@h\r\n\r\n", 400, http1.BadHost},
	{"12", "Host list", get + "Host: a‸,b\r\n\r\n", 400, http1.BadHost},
	{"12", "Host with a space", get + "Host: a‸ b\r\n\r\n", 400, http1.BadHost},
	{"12", "Host with a path", get + "Host: a‸/b\r\n\r\n", 400, http1.BadHost},
	{"12", "Host with a backslash", get + "Host: a‸\\b\r\n\r\n", 400, http1.BadHost},
	{"12", "Host percent-encoded", get + "Host: ‸%61\r\n\r\n", 400, http1.BadHost},
	{"12", "Host in UTF-8", get + "Host: b‸ücher\r\n\r\n", 400, http1.BadHost},
	{"12", "Host of a port alone", get + "Host: ‸:80\r\n\r\n", 400, http1.BadHost},
	{"12", "Host with a port in letters", get + "Host: h:‸http\r\n\r\n", 400, http1.BadHost},
	{"12", "Host with two ports", get + "Host: h:80‸:80\r\n\r\n", 400, http1.BadHost},
	{"12", "Host with a port above 65535", get + "Host: h:‸65536\r\n\r\n", 400, http1.BadHost},
	{"12", "Host with a port of six digits", get + "Host: h:00008‸0\r\n\r\n", 400, http1.BadHost},
	{"12", "Host with a port of twelve digits", get + "Host: h:12345‸6789012\r\n\r\n", 400, http1.BadHost},
	{"12", "Host with a signed port", get + "Host: h:‸+80\r\n\r\n", 400, http1.BadHost},
	{"12", "Host with an open bracket", get + "Host: ‸[::1\r\n\r\n", 400, http1.BadHost},
	{"12", "Host with a zone", get + "Host: ‸[fe80::1%25eth0]\r\n\r\n", 400, http1.BadHost},
	{"12", "Host with text behind the bracket", get + "Host: [::1]‸x\r\n\r\n", 400, http1.BadHost},
	{"12", "Host with two gaps", get + "Host: ‸[1::2::3]\r\n\r\n", 400, http1.BadHost},
	{"12", "Host IPv6 without brackets", get + "Host: 1:‸:2\r\n\r\n", 400, http1.BadHost},
	{"12", "absolute target, other Host", "GET http://a/ HTTP/1.1\r\nHost: ‸b\r\n\r\n", 400, http1.HostMismatch},
	{"12", "absolute target, other port", "GET http://a/ HTTP/1.1\r\nHost: ‸a:81\r\n\r\n", 400, http1.HostMismatch},
	{"12", "absolute target, port of the other scheme", "GET http://a/ HTTP/1.1\r\nHost: ‸a:443\r\n\r\n", 400, http1.HostMismatch},
	{"12", "absolute target, empty Host", "GET http://a/ HTTP/1.1\r\nHost:‸\r\n\r\n", 400, http1.BadHost},
	{"12", "absolute target, other Host in 1.0", "GET http://a/ HTTP/1.0\r\nHost: ‸b\r\n\r\n", 400, http1.HostMismatch},
	{"12", "absolute target without authority", "GET http://‸/ HTTP/1.1\r\n\r\n", 400, http1.BadHost},
	{"12", "absolute target with user information", "GET http://u‸@h/ HTTP/1.1\r\n\r\n", 400, http1.BadHost},
	{"12", "absolute target with a backslash", "GET http://a‸\\b/ HTTP/1.1\r\n\r\n", 400, http1.BadHost},
	{"12", "absolute target of another scheme", "GET ‸ftp://h/ HTTP/1.1\r\n\r\n", 400, http1.BadTarget},
	{"12", "absolute target without slashes", "GET ‸http:/h/ HTTP/1.1\r\n\r\n", 400, http1.BadTarget},

	// 13. CONNECT and the forms that go with one method each.
	{"13", "CONNECT", "‸CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 501, http1.ConnectMethod},
	{"13", "authority form with GET", "GET ‸h:80 HTTP/1.1\r\n\r\n", 400, http1.BadTarget},
	{"13", "asterisk with GET", "GET ‸* HTTP/1.1\r\n\r\n", 400, http1.BadTarget},
	{"13", "asterisk with more", "OPTIONS ‸*/a HTTP/1.1\r\n\r\n", 400, http1.BadTarget},
	{"13", "asterisk with a query", "OPTIONS ‸*?a HTTP/1.1\r\n\r\n", 400, http1.BadTarget},

	// 14. A body with GET is framed like any other: an accepted case, see
	// testdata/heads.txt; its framing is refused by the same rules.
	{"14", "GET with a bad length", get + host + "Content-Length: ‸x\r\n\r\n", 400, http1.BadLength},

	// 15. No expectation but 100-continue.
	{"15", "another expectation", get + host + "Expect: ‸200-ok\r\n\r\n", 417, http1.BadExpect},
	{"15", "an empty expectation", get + host + "Expect:‸\r\n\r\n", 417, http1.BadExpect},
	{"15", "a list of expectations", get + host + "Expect: ‸100-continue, x\r\n\r\n", 417, http1.BadExpect},
	{"15", "another expectation in 1.0", "GET / HTTP/1.0\r\nExpect: ‸x\r\n\r\n", 417, http1.BadExpect},

	// 16. Names with '_' are kept, but they are no spelling of '-': accepted
	// cases in testdata/heads.txt. 17 and 18, data behind Connection: close and
	// Upgrade, are decided by who serves the connection. 19: see pathCases.
}

// cutMark returns the input without the mark, and the offset of the mark.
func cutMark(t testing.TB, in string) ([]byte, int) {
	t.Helper()
	before, after, ok := strings.Cut(in, at)
	if !ok {
		t.Fatalf("no mark in %q", in)
	}
	return []byte(before + after), len(before)
}

func TestRefusals(t *testing.T) {
	f := newFence(t, 4096)
	for _, c := range refusals {
		t.Run(c.rule+" "+c.name, func(t *testing.T) {
			in, off := cutMark(t, c.in)
			got := parseWhole(t, f, in, usual)
			want := result{0, c.reason, fmt.Sprintf("offset %d", off)}
			if got != want {
				t.Fatalf("Parse(%q) = %v, want %v", in, got, want)
			}
			if s := c.reason.Status(); s != c.status {
				t.Errorf("%v.Status() = %d, want %d", c.reason, s, c.status)
			}
			checkSplits(t, f, in, usual, want)
			if in[0] == '\r' || in[0] == '\n' {
				return
			}
			// The same behind an empty line.
			in = append([]byte("\r\n"), in...)
			want.text = fmt.Sprintf("offset %d", off+2)
			checkSplits(t, f, in, usual, want)
		})
	}
}

// TestEveryHeadReasonHasARefusal keeps the table complete.
func TestEveryHeadReasonHasARefusal(t *testing.T) {
	seen := make(map[http1.Reason]bool)
	for _, c := range refusals {
		seen[c.reason] = true
	}
	for _, c := range limitCases {
		seen[c.reason] = true
	}
	for r := http1.OK + 1; r < http1.BadChunkSize; r++ {
		if !seen[r] {
			t.Errorf("no test refuses with %v", r)
		}
	}
}

// limitCases go to a limit and one step beyond it.
var limitCases = []struct {
	name   string
	lim    http1.Limits
	in     string
	reason http1.Reason
	offset int
}{
	{"line at its limit", http1.Limits{RequestLine: 14, HeaderBytes: 1000, HeaderCount: 9}, get + host + "\r\n", http1.OK, 0},
	{"line beyond its limit", http1.Limits{RequestLine: 13, HeaderBytes: 1000, HeaderCount: 9}, get + host + "\r\n", http1.RequestLineTooLong, 13},
	{"line that has no end", http1.Limits{RequestLine: 20, HeaderBytes: 1000, HeaderCount: 9}, "GET /" + strings.Repeat("a", 30), http1.RequestLineTooLong, 20},
	{"line that has no end in its query", http1.Limits{RequestLine: 20, HeaderBytes: 1000, HeaderCount: 9}, "GET /?" + strings.Repeat("?", 30), http1.RequestLineTooLong, 20},
	{"line at its limit behind an empty line", http1.Limits{RequestLine: 14, HeaderBytes: 29, HeaderCount: 9}, "\r\n" + get + host + "\r\n", http1.OK, 0},
	{"line beyond its limit behind an empty line", http1.Limits{RequestLine: 13, HeaderBytes: 1000, HeaderCount: 9}, "\r\n" + get, http1.RequestLineTooLong, 15},
	{"head beyond its limit behind an empty line", http1.Limits{RequestLine: 14, HeaderBytes: 28, HeaderCount: 9}, "\r\n" + get + host + "\r\n", http1.HeadTooLarge, 28},
	{"no bytes allowed", http1.Limits{RequestLine: 100}, get, http1.HeadTooLarge, 0},
	{"no request line allowed", http1.Limits{HeaderBytes: 1000}, get, http1.RequestLineTooLong, 0},
	{"line beyond its limit in the version", http1.Limits{RequestLine: 10, HeaderBytes: 1000, HeaderCount: 9}, get, http1.RequestLineTooLong, 10},
	{"line beyond the head's limit", http1.Limits{RequestLine: 100, HeaderBytes: 10, HeaderCount: 9}, get, http1.HeadTooLarge, 10},
	{"head at its limit", http1.Limits{RequestLine: 100, HeaderBytes: 27, HeaderCount: 9}, get + host + "\r\n", http1.OK, 0},
	{"head beyond its limit", http1.Limits{RequestLine: 100, HeaderBytes: 26, HeaderCount: 9}, get + host + "\r\n", http1.HeadTooLarge, 26},
	{"head beyond its limit between two lines", http1.Limits{RequestLine: 100, HeaderBytes: 25, HeaderCount: 9}, get + host + host, http1.HeadTooLarge, 25},
	{"head beyond its limit in a name", http1.Limits{RequestLine: 100, HeaderBytes: 40, HeaderCount: 9}, get + host + strings.Repeat("n", 30), http1.HeadTooLarge, 40},
	{"head beyond its limit in a value", http1.Limits{RequestLine: 100, HeaderBytes: 40, HeaderCount: 9}, get + host + "n:" + strings.Repeat("v", 30), http1.HeadTooLarge, 40},
	{"head beyond its limit in white space", http1.Limits{RequestLine: 100, HeaderBytes: 40, HeaderCount: 9}, get + host + "n:" + strings.Repeat(" ", 30), http1.HeadTooLarge, 40},
	{"fields at their limit", http1.Limits{RequestLine: 100, HeaderBytes: 1000, HeaderCount: 3}, get + host + "a:\r\nb:\r\n\r\n", http1.OK, 0},
	{"fields beyond their limit", http1.Limits{RequestLine: 100, HeaderBytes: 1000, HeaderCount: 3}, get + host + "a:\r\nb:\r\nc:\r\n\r\n", http1.TooManyFields, 33},
	{"no fields allowed", http1.Limits{RequestLine: 100, HeaderBytes: 1000, HeaderCount: 0}, get + host + "\r\n", http1.TooManyFields, 16},
}

func TestLimits(t *testing.T) {
	f := newFence(t, 4096)
	for _, c := range limitCases {
		t.Run(c.name, func(t *testing.T) {
			got := parseWhole(t, f, []byte(c.in), c.lim)
			if got.reason != c.reason || c.reason != http1.OK && got.text != fmt.Sprintf("offset %d", c.offset) {
				t.Fatalf("Parse(%q) = %v, want %v at %d", c.in, got, c.reason, c.offset)
			}
			if c.reason == http1.OK && got.n != len(c.in) {
				t.Fatalf("Parse(%q) = %v, want all of it", c.in, got)
			}
			checkSplits(t, f, []byte(c.in), c.lim, got)
		})
	}
}

// TestLargestHead goes to the 16 bits of a Span and one byte beyond them.
func TestLargestHead(t *testing.T) {
	lim := http1.Limits{RequestLine: 1 << 20, HeaderBytes: 1 << 20, HeaderCount: 1 << 20}
	fill := func(n int) []byte {
		head := get + host + "A: "
		return []byte(head + strings.Repeat("b", n-len(head)-4) + "\r\n\r\n")
	}
	f := newFence(t, 1<<16+64)
	if got := parseWhole(t, f, fill(http1.MaxHead), lim); got.n != http1.MaxHead {
		t.Errorf("Parse(%d bytes) = %d %v, want all of them", http1.MaxHead, got.n, got.reason)
	}
	got := parseWhole(t, f, fill(http1.MaxHead+1), lim)
	if want := (result{0, http1.HeadTooLarge, "offset 65535"}); got != want {
		t.Errorf("Parse(%d bytes) = %v, want %v", http1.MaxHead+1, got, want)
	}
	// An empty line before it counts, for it takes up offsets.
	got = parseWhole(t, f, append([]byte("\r\n"), fill(http1.MaxHead-1)...), lim)
	if want := (result{0, http1.HeadTooLarge, "offset 65535"}); got != want {
		t.Errorf("Parse(%d bytes) = %v, want %v", http1.MaxHead+1, got, want)
	}
	got = parseWhole(t, f, []byte("GET /"+strings.Repeat("a", 1<<16)), lim)
	if want := (result{0, http1.HeadTooLarge, "offset 65535"}); got != want {
		t.Errorf("Parse(endless line) = %v, want %v", got, want)
	}
}
