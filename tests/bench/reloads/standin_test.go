package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// misdeed is what a stand-in does in place of a plain answer.
type misdeed int

const (
	hangUp   misdeed = iota // answers, then ends the connection without a word
	drop                    // ends the connection instead of answering
	reset                   // the same by RST
	announce                // answers with Connection: close and keeps to it
	dawdle                  // answers late
	lie                     // answers with a version that nobody asked for
	misdeeds
)

// dawdled is how late a late answer is.
const dawdled = 300 * time.Millisecond

// muted is how long nobody listens, where that is asked for.
const muted = 50 * time.Millisecond

// standin is a small server that misbehaves so many times in each way, and keeps
// account of it.
type standin struct {
	t     *testing.T
	l     net.Listener
	wg    sync.WaitGroup
	batch int           // requests that come at once
	lag   time.Duration // from the command to its effect
	mute  bool          // reloads by not listening for a moment

	mu       sync.Mutex
	open     map[net.Conn]bool
	requests int
	left     [misdeeds]int // to be done
	done     [misdeeds]int64
	lost     int64 // requests that got no answer and no announcement
	behind   int64 // requests behind an announcement
	version  int   // that answers
	next     int   // that is configured
	workers  []int
}

func start(t *testing.T, f form, left [misdeeds]int) *standin {
	t.Helper()
	s := &standin{t: t, batch: f.batch, left: left, open: map[net.Conn]bool{}}
	s.listen("127.0.0.1:0")
	t.Cleanup(func() {
		s.l.Close()
		s.mu.Lock()
		for c := range s.open {
			c.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s
}

func (s *standin) listen(addr string) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		s.t.Error(err)
		return
	}
	s.l = l
	s.wg.Go(func() { s.accept(l) })
}

func (s *standin) address() string { return s.l.Addr().String() }

func (s *standin) configure(version, workers int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = version
	s.workers = append(s.workers, workers)
	return nil
}

func (s *standin) reload(context.Context) error {
	s.mu.Lock()
	version := s.next
	s.mu.Unlock()
	if s.mute {
		addr := s.address()
		s.l.Close()
		<-time.After(muted)
		s.listen(addr)
	}
	time.AfterFunc(s.lag, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.version = version
	})
	return nil
}

func (s *standin) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.open[c] = true
		s.mu.Unlock()
		s.wg.Go(func() { s.serve(c) })
	}
}

func (s *standin) serve(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		delete(s.open, c)
		s.mu.Unlock()
	}()
	in := bufio.NewReader(c)
	for n := 0; ; n++ {
		closes, err := readRequest(in)
		if err != nil || !s.answer(c, in, s.batch-1-n%s.batch, closes) {
			return
		}
	}
}

// readRequest says whether the client wants the connection to end.
func readRequest(in *bufio.Reader) (closes bool, err error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == "\r\n" {
			return closes, err
		}
		closes = closes || strings.HasPrefix(line, "Connection: close")
	}
}

// choose says what to do with a request that has so many of its batch behind it,
// and writes it down. Every tenth is a misdeed for as long as some are left;
// where many come at once a silent end would meet some of them.
func (s *standin) choose(behind int) (m misdeed, version int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if s.requests%10 == 0 {
		for m := range misdeeds {
			if s.left[m] == 0 || m == hangUp && behind > 0 {
				continue
			}
			s.left[m]--
			s.done[m]++
			switch m {
			case drop, reset, lie:
				s.lost += int64(behind) + 1
			case announce:
				s.behind += int64(behind)
			}
			return m, s.version
		}
	}
	return misdeeds, s.version
}

// answer says whether the connection goes on.
func (s *standin) answer(c net.Conn, in *bufio.Reader, behind int, closes bool) bool {
	m, version := s.choose(behind)
	switch m {
	case drop:
		return s.linger(c, in)
	case reset:
		c.(*net.TCPConn).SetLinger(0)
		return false
	case dawdle:
		<-time.After(dawdled)
	case lie:
		version = 999
	}
	fields := ""
	if closes || m == announce {
		fields = "Connection: close\r\n"
	}
	body := fmt.Sprintf(bodyForm, version)
	fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", fields, len(body), body)
	if fields != "" || m == hangUp {
		return s.linger(c, in)
	}
	return true
}

// linger ends a connection so that its client can read all of it.
func (s *standin) linger(c net.Conn, in *bufio.Reader) bool {
	c.(*net.TCPConn).CloseWrite()
	io.Copy(io.Discard, in)
	return false
}
