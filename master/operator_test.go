package master

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// realServer runs a server with fake workers, a real operators' socket and
// real time.
func realServer(t *testing.T) (*testServer, *operators, Paths) {
	t.Helper()
	s := newTestServer(t, testConfig(2))
	ready := make(chan struct{})
	s.opts.Ready = func(error) { close(ready) }
	p := testPaths(t)
	c, err := stake(p)
	if err != nil {
		t.Fatal(err)
	}
	s.paths = p
	ops := s.serveOperators(c)
	go func() { s.errc <- s.master.run() }()
	<-ready
	t.Cleanup(func() {
		ops.close()
		c.release()
	})
	return s, ops, p
}

func TestOperators(t *testing.T) {
	s, ops, p := realServer(t)
	c, err := Dial(p.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	data, end, err := c.Do(Request{Verb: "ready"}, time.Minute, nil)
	if err != nil || end.Code() != 0 || string(data) != `{"ready":true,"state":"serving"}` {
		t.Errorf("ready = %s, %+v, %v", data, end, err)
	}
	data, end, err = c.Do(Request{Verb: "status"}, time.Minute, nil)
	var st Status
	if err != nil || end.Code() != 0 || json.Unmarshal(data, &st) != nil || len(st.Workers) != 2 || !st.Ready || st.Socket != p.Socket {
		t.Errorf("status = %s, %+v, %v", data, end, err)
	}
	for verb, want := range map[string]string{"upgrade": "upgrade: no other program", "fly": `unknown verb "fly"`} {
		if _, end, err := c.Do(Request{Verb: verb}, time.Minute, nil); err != nil || end.Code() != 1 || !strings.Contains(end.Error, want) {
			t.Errorf("%s = %+v, %v", verb, end, err)
		}
	}
	if _, end, err := c.Do(Request{Verb: "stop", Timeout: "soon"}, time.Minute, nil); err != nil || end.Code() != 1 || !strings.Contains(end.Error, "not a duration") {
		t.Errorf("stop with a bad timeout = %+v, %v", end, err)
	}
	ended := make(chan error, 1)
	go func() {
		err := s.end()
		ops.close()
		ops.end(s.stop.asked, "over")
		ended <- err
	}()
	var lines []string
	_, end, err = c.Do(Request{Verb: "stop"}, time.Minute, func(a Answer) { lines = append(lines, a.Text) })
	if err != nil || end.Code() != 0 || len(lines) != 3 || lines[2] != "over" {
		t.Errorf("stop = %+v, %v, progress %q; want a line of each worker and the end", end, err, lines)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	// In a process of its own the connection would end with it.
	if c.WaitGone(10 * time.Millisecond) {
		t.Error("the connection ended before the process")
	}
	if _, err := Dial(p.Socket); err == nil {
		t.Error("the socket is still served")
	}
}

func TestOperatorsRefuse(t *testing.T) {
	s, _, p := realServer(t)
	for _, tt := range []struct{ name, send, want string }{
		{"no JSON", "status\n", "not a request"},
		{"another field", `{"verb":"stop","nwo":true}` + "\n", "unknown field"},
		{"two on a line", `{"verb":"ready"} {"verb":"stop"}` + "\n", "more than one value"},
		{"a long line", strings.Repeat("x", maxRequest+1), "at most 65536 bytes"},
		{"an empty line", "\n", "not a request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("unix", p.Socket)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			io.WriteString(conn, tt.send)
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.Contains(line, tt.want) || !strings.Contains(line, `"exit":1`) {
				t.Errorf("answer %q, %v; want %q", line, err, tt.want)
			}
		})
	}
	s.stopAndEnd()
}

func TestOperatorsAreBounded(t *testing.T) {
	s, _, p := realServer(t)
	var list []*Client
	for range maxOperators {
		c, err := Dial(p.Socket)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, _, err := c.Do(Request{Verb: "ready"}, time.Minute, nil); err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	c, err := Dial(p.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if a, err := c.next(); err != nil || !strings.Contains(a.Error, "which is the limit") {
		t.Errorf("one too many = %+v, %v", a, err)
	}
	// Those that are there go on.
	if _, end, err := list[0].Do(Request{Verb: "ready"}, time.Minute, nil); err != nil || end.Code() != 0 {
		t.Errorf("the first = %+v, %v", end, err)
	}
	s.stopAndEnd()
}

func TestClientOfADyingServer(t *testing.T) {
	p := testPaths(t)
	l, err := net.Listen("unix", p.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err == nil {
			bufio.NewReader(c).ReadString('\n')
			c.Close()
		}
	}()
	c, err := Dial(p.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, _, err := c.Do(Request{Verb: "stop"}, time.Minute, nil); err == nil || !strings.Contains(err.Error(), "ended before it answered stop") {
		t.Errorf("Do = %v", err)
	}
}

func TestDialNobody(t *testing.T) {
	var e *NotRunningError
	if _, err := Dial(testPaths(t).Socket); !errors.As(err, &e) {
		t.Errorf("Dial = %v, want a NotRunningError", err)
	}
}

func TestAdmin(t *testing.T) {
	s, _, _ := realServer(t)
	a, err := s.serveAdmin("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	get := func(path string) (int, string) {
		t.Helper()
		resp, err := http.Get("http://" + a.addr + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	for path, want := range map[string]string{
		"/metrics": `srvctl_workers{state="serving"} 2`,
		"/healthz": `"status": "ok"`,
		"/readyz":  `"ready": true`,
		"/status":  `"state": "serving"`,
	} {
		if code, body := get(path); code != 200 || !strings.Contains(body, want) {
			t.Errorf("GET %s = %d %s; want %s", path, code, body, want)
		}
	}
	if code, _ := get("/other"); code != 404 {
		t.Errorf("GET /other = %d", code)
	}
	resp, err := http.Post("http://"+a.addr+"/status", "", nil)
	if err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST /status = %v, %v; want 405", resp.Status, err)
	}
	if _, err := s.serveAdmin(a.addr); err == nil || !strings.Contains(err.Error(), "admin.address: bind "+a.addr) || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a taken address = %v", err)
	}
	s.stopAndEnd()
	if code, body := get("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, `"ready": false`) {
		t.Errorf("GET /readyz after the end = %d %s", code, body)
	}
	if code, _ := get("/healthz"); code != http.StatusServiceUnavailable {
		t.Errorf("GET /healthz after the end = %d", code)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestAdminOff(t *testing.T) {
	s := newTestServer(t, testConfig(1))
	a, err := s.serveAdmin("")
	if err != nil || a.addr != "" {
		t.Errorf("serveAdmin(off) = %+v, %v", a, err)
	}
	a.close()
}
