package chaos

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"srvctl/tests/harness"
)

const (
	// patience bounds whatever should not take long at all.
	patience = 20 * time.Second
	// thinking is how long a client may pause between two requests: short
	// against any drain.idle, so that no connection is closed for its silence.
	thinking = 8 * time.Millisecond
)

// failure is a request that got no answer.
type failure struct {
	what     string
	port     int       // the client's, 0: not even connected
	born     time.Time // when its connection was begun
	asked    time.Time
	answered int // requests before it on the same connection
	err      error
}

func (f failure) String() string {
	return fmt.Sprintf("%s: connection from port %d, begun %s, asked %s after %d answers: %v",
		f.what, f.port, f.born.Format("05.000"), f.asked.Format("05.000"), f.answered, f.err)
}

// load is clients of several kinds that ask all the time. A wrong answer ends
// the test; requests without an answer are kept until somebody takes them.
type load struct {
	addr    string
	answers atomic.Int64
	serial  atomic.Int64
	done    chan struct{}
	wg      sync.WaitGroup

	mu       sync.Mutex
	failures []failure
	wrong    error // the first wrong answer
}

// file is what /file has.
var file = strings.Repeat("0123456789abcde\n", 8<<10)

// startLoad starts the clients; they end with the test at the latest.
func startLoad(t *testing.T, addr string) *load {
	l := &load{addr: addr, done: make(chan struct{})}
	for range 5 {
		l.wg.Go(func() { l.run("keep-alive", 1<<30, l.numbers) })
	}
	for range 2 {
		l.wg.Go(func() { l.run("post", 1<<30, l.echo) })
	}
	for range 2 {
		l.wg.Go(func() { l.run("new connection", 1, l.numbers) })
	}
	l.wg.Go(func() { l.run("file", 20, l.file) })
	t.Cleanup(func() { l.stop(t) })
	return l
}

// numbers wants the answer that belongs to its question.
func (l *load) numbers(c *client) (closes bool, err error) {
	n := l.serial.Add(1)
	return c.exchange(fmt.Sprintf("GET /n/%d HTTP/1.1\r\nHost: a\r\n\r\n", n), fmt.Sprintf("n %d\n", n))
}

// echo wants its own body back.
func (l *load) echo(c *client) (closes bool, err error) {
	body := strings.Repeat(fmt.Sprintf("%d,", l.serial.Add(1)), 1+rand.IntN(1000))
	return c.exchange(fmt.Sprintf("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body), body)
}

func (l *load) file(c *client) (closes bool, err error) {
	return c.exchange("GET /file HTTP/1.1\r\nHost: a\r\n\r\n", file)
}

// client is one connection.
type client struct {
	net.Conn
	r *bufio.Reader
}

// wrongAnswer is an answer that no breakage excuses.
type wrongAnswer struct{ text string }

func (e wrongAnswer) Error() string { return e.text }

func (c *client) exchange(request, want string) (closes bool, err error) {
	if _, err := io.WriteString(c, request); err != nil {
		return true, err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return true, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return true, err
	}
	if resp.StatusCode != 200 || string(body) != want {
		line, _, _ := strings.Cut(request, "\r\n")
		return true, wrongAnswer{fmt.Sprintf("%s: answer %d %.100q, want %.100q", line, resp.StatusCode, body, want)}
	}
	return resp.Close, nil
}

// run makes one connection after the other, with so many requests each.
func (l *load) run(what string, requests int, ask func(*client) (bool, error)) {
	for !l.over() {
		f := failure{what: what, born: time.Now()}
		conn, err := net.DialTimeout("tcp", l.addr, patience)
		if err != nil {
			f.asked, f.err = f.born, err
			l.fail(f)
			l.pause()
			continue
		}
		c := &client{conn, bufio.NewReader(conn)}
		f.port = c.LocalAddr().(*net.TCPAddr).Port
		for closes := false; !closes && f.answered < requests && !l.over(); f.answered++ {
			f.asked = time.Now()
			c.SetDeadline(f.asked.Add(patience))
			if closes, f.err = ask(c); f.err != nil {
				l.fail(f)
				break
			}
			l.answers.Add(1)
			l.pause()
		}
		c.Close()
	}
}

func (l *load) fail(f failure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wrong, is := f.err.(wrongAnswer); is && l.wrong == nil {
		l.wrong = wrong
	}
	l.failures = append(l.failures, f)
}

// take returns the failures since the last time.
func (l *load) take(t testing.TB) []failure {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrong != nil {
		t.Fatal(l.wrong)
	}
	list := l.failures
	l.failures = nil
	return list
}

func (l *load) over() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// pause is a client's thinking, not a wait for anything.
func (l *load) pause() {
	timer := time.NewTimer(rand.N(thinking))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.done:
	}
}

// awaitAnswers waits for that many more.
func (l *load) awaitAnswers(t testing.TB, n int64) {
	t.Helper()
	want := l.answers.Load() + n
	if !harness.Poll(patience, func() bool { return l.answers.Load() >= want }) {
		t.Fatalf("%d of %d answers are missing after %v: %v", want-l.answers.Load(), n, patience, l.take(t))
	}
}

// stop ends the clients.
func (l *load) stop(t testing.TB) {
	if !l.over() {
		close(l.done)
	}
	l.wg.Wait()
	l.take(t)
}
