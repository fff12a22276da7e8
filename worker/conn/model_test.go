package conn_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"srvctl/worker/serve"
)

// The model: requests that are valid, and for each the response it must get.
// What happens between, and in which order, is up to chance: how the input is
// cut, how much the client reads, when the handlers, the pool, the sources and
// the sinks go on.

// asked is one request and its response.
type asked struct{ request, want string }

// ask makes up a request.
func ask(r *rand.Rand) asked {
	n := []int{r.IntN(20), r.IntN(3000), r.IntN(100_000)}[r.IntN(3)]
	kinds := []string{"hello", "hello", "large", "bytes", "file", "chunks", "stream", "slow", "suspend", "offload", "status", "nowhere"}
	kind := kinds[r.IntN(len(kinds))]
	target, want := "/"+kind, "200 hello"
	switch kind {
	case "large":
		want = "200 [60000]"
	case "bytes", "file", "chunks", "stream", "slow":
		target = fmt.Sprintf("/%s/%d", kind, n)
		want = "200" + body(n)
		if kind == "chunks" {
			want = "200 chunked" + body(n)
		}
	case "status":
		target, want = "/status/204", "204"
	case "nowhere":
		want = "404 " + page(404)
	}
	method := []string{"GET", "GET", "POST"}[r.IntN(3)]
	if method == "POST" { // a body that nobody reads
		return asked{upload(r, target, make([]byte, r.IntN(5000)), false), want}
	}
	return asked{request(method + " " + target + " HTTP/1.1"), want}
}

// askUpload makes up a request whose body matters.
func askUpload(r *rand.Rand) asked {
	b := pattern([]int{r.IntN(20), r.IntN(3000), r.IntN(100_000)}[r.IntN(3)])
	target := []string{"/collect", "/pause", "/late", "/echo"}[r.IntN(4)]
	want := "200 got " + abridged(b)
	if target == "/echo" {
		want = "200" + body(len(b))
	}
	return asked{upload(r, target, b, r.IntN(4) == 0), want}
}

func body(n int) string {
	if n == 0 {
		return ""
	}
	return " " + abridged(pattern(n))
}

func upload(r *rand.Rand, target string, b []byte, expect bool) string {
	var fields []string
	if expect {
		fields = append(fields, "Expect: 100-continue")
	}
	if r.IntN(2) == 0 {
		return request("POST "+target+" HTTP/1.1", append(fields, fmt.Sprint("Content-Length: ", len(b)))...) + string(b)
	}
	s := request("POST "+target+" HTTP/1.1", append(fields, "Transfer-Encoding: chunked")...)
	for len(b) > 0 {
		n := min(len(b), 1+r.IntN(20_000))
		s += fmt.Sprintf("%x;ext\r\n%s\r\n", n, b[:n])
		b = b[n:]
	}
	return s + "0\r\n\r\n"
}

// actor is a client in the model.
type actor struct {
	*client
	input string // not sent yet
	want  []string
}

func newActor(r *rand.Rand, s *site) *actor {
	a := &actor{client: s.host.dial()}
	for range 1 + r.IntN(50) {
		q := ask(r)
		if r.IntN(3) == 0 {
			q = askUpload(r)
		}
		a.input += q.request
		a.want = append(a.want, q.want)
	}
	return a
}

// acts does one thing that a client may do.
func (a *actor) acts(r *rand.Rand) {
	switch r.IntN(4) {
	case 0:
		n := min(len(a.input), []int{1, r.IntN(50), r.IntN(20_000), len(a.input)}[r.IntN(4)])
		a.in = append(a.in, a.input[:n]...)
		a.input = a.input[n:]
	case 1:
		a.room = []int{-1, 0, r.IntN(50), r.IntN(100_000)}[r.IntN(4)]
	case 2:
		a.most = []int{0, 0, 1 + r.IntN(3000)}[r.IntN(3)]
	case 3:
		a.mostRead = []int{1 << 30, 1 + r.IntN(5000)}[r.IntN(2)]
	}
}

// acts does one thing that a handler may do.
func (s *site) acts(r *rand.Rand) {
	switch r.IntN(5) {
	case 0:
		s.host.runPool()
	case 1:
		if n := len(s.suspended); n > 0 {
			i := r.IntN(n)
			re := s.suspended[i]
			s.suspended = slices.Delete(s.suspended, i, i+1)
			re.Resume(func(x *serve.Exchange) { x.Send(s.small) })
		}
	case 2:
		for _, src := range s.sources {
			if src.have >= 0 && src.closed == 0 && r.IntN(2) == 0 {
				src.have += r.IntN(30_000)
				if src.x != nil {
					src.x.Wake()
				}
			}
		}
	case 3:
		for _, k := range s.sinks {
			if k.ends == 0 && r.IntN(2) == 0 {
				k.x.More()
			}
		}
	case 4:
		s.cold = r.IntN(2) == 0
	}
}

