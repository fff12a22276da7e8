package ledger

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strconv"
	"time"
)

// Routes are the routes of a site that the ledger can ask, for a configuration
// file: below "routes:" of a site, in a folder that has a file FileName with the
// content File().
const Routes = `
      - {match: "/n/{id}", respond: {body: "{id}\n"}}
      - {match: "/echo", echo: {what: body}}
      - {match: "/files/*", files: {root: .}}
`

// FileName is the file that is downloaded.
const FileName = "known.txt"

const fileSize = 100_000 // more than one read or write takes

var known = func() []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < fileSize; i++ {
		fmt.Fprintf(&b, "line %d of the file that is known\n", i)
	}
	return b.Bytes()[:fileSize]
}()

// File is the content of FileName.
func File() string { return string(known) }

// kind is what is asked for.
type kind uint8

const (
	kindGet kind = iota
	kindHead
	kindPost    // a body with its length
	kindChunked // a body in chunks
	kindFile
	kinds
)

// request is one numbered request and the answer it must get.
type request struct {
	number int64
	kind   kind
	text   []byte // as it is sent
	want   []byte // the body of the answer; for HEAD the one that does not come
	closes bool   // it asks for the end of the connection
	tries  int
	begun  time.Time // when its first byte was about to be written, in its last try
	sent   time.Time // when its last byte was
}

// newRequest makes up a request. bodyMost bounds a body that is posted.
func newRequest(number int64, k kind, bodyMost int, closes bool, random *rand.Rand) *request {
	r := &request{number: number, kind: k, closes: closes}
	n := strconv.FormatInt(number, 10)
	switch k {
	case kindGet:
		r.want = []byte(n + "\n")
		r.head("GET /n/"+n, "")
	case kindHead:
		r.want = []byte(n + "\n")
		r.head("HEAD /n/"+n, "")
	case kindPost:
		r.want = numbered(number, bodyMost, random)
		r.head("POST /echo?n="+n, "Content-Length: "+strconv.Itoa(len(r.want))+"\r\n")
		r.text = append(r.text, r.want...)
	case kindChunked:
		r.want = numbered(number, bodyMost, random)
		r.head("POST /echo?n="+n, "Transfer-Encoding: chunked\r\n")
		r.chunks(random)
	case kindFile:
		r.want = known
		r.head("GET /files/"+FileName+"?n="+n, "")
	}
	return r
}

// head begins the text with a request line and the fields.
func (r *request) head(line, fields string) {
	if r.closes {
		fields += "Connection: close\r\n"
	}
	r.text = []byte(line + " HTTP/1.1\r\nHost: ledger.test\r\n" + fields + "\r\n")
}

// chunks adds the body in two chunks.
func (r *request) chunks(random *rand.Rand) {
	at := random.IntN(len(r.want)-1) + 1
	for _, part := range [][]byte{r.want[:at], r.want[at:]} {
		r.text = fmt.Appendf(r.text, "%x\r\n%s\r\n", len(part), part)
	}
	r.text = append(r.text, "0\r\n\r\n"...)
}

// numbered makes a body that no other request has: it begins with its number
// and the sum of what follows, so that bytes of another one show whose they are.
func numbered(number int64, most int, random *rand.Rand) []byte {
	rest := make([]byte, random.IntN(max(most, 1))+1)
	for i := range rest {
		rest[i] = 'a' + byte(random.UintN(26))
	}
	return fmt.Appendf(nil, "%d %08x %s", number, crc32.ChecksumIEEE(rest), rest)
}

var kindNames = [kinds]string{"GET", "HEAD", "POST", "chunked POST", "download"}
