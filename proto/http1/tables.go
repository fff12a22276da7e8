package http1

// Classes of bytes, one bit each.
const (
	tchar     = 1 << iota // token character, RFC 9110 section 5.6.2
	hexDigit              // RFC 5234
	hostChar              // unreserved or sub-delims but ',', RFC 3986
	valueEnd              // what cannot stand in a field value: controls but HT
	targetEnd             // what cannot stand in a target: controls, space, '#'
)

var class = makeClass()

func makeClass() (t [256]uint8) {
	for c := range t {
		digit := c >= '0' && c <= '9'
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if digit || letter {
			t[c] |= tchar | hostChar
		}
		if digit || letter && c|0x20 <= 'f' {
			t[c] |= hexDigit
		}
		if c < ' ' && c != '\t' || c == 0x7f {
			t[c] |= valueEnd
		}
		if c <= ' ' || c == '#' || c == 0x7f {
			t[c] |= targetEnd
		}
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] |= tchar
	}
	for _, c := range "-._~!$&'()*+;=" {
		t[c] |= hostChar
	}
	return t
}

// lower maps A-Z to a-z and every other byte to itself.
var lower = makeLower()

func makeLower() (t [256]uint8) {
	for c := range t {
		t[c] = uint8(c)
		if c >= 'A' && c <= 'Z' {
			t[c] |= 0x20
		}
	}
	return t
}

// foldEqual reports whether b is s, which is in lower case, but for the case
// of ASCII letters.
func foldEqual(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if lower[c] != s[i] {
			return false
		}
	}
	return true
}
