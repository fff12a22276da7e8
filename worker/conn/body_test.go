package conn_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"srvctl/worker/conn"
	"srvctl/worker/serve"
)

const goOn = "HTTP/1.1 100 Continue\r\n\r\n"

func expecting(path string, length int) string {
	return request("POST "+path+" HTTP/1.1", fmt.Sprint("Content-Length: ", length), "Expect: 100-continue")
}

func TestExpectContinue(t *testing.T) {
	s := newSite(t)
	c := s.host.dial()
	c.sends(expecting("/collect", 4)).getsBytes("the body is wanted and not here", goOn)
	c.sends("bo").getsBytes("it has been told already", "")
	c.sends("dy").gets("200 got body").is("idle", "the request is over")

	c.sends(get("/hello")+expecting("/collect", 4)).gets("200 hello", "100")
	c.sends("body").gets("200 got body")

	c.sends(expecting("/late", 4)).getsBytes("wanted after a while", goOn)
	c.sends("body").gets("200 got body")

	c.sends(request("POST /collect HTTP/1.1", "Transfer-Encoding: chunked", "Expect: 100-continue"))
	c.getsBytes("chunks are a body too", goOn)
	c.sends("4\r\nbody\r\n0\r\n\r\n").gets("200 got body")
}

func TestExpectContinueIsNotSentInVain(t *testing.T) {
	s := newSite(t)
	c := s.host.dial()
	c.sends(expecting("/collect", 4) + "body").gets("200 got body")
	c.sends(expecting("/collect", 4)+"b").getsBytes("the body is on its way", "")
	c.sends("ody").gets("200 got body").is("idle", "nothing was odd about it")
	c.sends(expecting("/collect", 0)).gets("200 got ").is("idle", "there is no body to wait for")
	c.sends(request("POST /collect HTTP/1.0", "Content-Length: 4", "Expect: 100-continue", "Connection: keep-alive"))
	c.getsBytes("HTTP/1.0 knows no 100", "")
	c.sends("body").gets("200 keep-alive got body")
}

// The client may or may not send the body after a final response, so nothing
// can follow it (RFC 9110 section 10.1.1).
func TestExpectContinueAnsweredWithoutBody(t *testing.T) {
	for _, path := range []string{"/hello", "/offload", "/file/50", "/bytes/20000", "/limit/3"} {
		s := newSite(t)
		c := s.host.dial().sends(expecting(path, 4))
		want := map[string]string{
			"/hello": "200 close hello", "/offload": "200 close hello", "/file/50": "200 close [50]",
			"/bytes/20000": "200 close [20000]", "/limit/3": "413 close " + page(413),
		}[path]
		c.gets(want).is("lingering", "whether a body comes is not known")
		c.sends("body").is("lingering", "it came")
	}
}

func TestUnknownExpectation(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().sends(request("GET /hello HTTP/1.1", "Expect: a miracle"))
	c.gets("417 close "+page(417)).is("lingering", "the head was refused")
}

func TestBackPressure(t *testing.T) {
	s := newSite(t)
	body := string(pattern(1000))
	c := s.host.dial()
	c.mostRead = 400 // head and some of the body
	c.sends(post("/pause", body))
	k := s.sinks[0]
	if got := len(k.got); got == 0 || got >= 400 || c.read {
		t.Fatalf("the sink has %d bytes, watched for reading: %t; want one piece and a pause", got, c.read)
	}
	waiting := len(c.in)
	s.host.pass(1000 * second_)
	if len(c.in) != waiting || k.pieces != 1 {
		t.Error("the client was read from during a pause")
	}
	for i := 0; k.ends == 0; i++ {
		if i == 10 {
			t.Fatal("the sink never gets all")
		}
		k.more(s.host)
	}
	c.gets("200 got [1000]").is("idle", "the sink has all")
}

// A pause in the middle of what was read at once, with chunks.
func TestBackPressureWithinARead(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().sends(postChunked("/pause", "one ", "two ", "three") + get("/hello"))
	k := s.sinks[0]
	for _, want := range []string{"one ", "one two ", "one two three"} {
		if string(k.got) != want {
			t.Errorf("the sink has %q, want %q", k.got, want)
		}
		k.more(s.host)
	}
	c.gets("200 got one two three", "200 hello")
}

