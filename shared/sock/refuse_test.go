package sock_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"srvctl/shared/sock"
)

func settled(t *testing.T, s *sock.Set, limit time.Duration, want int) {
	t.Helper()
	if n, err := sock.Settle(limit, s); n != want || err != nil {
		t.Errorf("Settle = %d, %v, want %d half-open", n, err, want)
	}
}

// Listeners end under a rush of clients: each connection that a client has
// seen established is answered. Without Refuse and Settle some are reset, up to
// one in a hundred of the sliced ones here, more on a real network.
func TestNobodyIsLostWhenAListenerEnds(t *testing.T) {
	rounds := 15
	if testing.Short() {
		rounds = 3
	}
	for name, reuse := range map[string]bool{"sliced": true, "shared": false} {
		var answered int64
		for range rounds {
			r := endUnderRush(t, reuse)
			if n := r.lost.Load(); n > 0 {
				t.Errorf("%s: %d of %d established connections were reset", name, n, r.answered.Load()+n)
			}
			answered += r.answered.Load()
		}
		t.Logf("%s: %d connections answered", name, answered)
	}
}

func endUnderRush(t *testing.T, reuse bool) *rush {
	s := bind(t, sock.Spec{Address: "127.0.0.1:0", ReusePort: reuse}, 4)
	listen(t, s, 0, 1, 2, 3)
	stop := make(chan struct{})
	var server sync.WaitGroup
	server.Go(func() { answerUntil(stop, s.Files) })
	r := startRush(s.Bound, 4)
	<-r.enough
	if err := s.Refuse(); err != nil {
		t.Error(err)
	}
	settled(t, s, 10*time.Second, 0)
	close(stop)
	server.Wait()
	for _, fd := range s.Files {
		answer(fd)
	}
	s.Close()
	r.all.Wait()
	return r
}

// deafen makes a client drop every segment that has gone through the loopback
// interface, which sends with 64 hops to live.
func deafen(t *testing.T, fd int, on bool) {
	t.Helper()
	hops := 0
	if on {
		hops = 255
	}
	level, name := unix.IPPROTO_IP, unix.IP_MINTTL
	if option(t, fd, unix.SOL_SOCKET, unix.SO_DOMAIN) == unix.AF_INET6 {
		level, name = unix.IPPROTO_IPV6, unix.IPV6_MINHOPCOUNT
	}
	if err := unix.SetsockoptInt(fd, level, name, hops); err != nil {
		t.Fatal(err)
	}
}

// begin starts to connect. A deaf client hears nothing of the answer.
func begin(t *testing.T, to unix.Sockaddr, deaf bool) (fd int) {
	t.Helper()
	family := unix.AF_INET
	if _, ok := to.(*unix.SockaddrInet6); ok {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	deafen(t, fd, deaf)
	if err := unix.Connect(fd, to); err != unix.EINPROGRESS {
		t.Fatalf("connect: %v, want that it goes on", err)
	}
	return fd
}

// outcome waits for the end of a connect.
func outcome(t *testing.T, fd int) error {
	t.Helper()
	if !ready(fd, unix.POLLOUT, 10*time.Second) {
		t.Fatal("the connect did not end")
	}
	if e := option(t, fd, unix.SOL_SOCKET, unix.SO_ERROR); e != 0 {
		return unix.Errno(e)
	}
	return nil
}

// One client is in the middle of its handshake when the listener is to end,
// another one comes too late.
func TestHandshakeThatHasBegunIsFinished(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		t.Run(address, func(t *testing.T) {
			var to unix.Sockaddr
			if address != "127.0.0.1:0" {
				needIPv6(t)
			}
			s := bind(t, sliced(address), 2)
			listen(t, s, 0, 1)
			if to = inet4(fmt.Sprintf("127.0.0.1:%d", port(s))); address == "[::1]:0" {
				to = &unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16(), Port: int(port(s))}
			}
			slow := begin(t, to, true)
			defer unix.Close(slow)
			if err := s.Refuse(); err != nil {
				t.Fatal(err)
			}
			if err := s.Refuse(); err != nil {
				t.Fatal("again: ", err)
			}
			settled(t, s, 10*time.Millisecond, 1)
			late := begin(t, to, false)
			defer unix.Close(late)
			if err := outcome(t, late); err != unix.ECONNREFUSED {
				t.Errorf("a client that comes after Refuse: %v, want connection refused", err)
			}
			deafen(t, slow, false) // it hears our answer when it is repeated, after 1 s
			settled(t, s, 10*time.Second, 0)
			if err := outcome(t, slow); err != nil {
				t.Errorf("the handshake that had begun: %v", err)
			}
			echo(t, slow, s.Files...)
		})
	}
}

// The new listener of a changed address always has some handshakes going on.
func TestSettleDoesNotWaitForAnotherListener(t *testing.T) {
	old := bind(t, sliced("0.0.0.0:0"), 1)
	listen(t, old, 0)
	spec := sliced(fmt.Sprintf("127.0.0.1:%d", port(old)))
	next, err := sock.BindBeside(spec, 1, []*sock.Set{old})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(next.Close)
	listen(t, next, 0)
	if err := old.Refuse(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		settled(t, old, 30*time.Second, 0)
	}()
	for beat := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-beat.C:
			// It gives up: when our answer is repeated, after 1 s, the
			// kernel resets the handshake.
			unix.Close(begin(t, inet4(next.Bound), true))
		case <-done:
			beat.Stop()
			return
		}
	}
}

