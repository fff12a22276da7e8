package sock_test

import (
	"os"
	"path/filepath"
	"testing"

	"srvctl/shared/sock"
)

func TestReachable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	set, err := sock.Bind(sock.Spec{Address: "unix:" + path}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	if !set.Reachable() {
		t.Error("a new socket cannot be reached")
	}
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if set.Reachable() {
		t.Error("a socket without its file can be reached")
	}
	other, err := sock.Bind(sock.Spec{Address: "unix:" + path}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if set.Reachable() || !other.Reachable() {
		t.Errorf("reachable: the old one %v, the one in its place %v", set.Reachable(), other.Reachable())
	}
	tcp, err := sock.Bind(sock.Spec{Address: "127.0.0.1:0"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	if !tcp.Reachable() {
		t.Error("a TCP listener cannot be reached")
	}
}
