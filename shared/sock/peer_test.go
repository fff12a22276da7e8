package sock_test

import (
	"os"
	"testing"

	"srvctl/shared/sock"
)

func TestPeerCred(t *testing.T) {
	path := socketPath(t)
	s := bind(t, sock.Spec{Address: "unix:" + path, Mode: 0o666}, 1)
	listen(t, s, 0)
	p := start(t, ordinary(), nil, "connect", "unix", path)
	if p.line != "connected" {
		t.Fatal(p.line)
	}
	_, c := accept(t, s.Files...)
	want := os.Getuid()
	if want == 0 {
		want = nobody
	}
	if uid, pid, err := sock.PeerCred(c); uid != want || pid != p.pid || err != nil {
		t.Errorf("PeerCred = uid %d, pid %d, %v; want %d, %d", uid, pid, err, want, p.pid)
	}
	if _, _, err := sock.PeerCred(-1); err == nil {
		t.Error("PeerCred(-1) = nil, want an error")
	}
}
