package conn_test

import (
	"fmt"
	"strings"
	"testing"
)

func post(path, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

func postChunked(path string, chunks ...string) string {
	s := "POST " + path + " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, c := range chunks {
		s += fmt.Sprintf("%x\r\n%s\r\n", len(c), c)
	}
	return s + "0\r\n\r\n"
}

// conversations are inputs whose output is the same however they are cut.
var conversations = []struct {
	name, input string
	want        []string
	then        string
}{
	{"get", get("/hello"), []string{"200 hello"}, "idle"},
	{
		"pipeline", get("/hello") + get("/bytes/100") + get("/chunks/50") + get("/offload") + get("/status/204"),
		[]string{"200 hello", "200 [100]", "200 chunked [50]", "200 hello", "204"}, "idle",
	},
	{"empty lines between", get("/hello") + "\r\n" + get("/hello"), []string{"200 hello", "200 hello"}, "idle"},
	{"files", get("/file/1000") + get("/file/20"), []string{"200 [1000]", "200 [20]"}, "idle"},
	{"body", post("/collect", "some body"), []string{"200 got some body"}, "idle"},
	{"bodies", post("/collect", "one") + post("/collect", "two") + get("/hello"), []string{"200 got one", "200 got two", "200 hello"}, "idle"},
	{"chunked", postChunked("/collect", "some ", "bo", "dy") + get("/hello"), []string{"200 got some body", "200 hello"}, "idle"},
	{
		"chunked with extension and trailer", strings.Replace(postChunked("/collect", "x"), "1\r\nx\r\n0\r\n", "1;a=b\r\nx\r\n0\r\nDigest: y\r\n", 1) + get("/hello"),
		[]string{"200 got x", "200 hello"}, "idle",
	},
	{"body wanted later", post("/late", "some body") + get("/hello"), []string{"200 got some body", "200 hello"}, "idle"},
	{"body nobody wants", post("/hello", "some body") + get("/hello"), []string{"200 hello", "200 hello"}, "idle"},
	{"chunks nobody wants", postChunked("/hello", "some", "body") + get("/hello"), []string{"200 hello", "200 hello"}, "idle"},
	{"bad chunk nobody wants", strings.Replace(postChunked("/hello", "some"), "some\r\n", "some\n\n", 1), []string{"200 hello"}, "lingering"},
	{"body nobody wants, slow path", post("/offload", "some body") + get("/hello"), []string{"200 hello", "200 hello"}, "idle"},
	{"body nobody wants, file", post("/file/50", "some body") + get("/hello"), []string{"200 [50]", "200 hello"}, "idle"},
	{"body nobody ever asks for", post("/never", "some body"), []string{"500 close " + page(500)}, "lingering"},
	{"body over the limit", post("/limit/5", "some body"), []string{"413 close " + page(413)}, "lingering"},
	{"chunks over the limit", postChunked("/limit/5", "some", "body"), []string{"413 close " + page(413)}, "lingering"},
	{"bad chunk", strings.Replace(postChunked("/collect", "some"), "some\r\n", "some!!", 1), []string{"400 close " + page(400)}, "lingering"},
	{"bad chunk size", strings.Replace(postChunked("/collect", "some"), "4\r\n", "4 \r\n", 1), []string{"400 close " + page(400)}, "lingering"},
	{"bad trailer", strings.Replace(postChunked("/collect", "some"), "0\r\n", "0\r\nHost: x\r\n", 1), []string{"400 close " + page(400)}, "lingering"},
	{"bad head", get("/hello") + "GET / HTTP/1.1\r\nHost: h\r\nbad header: x\r\n\r\n" + get("/hello"), []string{"200 hello", "400 close " + page(400)}, "lingering"},
	{"close", get("/hello") + request("GET /hello HTTP/1.1", "Connection: close"), []string{"200 hello", "200 close hello"}, "closed"},
	{"close with a body", request("POST /collect HTTP/1.1", "Connection: close", "Content-Length: 4") + "body", []string{"200 close got body"}, "closed"},
	{"close with a body nobody wants", request("POST /hello HTTP/1.1", "Connection: close", "Content-Length: 4") + "body", []string{"200 close hello"}, "any"},
	{"paused sink", post("/pause", "x") + get("/hello"), []string{"200 got x", "200 hello"}, "idle"},
	{"1.0", request("GET /chunks/50 HTTP/1.0"), []string{"200 close to-end [50]"}, "closed"},
}

