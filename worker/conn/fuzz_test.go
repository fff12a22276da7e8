package conn_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"srvctl/worker/conn"
	"srvctl/worker/serve"
)

// FuzzConn sends any bytes, cut and mixed with other events by any plan. No
// plan may make a connection panic, hang, break its own rules or send what is
// not a response.
func FuzzConn(f *testing.F) {
	plans := []string{"", "\x00\x01\x02", "\x0f\x80\x41\x23\x05", "aAbBcCdD\xff\xfe\x10\x20\x31"}
	for i, c := range conversations {
		f.Add([]byte(c.input), []byte(plans[i%len(plans)]))
	}
	f.Add([]byte(get("/slow/100")+get("/suspend")+post("/pause", "some body")+get("/file/99")), []byte("\x50\x61\x72\x83\x94\xa5"))
	f.Add([]byte(expecting("/collect", 3)+"abc"+postChunked("/echo", "one", "two")), []byte("\x31\x42\x53\x64"))
	f.Fuzz(func(t *testing.T, input, plan []byte) {
		if len(input) > 1<<16 || len(plan) > 1000 {
			return
		}
		s := newSite(t)
		var methods []string
		s.host.srv.Site = serve.HandlerFunc(func(x *serve.Exchange) {
			methods = append(methods, string(x.Req.MethodBytes()))
			if strings.Count(string(x.Req.Head.Path.Of(x.Req.Buf)), "") > 12 {
				x.Error(404) // no huge numbers
				return
			}
			s.Serve(x)
		})
		s.host.hold = true
		a := &actor{client: s.host.dial(), input: string(input)}
		for _, p := range plan {
			step(s, a, p)
			s.host.turn()
			check(t, a)
		}
		s.settles([]*actor{a})
		check(t, a)
		s.host.pass(time.Hour)
		if !a.gone() {
			t.Errorf("nothing happens for an hour, and the connection is %v", a.conn)
		}
		wellFormed(t, a, methods)
	})
}

// step does what one byte of a plan says.
func step(s *site, a *actor, p byte) {
	n := int(p & 15)
	switch p >> 4 {
	case 0, 1, 2, 3: // some of the input arrives
		k := min(len(a.input), 1+n*n*int(1+p>>4))
		a.in = append(a.in, a.input[:k]...)
		a.input = a.input[k:]
	case 4:
		a.room = n * n
	case 5:
		a.room = -1
	case 6:
		a.most = n
	case 7:
		a.mostRead = 1 + n*n*n
	case 8:
		s.host.runPool()
	case 9:
		if len(s.suspended) > 0 {
			r := s.suspended[0]
			s.suspended = s.suspended[1:]
			r.Resume(sendHello)
		}
	case 10:
		for _, src := range s.sources {
			if src.have >= 0 && src.x != nil && src.closed == 0 {
				src.have += n * 100
				src.x.Wake()
			}
		}
	case 11:
		for _, k := range s.sinks {
			if k.ends == 0 {
				k.x.More()
			}
		}
	case 12:
		s.host.pass(time.Duration(n) * time.Second)
	case 13:
		a.eof = n < 4
	case 14:
		if n == 0 {
			s.srv().Drain()
			a.conn.Drain()
		}
		s.cold = n&1 == 1
	case 15:
		if n == 0 {
			a.broken = true
		}
	}
}

func check(t *testing.T, a *actor) {
	t.Helper()
	if a.gone() {
		return
	}
	if err := a.conn.Check(a.queued); err != nil {
		t.Fatal(err)
	}
	if held := a.conn.Held(); held > 600<<10 {
		t.Fatalf("%d bytes of buffers are held", held)
	}
}

// wellFormed checks that the client got a row of responses, at most the last of
// them cut, and that only if the connection is broken.
func wellFormed(t *testing.T, a *actor, methods []string) {
	t.Helper()
	cut := a.ending == "aborted" || a.broken || a.conn.State() == conn.Busy
	r := bufio.NewReader(bytes.NewReader(a.out))
	for i := 0; ; {
		if _, err := r.Peek(1); err != nil {
			return
		}
		method := "GET"
		if i < len(methods) {
			method = methods[i]
		}
		res, err := http.ReadResponse(r, &http.Request{Method: method})
		if err == nil {
			_, err = io.ReadAll(res.Body)
		}
		if err != nil {
			if _, more := r.Peek(1); more == nil || !cut {
				t.Fatalf("response %d: %v in %q", i, err, a.out)
			}
			return
		}
		if res.StatusCode >= 200 {
			i++
		}
		if i > len(methods)+1 {
			t.Fatalf("%d responses to %d requests: %q", i, len(methods), a.out)
		}
	}
}
