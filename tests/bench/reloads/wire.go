package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// bodyForm is the answer's body: the version of the configuration it comes from.
const bodyForm = "version %06d\n"

const (
	requestLasts  = "GET /version HTTP/1.1\r\nHost: reloads.test\r\n\r\n"
	requestCloses = "GET /version HTTP/1.1\r\nHost: reloads.test\r\nConnection: close\r\n\r\n"
)

// wire is one connection. It belongs to one goroutine.
type wire struct {
	conn *net.TCPConn
	in   *bufio.Reader
}

// errOther is an answer that is not the one due.
var errOther = errors.New("another answer than the one due")

// silent looks at the connection until a time: nil says that nothing happened.
func (w *wire) silent(until time.Time) error {
	if err := w.conn.SetReadDeadline(until); err != nil {
		return err
	}
	_, err := w.in.Peek(1)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case err == nil:
		return fmt.Errorf("%w: bytes that nobody asked for", errOther)
	}
	return err
}

// now looks at the connection as it is. Whoever is about to ask does not send
// into an end that has come already, only into one that is on its way.
func (w *wire) now() error {
	raw, err := w.conn.SyscallConn()
	if err != nil {
		return err
	}
	var n int
	var read error
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, read = unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	switch {
	case err != nil:
		return err
	case errors.Is(read, unix.EAGAIN):
		return nil
	case read != nil:
		return read
	case n > 0:
		return fmt.Errorf("%w: bytes that nobody asked for", errOther)
	}
	return io.EOF
}

// answer reads one answer.
func (w *wire) answer(by time.Time) (version int, closes bool, err error) {
	if err := w.conn.SetReadDeadline(by); err != nil {
		return 0, false, err
	}
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return 0, false, err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		return 0, false, fmt.Errorf("%w: %.80q", errOther, line)
	}
	length := -1
	for {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return 0, false, err
		}
		name, value, more := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(": "))
		switch {
		case !more && len(name) == 0:
			version, err = w.version(length)
			return version, closes, err
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, false, fmt.Errorf("%w: %.80q", errOther, line)
			}
		case bytes.EqualFold(name, []byte("Connection")):
			closes = bytes.EqualFold(value, []byte("close"))
		}
	}
}

// version reads the body.
func (w *wire) version(length int) (version int, err error) {
	var body [len("version 000000\n")]byte
	if length != len(body) {
		return 0, fmt.Errorf("%w: Content-Length %d, want %d", errOther, length, len(body))
	}
	if _, err := io.ReadFull(w.in, body[:]); err != nil {
		return 0, err
	}
	digits, ok := bytes.CutPrefix(body[:len(body)-1], []byte("version "))
	if version, err = strconv.Atoi(string(digits)); !ok || err != nil {
		return 0, fmt.Errorf("%w: body %q", errOther, body)
	}
	return version, nil
}

// end waits a moment for the end that was announced, so that it is the server
// that ends the connection. What it is like tells nothing: the answer has come.
func (w *wire) end() {
	if w.conn.SetReadDeadline(time.Now().Add(time.Second)) == nil {
		io.Copy(io.Discard, w.in)
	}
}

// isReset says whether the peer ended the connection by RST.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// isOurs says whether a connect failed for a reason that lies on this side.
func isOurs(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
