package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// wire is one connection, seen byte by byte. It belongs to one goroutine.
type wire struct {
	net.Conn
	buf     []byte        // what has come and not been looked at
	space   []byte        // where bytes come in; like buf lent by the client
	wrote   time.Time     // when it last was about to write: the server's silence began later
	patient time.Duration // how long the server may take for anything
	answers int           // that have come whole
}

// dial connects; it does not try twice. buf and space are memory that may be
// used until the connection is closed.
func dial(network, addr string, patient time.Duration, buf, space []byte) (*wire, error) {
	c, err := net.DialTimeout(network, addr, patient)
	if err != nil {
		return nil, err
	}
	return &wire{Conn: c, buf: buf[:0], space: space, wrote: time.Now(), patient: patient}, nil
}

// due is when patience ends.
func (w *wire) due() time.Time { return time.Now().Add(w.patient) }

// write sends bytes, in one piece as long as the kernel takes them.
func (w *wire) write(p []byte) error {
	if err := w.SetWriteDeadline(w.due()); err != nil {
		return err
	}
	w.wrote = time.Now()
	_, err := w.Write(p)
	return err
}

// fill waits for more bytes. io.EOF is the server's FIN, a reset its RST.
func (w *wire) fill(by time.Time) error {
	if err := w.SetReadDeadline(by); err != nil {
		return err
	}
	n, err := w.Read(w.space)
	if n > 0 {
		w.buf = append(w.buf, w.space[:n]...)
		return nil
	}
	return err
}

// errUnasked: bytes came although nothing was asked.
var errUnasked = errors.New("bytes come that nobody asked for")

// pause waits and looks at the connection meanwhile: nil says that nothing
// happened.
func (w *wire) pause(d time.Duration) error {
	if len(w.buf) > 0 {
		return errUnasked
	}
	err := w.fill(time.Now().Add(d))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case err == nil:
		return errUnasked
	}
	return err
}

// dribble sends bytes one by one with a gap between them. What the server says
// meanwhile is kept for the answer; that it ends the stream is an error.
func (w *wire) dribble(p []byte, gap func() time.Duration) error {
	for i := range p {
		if err := w.write(p[i : i+1]); err != nil {
			return err
		}
		if i+1 == len(p) {
			return nil
		}
		for end := time.Now().Add(gap()); ; {
			err := w.fill(end)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// isReset says whether the peer broke the connection with an RST.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// isRefused says whether nobody listens at the address, or nobody does since the
// connect began.
func isRefused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNRESET)
}

// wrongAnswer is an answer that came and is not the one that was due.
type wrongAnswer struct{ text string }

func (e *wrongAnswer) Error() string { return e.text }

func wrong(format string, args ...any) error {
	return &wrongAnswer{fmt.Sprintf(format, args...)}
}

// answer reads the answer to a request and compares it byte for byte. closes
// says that the connection ends after it.
func (w *wire) answer(r *request) (closes bool, err error) {
	by := w.due()
	h, err := w.answerHead(by)
	if err != nil {
		return false, err
	}
	if r.kind == kindHead {
		if h.code != 200 || h.length != int64(len(r.want)) {
			return false, wrong("answer %d with length %d to a HEAD, want 200 and %d", h.code, h.length, len(r.want))
		}
		return h.closes, nil
	}
	if h.code != 200 {
		body, _ := w.body(h, by)
		return false, wrong("answer %d %.200q", h.code, body)
	}
	body, err := w.body(h, by)
	if err != nil {
		return false, err
	}
	if !bytes.Equal(body, r.want) {
		return false, wrong("%d bytes %.80q, want %d bytes %.80q", len(body), body, len(r.want), r.want)
	}
	return h.closes, nil
}

// answerHead is what of a head tells where an answer ends.
type answerHead struct {
	code    int
	length  int64 // -1: there was none
	chunked bool
	closes  bool
}

// mostHead bounds the head of an answer.
const mostHead = 16 << 10

func (w *wire) answerHead(by time.Time) (h answerHead, err error) {
	for {
		if end := bytes.Index(w.buf, []byte("\r\n\r\n")); end >= 0 {
			h, err = parseHead(string(w.buf[:end]))
			w.take(end + 4)
			return h, err
		}
		if len(w.buf) > mostHead {
			return h, wrong("a head without end: %.200q", w.buf)
		}
		if err := w.fill(by); err != nil {
			if err == io.EOF && len(w.buf) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return h, err
		}
	}
}

func parseHead(text string) (answerHead, error) {
	h := answerHead{length: -1}
	lines := strings.Split(text, "\r\n")
	status, ok := strings.CutPrefix(lines[0], "HTTP/1.1 ")
	code, err := strconv.Atoi(status[:min(3, len(status))])
	if !ok || err != nil || code < 200 {
		return h, wrong("status line %.100q", lines[0])
	}
	h.code = code
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			return h, wrong("header line %.100q", line)
		}
		switch strings.ToLower(name) {
		case "content-length":
			if h.length, err = strconv.ParseInt(value, 10, 64); err != nil {
				return h, wrong("header line %.100q", line)
			}
		case "transfer-encoding":
			h.chunked = strings.EqualFold(value, "chunked")
		case "connection":
			h.closes = h.closes || strings.EqualFold(value, "close")
		}
	}
	if h.chunked == (h.length >= 0) {
		return h, wrong("a head that does not say where its body ends: %.300q", text)
	}
	return h, nil
}

// mostBody bounds the body of an answer.
const mostBody = 1 << 20

// body takes the body of an answer off the stream.
func (w *wire) body(h answerHead, by time.Time) ([]byte, error) {
	if !h.chunked {
		return w.exactly(h.length, by)
	}
	var body []byte
	for {
		line, err := w.line(by)
		if err != nil {
			return body, err
		}
		size, err := strconv.ParseUint(line, 16, 32)
		if err != nil || len(body)+int(size) > mostBody {
			return body, wrong("chunk of size %.100q", line)
		}
		data, err := w.exactly(int64(size), by)
		if err != nil {
			return body, err
		}
		body = append(body, data...)
		if end, err := w.exactly(2, by); err != nil || string(end) != "\r\n" {
			return body, errors.Join(err, wrong("after a chunk: %q", end))
		}
		if size == 0 {
			return body, nil
		}
	}
}

// exactly takes n bytes off the stream.
func (w *wire) exactly(n int64, by time.Time) ([]byte, error) {
	if n > mostBody {
		return nil, wrong("a body of %d bytes", n)
	}
	for int64(len(w.buf)) < n {
		if err := w.fill(by); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	data := bytes.Clone(w.buf[:n])
	w.take(int(n))
	return data, nil
}

// line takes a line off the stream.
func (w *wire) line(by time.Time) (string, error) {
	for {
		if end := bytes.Index(w.buf, []byte("\r\n")); end >= 0 {
			line := string(w.buf[:end])
			w.take(end + 2)
			return line, nil
		}
		if err := w.fill(by); err != nil {
			return "", err
		}
	}
}

func (w *wire) take(n int) { w.buf = w.buf[:copy(w.buf, w.buf[n:])] }

// end waits for the FIN that was announced.
func (w *wire) end() error {
	if len(w.buf) == 0 {
		err := w.fill(w.due())
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return wrong("the connection stays open after Connection: close")
		case err != nil:
			return err
		}
	}
	return wrong("%.80q comes after the last answer", w.buf)
}
