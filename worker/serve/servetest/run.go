package servetest

import (
	"io"
	"strings"
	"syscall"

	"srvctl/proto/http1"
	"srvctl/worker/serve"
)

// Run is one exchange on its way.
type Run struct {
	X *serve.Exchange
	c *Carrier

	body      []string // deliveries to come
	receiving bool
	paused    bool
	sinkDone  bool

	readLimit int // bytes that Read allows; -1: the reader takes all
	dry       bool
	out       []byte
	loading   bool
	finished  bool // all of the body has been read
	ended     bool
	// Cut: the body did not come whole, and the connection would be cut.
	Cut bool
	res Response
}

// Read stops the reader from taking all, and lets it take n bytes more.
func (r *Run) Read(n int) {
	r.readLimit = max(r.readLimit, 0) + n
	r.c.Turn()
}

// ReadAll lets the reader take all again.
func (r *Run) ReadAll() {
	r.readLimit = -1
	r.c.Turn()
}

// Open as the last delivery of a body says that it is not complete.
const Open = "\x00open"

// Deliver adds deliveries to a body that ends with Open.
func (r *Run) Deliver(body ...string) {
	r.body = append(r.body[:len(r.body)-1], body...)
	r.c.Turn()
}

// Waiting is how many deliveries have not been made.
func (r *Run) Waiting() int { return len(r.body) }

// Fail ends the request's body, as a carrier does that will not get it.
func (r *Run) Fail(err error) {
	r.sinkDone = true
	r.X.Sink().End(r.X, err)
	r.c.Turn()
}

// Leave is the client's going away.
func (r *Run) Leave() {
	r.X.Abandon()
	if r.receiving && !r.sinkDone {
		r.sinkDone = true
		r.X.Sink().End(r.X, serve.ErrGone)
	}
}

// Answered reports whether the handler has answered.
func (r *Run) Answered() bool { return r.X.Res.Kind != serve.Unanswered }

// Done reports whether all of the response has been read.
func (r *Run) Done() bool { return r.finished }

// End ends the exchange.
func (r *Run) End() {
	if r.ended {
		return
	}
	r.ended = true
	r.respond()
	r.X.End()
}

// Response is the answer so far.
func (r *Run) Response() Response {
	if !r.ended {
		r.respond()
	}
	return r.res
}

func (r *Run) step() {
	for moved := true; moved && !r.ended; {
		moved = r.deliver()
		moved = r.pull() || moved
	}
}

// deliver makes one delivery, or ends the body.
func (r *Run) deliver() bool {
	if !r.receiving || r.paused || r.sinkDone {
		return false
	}
	if len(r.body) == 0 {
		r.sinkDone = true
		r.X.Sink().End(r.X, nil)
		return true
	}
	if r.body[0] == Open {
		return false
	}
	p := []byte(r.body[0])
	r.body = r.body[1:]
	r.paused = true // More during the call counts
	if r.X.Sink().Data(r.X, p) {
		r.paused = false
	}
	clear(p)
	return true
}

// pull reads a part of the response's body.
func (r *Run) pull() bool {
	x := r.X
	if r.finished || r.Cut {
		return false
	}
	switch x.Res.Kind {
	case serve.Unanswered:
		return false
	case serve.FromFile:
		return r.pullFile()
	case serve.FromSource:
		return r.pullSource()
	}
	r.finished = true
	return false
}

func (r *Run) pullSource() bool {
	if r.X.Req.Method == http1.MethodHead {
		r.finished = true
		return false
	}
	size := 32 << 10
	if r.readLimit >= 0 {
		size = min(size, r.readLimit)
	}
	if size == 0 || r.dry {
		return false
	}
	p := make([]byte, size)
	r.dry = true // Wake during the call counts
	n, err := r.X.Res.Source.Read(r.X, p)
	r.out = append(r.out, p[:n]...)
	if r.readLimit >= 0 {
		r.readLimit -= n
	}
	if n > 0 {
		r.dry = false
	}
	short := r.X.Res.Length >= 0 && int64(len(r.out)) != r.X.Res.Length
	switch {
	case err == io.EOF:
		r.finished, r.Cut = true, short
	case err != nil:
		r.finished, r.Cut = true, true
	}
	return n > 0
}

func (r *Run) pullFile() bool {
	x := r.X
	left := x.Res.Length - int64(len(r.out))
	if left == 0 || x.Req.Method == http1.MethodHead {
		r.finished = true
		return false
	}
	if r.loading {
		return false
	}
	off := x.Res.Off + int64(len(r.out))
	n := min(left, 512<<10)
	if f := x.Res.File; !f.Resident(off, n) {
		r.loading = true
		return x.Offload(func() { f.Load(off, n) }, func(*serve.Exchange) { r.loading = false })
	}
	p := make([]byte, n)
	got, err := syscall.Pread(x.Res.File.FD(), p, off)
	if got <= 0 || err != nil {
		r.finished, r.Cut = true, true
		return false
	}
	r.out = append(r.out, p[:got]...)
	return true
}

// Response is what the client gets, but for framing.
type Response struct {
	Status int
	Fields string // lines, without Server and Date
	Body   string
	Cut    bool
	Close  bool
	Kind   serve.Kind
	Length int64 // as the handler told it, -1 when it did not
}

// Field returns the value of the first field of that name, "" when there is
// none.
func (r Response) Field(name string) string {
	for line := range strings.Lines(r.Fields) {
		n, v, _ := strings.Cut(strings.TrimSuffix(line, "\r\n"), ": ")
		if strings.EqualFold(n, name) {
			return v
		}
	}
	return ""
}

const date = "Thu, 01 Jan 1970 00:00:00 GMT"

func (r *Run) respond() {
	x := r.X
	head := x.Req.Method == http1.MethodHead
	res := Response{Status: x.Res.Status, Fields: string(x.Res.Fields), Cut: r.Cut,
		Close: x.Res.Close, Kind: x.Res.Kind, Length: x.Res.Length}
	switch x.Res.Kind {
	case serve.FromReady:
		b, rest := x.Res.Ready.Append(nil, []byte(date), nil, x.Res.Fields, head)
		top, body, _ := strings.Cut(string(b), "\r\n\r\n")
		_, fields, _ := strings.Cut(top+"\r\n", "Date: "+date+"\r\n")
		res.Fields, res.Body = fields, body+string(rest)
		res.Length = int64(len(x.Res.Ready.Body()))
	case serve.FromBytes:
		res.Body = string(x.Res.Body)
	default:
		res.Body = string(r.out)
	}
	if head {
		res.Body = ""
	}
	r.res = res
}