func page(code int) string { return string(errorPage(code)) }

// converse runs one conversation with the input in pieces, with a client that
// shape has changed. Its place is free for the next when it is over.
func converse(s *site, pieces []string, shape func(*client)) *client {
	s.host.t.Helper()
	for _, c := range s.host.clients {
		c.hangsUp()
	}
	s.host.clients = s.host.clients[:0]
	c := s.host.dial()
	if shape != nil {
		shape(c)
	}
	c.sends(pieces...)
	if c.room >= 0 {
		c.readsAll()
	}
	return c
}

func TestEverySplit(t *testing.T) {
	for _, test := range conversations {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			check := func(how string, pieces []string) {
				c := converse(s, pieces, nil)
				c.gets(test.want...)
				if test.then != "any" {
					c.is(test.then, "the conversation is over")
				}
				if t.Failed() {
					t.Fatalf("with the input %s", how)
				}
			}
			check("whole", []string{test.input})
			check("byte by byte", strings.Split(test.input, ""))
			for i := 1; i < len(test.input); i++ {
				check(fmt.Sprintf("cut at %d: %q", i, test.input[:i]), []string{test.input[:i], test.input[i:]})
			}
		})
	}
}

// The same bytes leave when the kernel takes them in two parts, cut anywhere,
// or few at a time.
func TestEveryShortWrite(t *testing.T) {
	for _, test := range conversations {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			want := string(converse(s, []string{test.input}, nil).out)
			check := func(how string, shape func(c *client)) {
				converse(s, []string{test.input}, shape).getsBytes(how, want)
				if t.Failed() {
					t.FailNow()
				}
			}
			for i := range want {
				check(fmt.Sprint("blocked after ", i), func(c *client) { c.blocks(i) })
			}
			for most := 1; most < 6; most++ {
				check(fmt.Sprint("at most ", most), func(c *client) { c.most = most })
			}
		})
	}
}

// Bodies that are not in one piece with their heads, with longer strides.
func TestShortWritesOfLargeBodies(t *testing.T) {
	for _, path := range []string{"/large", "/bytes/50000", "/file/530000", "/chunks/70000", "/chunks/70001", "/stream/70000", "/stream/70001"} {
		s := newSite(t)
		input := []string{get("/hello") + get(path) + get("/hello")}
		c := converse(s, input, nil)
		want := string(c.out)
		c.gets("200 hello", bodyOf(path), "200 hello")
		// The head and the first bytes, then with a stride.
		for i := 0; i < len(want); i += 1 + i/260*(len(want)/97) {
			c := converse(s, input, func(c *client) { c.blocks(i) })
			if string(c.out) != want {
				t.Fatalf("%s: blocked after %d bytes: the output differs", path, i)
			}
		}
		for _, most := range []int{1, 97, 4099, 40_000} {
			c := converse(s, input, func(c *client) { c.most = max(most, len(want)/20_000) })
			if string(c.out) != want {
				t.Fatalf("%s: %d bytes at a time: the output differs", path, most)
			}
		}
	}
}

func bodyOf(path string) string {
	kind, n, _ := strings.Cut(path[1:], "/")
	switch kind {
	case "large":
		return "200 [60000]"
	case "chunks":
		return "200 chunked [" + n + "]"
	}
	return "200 [" + n + "]"
}

func codeOf(s string) (n int) {
	_, _ = fmt.Sscan(s, &n)
	return n
}