// A sink may call More while it is given data, and say no all the same.
func TestMoreDuringData(t *testing.T) {
	s := newSite(t)
	s.host.srv.Site = serve.HandlerFunc(func(x *serve.Exchange) { x.Receive(eager{s.sink(x, "collect")}) })
	c := s.host.dial().sends(postChunked("/", "one ", "two ", "three"))
	c.gets("200 got one two three").is("idle", "it was never meant to wait")
}

type eager struct{ *sink }

func (k eager) Data(x *serve.Exchange, p []byte) bool {
	k.sink.Data(x, p)
	x.More()
	return false
}

func TestBodyOverTheLimit(t *testing.T) {
	for _, test := range []struct{ name, input string }{
		{"length", request("POST /limit/1000 HTTP/1.1", "Content-Length: 1001")},
		{"length, nobody asks", request("POST /hello HTTP/1.1", "Content-Length: 1048577")},
		{"length, asked later", request("POST /late HTTP/1.1", "Content-Length: 1048577")},
		{"chunks", postChunked("/limit/1000", string(pattern(1001)))},
		{"many chunks", postChunked("/limit/1000", string(pattern(500)), string(pattern(500)), "x")},
		{"a chunk that is announced", request("POST /limit/1000 HTTP/1.1", "Transfer-Encoding: chunked") + "fffffff\r\n" + string(pattern(2000))},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			c := s.host.dial().sends(test.input)
			c.gets("413 close "+page(413)).is("lingering", "the rest of the body may come")
			c.sends(strings.Repeat("rest", 10_000)).is("lingering", "it is thrown away")
			c.leaves().is("closed", "it has come")
			for _, k := range s.sinks {
				if !errors.Is(k.err, serve.ErrTooLarge) && !errors.Is(k.err, serve.ErrGone) {
					t.Errorf("the sink was told %v, want ErrTooLarge or ErrGone", k.err)
				}
			}
		})
	}
}

func TestBodyAtTheLimit(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().sends(post("/limit/1000", string(pattern(1000))))
	c.gets("200 got [1000]")
	c.sends(postChunked("/limit/1000", string(pattern(999)), "x")).is("idle", "it is not over it")
	c.out = nil
}

// What a handler does not want is read when that is cheap.
func TestUnreadBody(t *testing.T) {
	s := newSite(t)
	c := s.host.dial()
	big := strings.Repeat("x", conn.MaxDiscard)
	c.sends(post("/hello", big)+get("/hello")).gets("200 hello", "200 hello").is("idle", "it was thrown away")

	c.sends(post("/hello", big+"x")).gets("200 close hello").is("lingering", "it is too long")

	c = s.host.dial().sends(postChunked("/hello", big, "x", "x") + get("/hello"))
	c.gets("200 hello").is("lingering", "it turned out to be too long")
}

func TestUnreadBodyIsNotParsedAsRequest(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().sends(post("/hello", get("/smuggled")) + post("/offload", get("/smuggled")) + postChunked("/file/10", get("/smuggled")))
	c.gets("200 hello", "200 hello", "200 "+string(pattern(10)))
	if len(s.xs) != 3 {
		t.Errorf("%d requests were served, want 3", len(s.xs))
	}
}

func TestMalformedChunks(t *testing.T) {
	s := newSite(t)
	head := request("POST /collect HTTP/1.1", "Transfer-Encoding: chunked")
	for i, test := range []struct{ body, reason, want string }{
		{"4\nbody\r\n", "bare_lf", "400"},
		{"x\r\n", "bad_chunk_size", "400"},
		{"4\r\nbodybody", "bad_chunk_end", "400"},
		{"00000000000000001\r\n", "bad_chunk_size", "400"},
		{"ffffffffffffffff\r\n", "chunk_too_large", "413"},
		{"0\r\nX: " + strings.Repeat("y", 5000), "trailers_too_large", "431"},
		{"0\r\nContent-Length: 3\r\n\r\n", "forbidden_trailer", "400"},
	} {
		c := s.host.dial().sends(head + test.body)
		c.gets(test.want+" close "+page(codeOf(test.want))).is("lingering", test.reason)
		if got := s.host.refused[len(s.host.refused)-1]; got != test.reason {
			t.Errorf("%q: counted as %s, want %s", test.body, got, test.reason)
		}
		if s.host.heads != 0 || s.host.done != i+1 {
			t.Errorf("%q: %d heads refused, %d responses handed over; want none, and each", test.body, s.host.heads, s.host.done)
		}
		if k := s.sinks[i]; !errors.Is(k.err, serve.ErrMalformed) {
			t.Errorf("%q: the sink was told %v, want ErrMalformed", test.body, k.err)
		}
	}
}