// settles lets everybody do all that is left to do.
func (s *site) settles(actors []*actor) {
	s.host.hold = false
	for _, a := range actors {
		a.in = append(a.in, a.input...)
		a.input, a.room, a.mostRead = "", -1, 1<<30
	}
	for before := -1; ; {
		s.host.run()
		for _, src := range s.sources {
			if src.have >= 0 && src.closed == 0 && src.x != nil {
				src.have += 1 << 20
				src.x.Wake()
			}
		}
		for _, re := range s.suspended {
			re.Resume(func(x *serve.Exchange) { x.Send(s.small) })
		}
		s.suspended = nil
		moved := s.host.done
		for _, k := range s.sinks {
			moved += k.pieces
			if k.ends == 0 {
				k.x.More()
			}
		}
		for _, a := range actors {
			moved += len(a.out)
		}
		s.host.run()
		if moved == before {
			return
		}
		before = moved
	}
}

func TestModel(t *testing.T) { play(t, 1, model) }

// While draining, each client gets the answers to the requests that were read
// whole, in order, and the last says that it is. Requests without bodies: what
// is read of a body that nobody wants may bring requests that come too late.
func TestModelOfADrain(t *testing.T) { play(t, 2, modelOfADrain) }

// play plays a model, each time with other luck.
func play(t *testing.T, stream uint64, model func(*testing.T, *rand.Rand)) {
	seeds := uint64(150)
	switch {
	case testing.Short():
		seeds = 40
	case os.Getenv("SOAK") != "":
		seeds = 20_000
	}
	for seed := range seeds {
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { model(t, rand.New(rand.NewPCG(seed, stream))) }) {
			return
		}
	}
}

func model(t *testing.T, r *rand.Rand) {
	s := newSite(t)
	s.host.hold = true
	var actors []*actor
	for range 1 + r.IntN(3) {
		actors = append(actors, newActor(r, s))
	}
	for range r.IntN(400) {
		actors[r.IntN(len(actors))].acts(r)
		s.acts(r)
		s.host.turn()
	}
	s.settles(actors)
	for i, a := range actors {
		got, rest := summaries(a.out, nil, a.gone())
		got = slices.DeleteFunc(got, func(s string) bool { return s == "100" })
		if !slices.Equal(got, a.want) || len(rest) > 0 {
			t.Errorf("client %d got %d responses, want %d%s", i, len(got), len(a.want), difference(got, a.want))
		}
		a.is("idle", "all is answered")
	}
}

// newAsker makes an actor whose requests have no bodies, and tells where in its
// input they end.
func newAsker(r *rand.Rand, s *site) (a *actor, ends []int) {
	a = &actor{client: s.host.dial()}
	for range 1 + r.IntN(100) {
		q := ask(r)
		for !strings.HasPrefix(q.request, "GET") {
			q = ask(r)
		}
		a.input += q.request
		a.want = append(a.want, q.want)
		ends = append(ends, len(a.input))
	}
	return a, ends
}

func modelOfADrain(t *testing.T, r *rand.Rand) {
	s := newSite(t)
	s.host.hold = true
	actors := make([]*actor, 1+r.IntN(5))
	ends := make([][]int, len(actors))
	for i := range actors {
		actors[i], ends[i] = newAsker(r, s)
	}
	at := r.IntN(200)
	for i := range 400 {
		actors[r.IntN(len(actors))].acts(r)
		s.acts(r)
		if s.host.turn(); i == at {
			s.drain()
		}
	}
	s.settles(actors)
	for i, a := range actors {
		whole, found := slices.BinarySearch(ends[i], a.taken)
		if found {
			whole++
		}
		a.want = a.want[:whole]
		if code, rest, ok := strings.Cut(last(a.want), " "); a.shut && ok {
			a.want[whole-1] = code + " close " + rest
		} else if a.shut {
			a.want[whole-1] += " close"
		}
		got, rest := summaries(a.out, nil, a.gone())
		if !slices.Equal(got, a.want) || len(rest) > 0 {
			t.Errorf("client %d got %d responses, %d requests were read%s", i, len(got), whole, difference(got, a.want))
		}
		if !a.shut && whole < len(ends[i]) {
			t.Errorf("client %d: %d of %d requests are answered, and the connection is open", i, whole, len(ends[i]))
		}
	}
}

func last(list []string) string { return list[len(list)-1] }

func difference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("; number %d is %s, want %s", i, strings.TrimSpace(got[i]), strings.TrimSpace(want[i]))
		}
	}
	return ""
}
