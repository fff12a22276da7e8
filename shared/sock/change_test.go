package sock_test

import (
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"srvctl/shared/sock"
)

// change prepares and commits, and wants no note.
func change(t *testing.T, s *sock.Set, next sock.Spec, slots int) {
	t.Helper()
	if err := s.Prepare(next, slots); err != nil {
		t.Fatal(err)
	}
	if note := s.Commit(); note != "" {
		t.Errorf("Commit notes %q", note)
	}
}

// with is a Spec with some of it changed.
func with(s *sock.Set, f func(*sock.Spec)) sock.Spec {
	spec := s.Spec
	f(&spec)
	return spec
}

func reuse(on bool) func(*sock.Spec) { return func(spec *sock.Spec) { spec.ReusePort = on } }

// crowd connects n clients and leaves them open.
func crowd(t *testing.T, s *sock.Set, n int) []net.Conn {
	t.Helper()
	var list []net.Conn
	for range n {
		c, err := net.DialTimeout("tcp", s.Bound, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		list = append(list, c)
	}
	return list
}

// serve answers everybody who waits in a queue with one byte, and counts them.
func serve(t *testing.T, fd int) (n int) {
	t.Helper()
	for {
		conn, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
		if err == unix.EAGAIN {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		unix.Write(conn, []byte("x"))
		unix.Close(conn)
		n++
	}
}

// wantAnswers checks that each client got its byte.
func wantAnswers(t *testing.T, clients []net.Conn) {
	t.Helper()
	for i, c := range clients {
		var b [1]byte
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.Read(b[:]); err != nil {
			t.Fatalf("client %d of %d: %v", i, len(clients), err)
		}
	}
}

func TestMoreSlotsGetSockets(t *testing.T) {
	s := bind(t, sliced("127.0.0.1:0"), 1)
	listen(t, s, 0)
	if err := s.Prepare(s.Spec, 3); err != nil {
		t.Fatal(err)
	}
	clients := crowd(t, s, 50)
	if len(s.Files) != 3 {
		t.Fatalf("%d sockets, want 3", len(s.Files))
	}
	if n := serve(t, s.Files[0]); n != 50 {
		t.Errorf("%d of 50 connections came to the socket that listens before Listen of others", n)
	}
	if note := s.Commit(); note != "" {
		t.Error(note)
	}
	listen(t, s, 2)
	clients = append(clients, crowd(t, s, 100)...)
	if a, c := serve(t, s.Files[0]), serve(t, s.Files[2]); a == 0 || c == 0 || a+c != 100 {
		t.Errorf("slots 0 and 2 got %d and %d of 100 connections", a, c)
	}
	wantAnswers(t, clients)
	if err := s.Listen(3); err == nil {
		t.Error("Listen on a slot without a socket = nil, want an error")
	}
}

// What waits in the queue of the one socket stays there, and new connections
// are spread.
func TestSharedListenerBecomesSliced(t *testing.T) {
	s := bind(t, sock.Spec{Address: "127.0.0.1:0"}, 4)
	listen(t, s, 0)
	clients := crowd(t, s, 100)
	if err := s.Prepare(with(s, reuse(true)), 4); err != nil {
		t.Fatal(err)
	}
	clients = append(clients, crowd(t, s, 100)...)
	if !s.Shared || s.WillShare() || len(s.Files) != 4 {
		t.Fatalf("prepared: shared %t, will share %t, %d sockets", s.Shared, s.WillShare(), len(s.Files))
	}
	if note := s.Commit(); note != "" || s.Shared || s.WillShare() || !s.Spec.ReusePort {
		t.Errorf("committed: note %q, shared %t", note, s.Shared)
	}
	listen(t, s, 0, 1, 2, 3)
	clients = append(clients, crowd(t, s, 400)...)
	total := 0
	for slot, fd := range s.Files {
		n := serve(t, fd)
		total += n
		if n < 40 {
			t.Errorf("slot %d got %d connections, want its share of 400", slot, n)
		}
	}
	if total != 600 {
		t.Errorf("%d connections in all queues, want 600", total)
	}
	wantAnswers(t, clients)
}

func TestSlicedListenerBecomesSharedAndSlicedAgain(t *testing.T) {
	s := bind(t, sliced("127.0.0.1:0"), 3)
	listen(t, s, 0, 1, 2)
	change(t, s, with(s, reuse(false)), 8)
	if !s.Shared || len(s.Files) != 3 {
		t.Fatalf("shared %t with %d sockets, want all 3 kept", s.Shared, len(s.Files))
	}
	listen(t, s, 0, 1, 2, 7) // 7 has none of its own
	clients := crowd(t, s, 200)
	for slot, fd := range s.Files {
		if serve(t, fd) == 0 {
			t.Errorf("socket %d gets no connections any more", slot)
		}
	}
	wantAnswers(t, clients)
	change(t, s, with(s, reuse(true)), 4)
	if s.Shared || len(s.Files) != 4 {
		t.Errorf("shared %t with %d sockets, want sliced with 4", s.Shared, len(s.Files))
	}
	listen(t, s, 3)
}

func TestFewerSlotsKeepTheirSockets(t *testing.T) {
	s := bind(t, sliced("127.0.0.1:0"), 4)
	listen(t, s, 0, 1, 2, 3)
	change(t, s, s.Spec, 2)
	if s.Shared || len(s.Files) != 4 {
		t.Fatalf("shared %t, %d sockets, want 4", s.Shared, len(s.Files))
	}
	clients := crowd(t, s, 200)
	for slot, fd := range s.Files {
		if serve(t, fd) == 0 {
			t.Errorf("socket %d gets no connections any more", slot)
		}
	}
	wantAnswers(t, clients)
	before := openFiles(t)
	change(t, s, s.Spec, 4)
	if after := openFiles(t); after != before || len(s.Files) != 4 {
		t.Errorf("growing back opened %d descriptors", after-before)
	}
}

func TestRollbackClosesWhatWasAdded(t *testing.T) {
	for _, spec := range []sock.Spec{{Address: "127.0.0.1:0"}, sliced("127.0.0.1:0")} {
		s := bind(t, spec, 1)
		listen(t, s, 0)
		was, before := s.Spec, openFiles(t)
		if err := s.Prepare(with(s, func(n *sock.Spec) { n.ReusePort, n.Backlog = true, 7 }), 4); err != nil {
			t.Fatal(err)
		}
		s.Rollback()
		s.Rollback()
		if after := openFiles(t); after != before || len(s.Files) != 1 || s.Spec != was || s.Shared == spec.ReusePort {
			t.Errorf("%d descriptors more, %d sockets, %+v", after-before, len(s.Files), s.Spec)
		}
		clients := crowd(t, s, 20)
		if n := serve(t, s.Files[0]); n != 20 {
			t.Errorf("%d of 20 connections after a rollback", n)
		}
		wantAnswers(t, clients)
		change(t, s, sliced(s.Spec.Address), 2)
	}
}

// A socket that listens has clients in its queue: nothing may close it.
func TestRollbackKeepsWhatListens(t *testing.T) {
	s := bind(t, sliced("127.0.0.1:0"), 1)
	listen(t, s, 0)
	if err := s.Prepare(s.Spec, 4); err != nil {
		t.Fatal(err)
	}
	listen(t, s, 2)
	s.Rollback()
	if len(s.Files) != 3 {
		t.Fatalf("%d sockets, want those up to the one that listens", len(s.Files))
	}
	clients := crowd(t, s, 100)
	if a, c := serve(t, s.Files[0]), serve(t, s.Files[2]); a == 0 || c == 0 || a+c != 100 {
		t.Errorf("sockets 0 and 2 got %d and %d of 100 connections", a, c)
	}
	wantAnswers(t, clients)
}

func TestFailedPrepareChangesNothing(t *testing.T) {
	s := bind(t, sliced("127.0.0.1:0"), 2)
	before := openFiles(t)
	n := 0
	sock.ReplaceSocket(t, func(family, kind, proto int) (int, error) {
		if n++; n > 1 {
			return -1, unix.EMFILE
		}
		return unix.Socket(family, kind, proto)
	})
	wantRefused(t, s.Prepare(s.Spec, 5), unix.EMFILE)
	if after := openFiles(t); after != before || len(s.Files) != 2 {
		t.Errorf("%d sockets, %d descriptors open, want 2 and %d", len(s.Files), after, before)
	}
	change(t, s, s.Spec, 2)
	listen(t, s, 0, 1)
}

func TestChangesOutOfOrderPanic(t *testing.T) {
	for name, f := range map[string]func(s *sock.Set){
		"another address": func(s *sock.Set) { s.Prepare(sliced("127.0.0.1:1"), 1) },
		"no Prepare":      func(s *sock.Set) { s.Commit() },
		"two Prepares":    func(s *sock.Set) { s.Prepare(s.Spec, 1); s.Prepare(s.Spec, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f(bind(t, sliced("127.0.0.1:0"), 1))
		}()
	}
}

// The third client does not fit into a queue of 1 (the kernel lets in one
// more than it was told): its handshake is not answered until there is room.
func TestNewBacklogHoldsForListeningSockets(t *testing.T) {
	s := bind(t, sock.Spec{Address: "127.0.0.1:0", Backlog: 1}, 1)
	listen(t, s, 0)
	clients := crowd(t, s, 2)
	if c, err := net.DialTimeout("tcp", s.Bound, 100*time.Millisecond); err == nil {
		c.Close()
		t.Fatal("a third client got into a queue of 1")
	}
	change(t, s, with(s, func(n *sock.Spec) { n.Backlog = 10 }), 1)
	clients = append(clients, crowd(t, s, 5)...)
	if n := serve(t, s.Files[0]); n < 7 {
		t.Errorf("%d connections in the queue, want 7", n)
	}
	wantAnswers(t, clients)
	change(t, s, with(s, func(n *sock.Spec) { n.Backlog = 1 << 30 }), 1)
	if !strings.HasPrefix(s.Note, "backlog 1073741824 is cut to ") {
		t.Errorf("Note = %q, want that the new backlog is cut", s.Note)
	}
	change(t, s, with(s, func(n *sock.Spec) { n.Backlog = 1 }), 1)
	if s.Note != "" {
		t.Errorf("Note = %q, want none any more", s.Note)
	}
}

func TestChangedModeOfAUnixSocket(t *testing.T) {
	path := socketPath(t)
	s := bind(t, sock.Spec{Address: "unix:" + path}, 1)
	mode := func() os.FileMode {
		fi, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		return fi.Mode().Perm()
	}
	if err := s.Prepare(with(s, func(n *sock.Spec) { n.Mode = 0o666 }), 1); err != nil || mode() != sock.DefaultMode {
		t.Errorf("prepared: %v, mode %o", err, mode())
	}
	if note := s.Commit(); note != "" || mode() != 0o666 {
		t.Errorf("committed: note %q, mode %o, want 666", note, mode())
	}
	change(t, s, with(s, func(n *sock.Spec) { n.Mode = 0 }), 1)
	if mode() != sock.DefaultMode {
		t.Errorf("mode %o, want the default again", mode())
	}
	if err := s.Prepare(with(s, func(n *sock.Spec) { n.Owner = "no-such-user" }), 1); err == nil || !strings.Contains(err.Error(), "no such user") {
		t.Errorf("unknown owner: %v, want an error of Prepare", err)
	}
	os.Remove(path)
	if err := s.Prepare(with(s, func(n *sock.Spec) { n.Mode = 0o600 }), 1); err != nil {
		t.Fatal(err)
	}
	if note, want := s.Commit(), "mode and owner of "+path+" stay as they were: no such file"; !strings.Contains(note, want) {
		t.Errorf("without the file: note %q, want %q", note, want)
	}
}

func TestChangedModeDoesNotTouchAnotherServersFile(t *testing.T) {
	path := socketPath(t)
	s := bind(t, sock.Spec{Address: "unix:" + path}, 1)
	os.Remove(path)
	bind(t, sock.Spec{Address: "unix:" + path, Mode: 0o640}, 1)
	if err := s.Prepare(with(s, func(n *sock.Spec) { n.Mode = 0o666 }), 1); err != nil {
		t.Fatal(err)
	}
	if note := s.Commit(); !strings.Contains(note, "another server has replaced the file") {
		t.Errorf("note %q", note)
	}
	if fi, _ := os.Lstat(path); fi.Mode().Perm() != 0o640 {
		t.Errorf("the other server's file has mode %o", fi.Mode().Perm())
	}
}

func TestChangedOwnerOfAUnixSocket(t *testing.T) {
	needRoot(t)
	path := socketPath(t)
	s := bind(t, sock.Spec{Address: "unix:" + path, Owner: "65534:65534"}, 1)
	for _, c := range []struct {
		owner    string
		uid, gid uint32
	}{{":65534", 0, nobody}, {"65534", nobody, 0}, {"", 0, 0}} {
		change(t, s, with(s, func(n *sock.Spec) { n.Owner = c.owner }), 1)
		fi, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if st := fi.Sys().(*syscall.Stat_t); st.Uid != c.uid || st.Gid != c.gid {
			t.Errorf("owner %q makes %d:%d, want %d:%d", c.owner, st.Uid, st.Gid, c.uid, c.gid)
		}
	}
}

func TestCloseEndsAPreparedChange(t *testing.T) {
	before := openFiles(t)
	s := bind(t, sliced("127.0.0.1:0"), 1)
	listen(t, s, 0)
	if err := s.Prepare(s.Spec, 4); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.Rollback()
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors stay open", after-before)
	}
	if err := dial("tcp", s.Bound); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("connect after Close: %v, want connection refused", err)
	}
}