// A response that does not depend on the body is not destroyed by it.
func TestMalformedChunkBehindAResponse(t *testing.T) {
	for _, path := range []string{"/hello", "/offload", "/bytes/30000", "/file/30000", "/chunks/30000"} {
		s := newSite(t)
		c := s.host.dial().blocks(100)
		c.sends(request("POST "+path+" HTTP/1.1", "Transfer-Encoding: chunked"), "garbage")
		c.readsAll().sends(get("/hello"))
		if got, _ := summaries(c.out, nil, true); len(got) != 1 || !strings.HasPrefix(got[0], "200") {
			t.Errorf("%s: client got %q, want the response", path, got)
		}
		c.is("lingering", "nothing can follow a body without an end")
	}
}

// A client that has sent what it means to send gets its response.
func TestEndOfStreamInABody(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().blocks(50).sends(request("POST /bytes/20000 HTTP/1.1", "Content-Length: 10") + "body").leaves()
	c.readsAll().gets("200 [20000]").is("closed", "the client had left")

	c = s.host.dial().sends(request("POST /collect HTTP/1.1", "Content-Length: 10"), "body").leaves()
	c.getsBytes("there is nobody to answer", "").is("closed", "the body will not come")
	if k := s.sinks[0]; !errors.Is(k.err, serve.ErrGone) {
		t.Errorf("the sink was told %v, want ErrGone", k.err)
	}
}

func TestReceiveWithoutBody(t *testing.T) {
	s := newSite(t)
	s.host.dial().sends(get("/collect")+get("/late")).gets("200 got ", "200 got ")
	if s.sinks[0].err != nil || s.sinks[1].err != nil {
		t.Error("a request without a body has all of it")
	}
}

// A handler that asks too late is told so, or it would wait for ever.
func TestReceiveAfterTheClientLeft(t *testing.T) {
	s := newSite(t)
	c := s.host.dial().sends(request("POST /suspend HTTP/1.1", "Content-Length: 10"))
	c.hangsUp()
	s.resume(func(x *serve.Exchange) { x.Receive(s.sink(x, "collect")) })
	if k := s.sinks[0]; !errors.Is(k.err, serve.ErrGone) || k.ends != 1 {
		t.Errorf("the sink was told %v %d times, want ErrGone once", k.err, k.ends)
	}
}

// A sink that answers early: the rest is thrown away.
func TestAnswerWhileTheBodyComes(t *testing.T) {
	s := newSite(t)
	s.host.srv.Site = serve.HandlerFunc(func(x *serve.Exchange) { x.Receive(hasty{s.sink(x, "collect")}) })
	c := s.host.dial().sends(request("POST / HTTP/1.1", "Content-Length: 1000"), "some")
	c.gets("403 "+page(403)).is("busy", "the rest is on its way")
	if k := s.sinks[0]; !errors.Is(k.err, serve.ErrGone) {
		t.Errorf("the sink was told %v, want ErrGone", k.err)
	}
	c.sends(strings.Repeat("x", 996)).is("idle", "the rest has come")

	c.sends(request("POST / HTTP/1.1", "Content-Length: 1000000"), "some")
	c.gets("403 close "+page(403)).is("lingering", "the rest is too long")
}

type hasty struct{ *sink }

func (k hasty) Data(x *serve.Exchange, p []byte) bool {
	x.Error(403)
	return k.sink.Data(x, p)
}

// A body that breaks when it is already a part of the response.
func TestMalformedChunkOfAStream(t *testing.T) {
	s := newSite(t)
	s.host.srv.Site = serve.HandlerFunc(func(x *serve.Exchange) {
		x.Receive(s.sink(x, "pause"))
		x.Stream(s.source("slow", 100), -1)
	})
	c := s.host.dial().sends(request("POST / HTTP/1.1", "Transfer-Encoding: chunked") + "4\r\nbody\r\nx\r\n")
	c.is("busy", "the sink has not come to it")
	s.sinks[0].more(s.host)
	c.is("aborted", "the response cannot be whole")
}