// echo accepts the one connection there is and sends data both ways.
func echo(t *testing.T, client int, fds ...int) {
	t.Helper()
	_, conn := accept(t, fds...)
	if n := option(t, conn, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX); n != 0 {
		t.Errorf("the connection is bound to device %d", n)
	}
	data := []byte(strings.Repeat("0123456789abcdef", 4096))
	for _, way := range [][2]int{{client, conn}, {conn, client}} {
		if n, err := unix.Write(way[0], data); n != len(data) {
			t.Fatal(n, err)
		}
		got := make([]byte, 0, len(data))
		for len(got) < len(data) && ready(way[1], unix.POLLIN, 5*time.Second) {
			n, err := unix.Read(way[1], got[len(got):len(data)])
			if n <= 0 {
				t.Fatal(n, err)
			}
			got = got[:len(got)+n]
		}
		if string(got) != string(data) {
			t.Errorf("%d of %d bytes came", len(got), len(data))
		}
	}
	unix.Shutdown(client, unix.SHUT_WR)
	var b [1]byte
	if n, err := unix.Read(conn, b[:]); n != 0 || err != nil {
		t.Errorf("at the end: %d %v", n, err)
	}
}

func TestUnixListenerRefusesAndKeepsItsQueue(t *testing.T) {
	path := socketPath(t)
	s := bind(t, sock.Spec{Address: "unix:" + path}, 1)
	listen(t, s, 0)
	var clients []net.Conn
	for range 5 {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients = append(clients, c)
	}
	if err := s.Refuse(); err != nil {
		t.Fatal(err)
	}
	if n, err := sock.Settle(time.Minute, s); n != 0 || err != nil {
		t.Error(n, err)
	}
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		t.Error("connected after Refuse")
	}
	if n := serve(t, s.Files[0]); n != 5 {
		t.Errorf("%d of 5 connections were still in the queue", n)
	}
	s.Close()
	wantAnswers(t, clients)
}

// What others gave us goes on at theirs when we end.
func TestGivenSocketsAreNotRefused(t *testing.T) {
	fd := given{family: unix.AF_INET, address: &unix.SockaddrInet4{Addr: loopback}, reuse: true, listen: true}.make(t)
	s := adopt(t, sliced(addressOf(t, fd)), 2, fd)
	listen(t, s, 1)
	if err := s.Refuse(); err != nil {
		t.Fatal(err)
	}
	if !open(t, s.Files[0]) || open(t, s.Files[1]) {
		t.Error("want that ours refuses and the given one does not")
	}
	s.Close()
	if err := dial("tcp", addressOf(t, fd)); err != nil {
		t.Error(err)
	}
	path := socketPath(t)
	fd = given{family: unix.AF_UNIX, address: &unix.SockaddrUnix{Name: path}, listen: true}.make(t)
	s = adopt(t, sock.Spec{Address: "unix:" + path}, 1, fd)
	if err := s.Refuse(); err != nil {
		t.Fatal(err)
	}
	if err := dial("unix", path); err != nil {
		t.Error(err)
	}
}

// One of two sockets of an address ends: all clients reach the other one, some
// with their retransmission.
func TestRefusingPartOfAGroupLosesNobody(t *testing.T) {
	fd := given{family: unix.AF_INET, address: &unix.SockaddrInet4{Addr: loopback}, reuse: true, listen: true}.make(t)
	s := adopt(t, sliced(addressOf(t, fd)), 2, fd)
	listen(t, s, 1)
	if err := s.Refuse(); err != nil {
		t.Fatal(err)
	}
	var clients []int
	for range 10 { // as many as the given queue holds
		c := begin(t, inet4(s.Bound), false)
		defer unix.Close(c)
		clients = append(clients, c)
	}
	if n := serve(t, s.Files[1]); n != 0 {
		t.Errorf("%d connections came to the socket that refuses", n)
	}
	s.Close()
	for _, c := range clients {
		if err := outcome(t, c); err != nil {
			t.Error(err)
		}
	}
}

// open says whether a socket takes connections from the network.
func open(t *testing.T, fd int) bool {
	t.Helper()
	return option(t, fd, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX) == 0
}

func TestSocketsThatDoNotListenAreLeftAlone(t *testing.T) {
	s := bind(t, sliced("127.0.0.1:0"), 2)
	listen(t, s, 1)
	if err := s.Refuse(); err != nil {
		t.Fatal(err)
	}
	if !open(t, s.Files[0]) || open(t, s.Files[1]) {
		t.Error("want that only the listening socket refuses")
	}
}

func TestOrdinaryUserCanRefuse(t *testing.T) {
	s := bind(t, sliced("127.0.0.1:0"), 1)
	listen(t, s, 0)
	d, err := unix.Dup(s.Files[0])
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(d), "listener")
	defer f.Close()
	if p := start(t, ordinary(), []*os.File{f}, "refuse", s.Bound); p.line != "refused" {
		t.Errorf("as an ordinary user: %s", p.line)
	}
	if err := dial("tcp", s.Bound); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("after Refuse in another process: %v, want connection refused", err)
	}
}
