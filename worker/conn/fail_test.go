package conn_test

import (
	"fmt"
	"strings"
	"testing"

	"srvctl/worker/serve"
)

// The stream breaks at every call that moves bytes, in every conversation, with
// reads and writes of several sizes. Nothing is leaked, nothing is used twice;
// the host looks at the end.
func TestEveryCallFails(t *testing.T) {
	conversations := append(conversations[:len(conversations):len(conversations)], []struct {
		name, input string
		want        []string
		then        string
	}{
		{name: "large", input: get("/large") + get("/bytes/100000") + get("/hello")},
		{name: "file", input: get("/file/700000")},
		{name: "chunks", input: get("/chunks/300001")},
		{name: "stream", input: get("/stream/300000")},
		{name: "upload", input: post("/collect", string(pattern(50_000)))},
	}...)
	for _, test := range conversations {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			small := 100
			if test.want == nil {
				small = 20_000
			}
			for _, size := range []int{1 << 30, 70 * small, small} {
				for failAt := 1; ; failAt++ {
					c := converse(s, nil, func(c *client) {
						c.mostRead, c.most = size, size
						if size == small {
							c.blocks(150) // and blocks once
						}
						c.failAt = c.calls + failAt
					})
					c.sends(test.input)
					c.readsAll()
					if t.Failed() {
						t.Fatalf("call %d fails, %d bytes at a time", failAt, size)
					}
					if !c.broken {
						break // there were no more calls
					}
					if !c.gone() && s.srv().Inflight+s.srv().Writing > 0 && len(s.suspended) == 0 {
						t.Fatalf("call %d fails, %d bytes at a time: the connection is %v", failAt, size, c.conn.State())
					}
				}
			}
		})
	}
}

// What a client gets before its stream breaks is the beginning of what it
// would have got: nothing is sent twice, and nothing is left out.
func TestBrokenStreamIsAPrefix(t *testing.T) {
	s := newSite(t)
	input := strings.Repeat(get("/hello")+get("/bytes/9000")+get("/file/3000")+get("/chunks/3000"), 3)
	want := string(converse(s, []string{input}, nil).out)
	for failAt := 1; ; failAt++ {
		c := converse(s, []string{input}, func(c *client) {
			c.most = 1000
			c.failAt = c.calls + failAt
		})
		if !strings.HasPrefix(want, string(c.out)) {
			t.Fatalf("call %d fails: client got %q", failAt, abridged(c.out))
		}
		if !c.broken {
			return
		}
	}
}

// A handler's callbacks may find the stream broken at any point.
func TestStreamBreaksUnderAnEcho(t *testing.T) {
	s := newSite(t)
	echo := serve.NewEcho("body")
	s.host.srv.Site = echo
	s.host.srv.Limits.Body = 1 << 30
	input := post("/", string(pattern(700_000)))
	for failAt := 1; ; failAt++ {
		c := converse(s, []string{input}, func(c *client) {
			c.most, c.mostRead = 60_000, 60_000
			c.failAt = c.calls + failAt
		})
		if !c.broken {
			c.gets("200 [700000]")
			return
		}
		if !c.gone() {
			t.Fatal(fmt.Sprint("call ", failAt, " fails: the connection goes on"))
		}
	}
}
