package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// answerWithin bounds the check of one row. A variable so that the test of a
// connection that never closes is short.
var answerWithin = 20 * time.Second

// verify makes sure that a contender does the work of a row, before its speed
// at it is believed: two requests on one connection (one where it closes), each
// answered with the very bytes, a length, a date and the right type.
func (c *contender) verify(r row) error {
	conn, err := net.DialTimeout("tcp", c.address(r), 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(answerWithin))
	request := "GET " + r.path + " HTTP/1.1\r\nHost: " + c.address(r) + "\r\n"
	times := 2
	if r.closes {
		request += "Connection: close\r\n"
		times = 1
	}
	in := bufio.NewReader(conn)
	for range times {
		if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
			return err
		}
		if err := c.verifyAnswer(in, r); err != nil {
			return fmt.Errorf("GET %s: %w", r.path, err)
		}
	}
	if r.closes {
		if _, err := in.ReadByte(); err != io.EOF {
			return fmt.Errorf("GET %s with Connection: close: the connection goes on (%v)", r.path, err)
		}
	}
	return nil
}

func (c *contender) verifyAnswer(in *bufio.Reader, r row) error {
	var head bytes.Buffer
	for !bytes.HasSuffix(head.Bytes(), []byte("\r\n\r\n")) {
		b, err := in.ReadByte()
		if err != nil {
			return fmt.Errorf("in the head: %w", err)
		}
		head.WriteByte(b)
	}
	c.heads[r.name] = head.Len()
	whole := bufio.NewReader(io.MultiReader(&head, in))
	resp, err := http.ReadResponse(whole, nil)
	if err != nil {
		return err
	}
	mediaType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	switch {
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("status %s", resp.Status)
	case resp.ContentLength != int64(r.size):
		return fmt.Errorf("Content-Length %d, want %d", resp.ContentLength, r.size)
	case mediaType != r.contentType:
		return fmt.Errorf("Content-Type %q, want %q", mediaType, r.contentType)
	case resp.Header.Get("Date") == "":
		return fmt.Errorf("no Date")
	case resp.Close != r.closes:
		return fmt.Errorf("connection closes: %v, want %v", resp.Close, r.closes)
	}
	body := make([]byte, r.size)
	if _, err := io.ReadFull(resp.Body, body); err != nil {
		return fmt.Errorf("in the body: %w", err)
	}
	if !bytes.Equal(body, r.body()) {
		return fmt.Errorf("another body than the %d bytes it should be", r.size)
	}
	if n := whole.Buffered(); n > 0 {
		return fmt.Errorf("%d bytes more than the answer has", n)
	}
	return nil
}
