package master

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"srvctl/shared/sock"
)

func TestAnnounced(t *testing.T) {
	self := strconv.Itoa(os.Getpid())
	for _, tc := range []struct {
		pid, fds, names string
		count           int
		want            []string
	}{
		{self, "2", "a:b", 2, []string{"a", "b"}},
		{self, "2", "", 2, []string{""}},
		{self, "1", "a:b:c", 1, []string{"a", "b", "c"}},
		{self, "0", "", 0, []string{""}},
		{self, "-1", "a", 0, nil},
		{self, "two", "a", 0, nil},
		{self, "", "a", 0, nil},
		{self, "99999999999999999999", "a", 0, nil},            // more than a number holds
		{self, "1000000000", "a", maxInherited, []string{"a"}}, // more than a process has
		{"", "2", "a:b", 0, nil},                               // nobody's
		{strconv.Itoa(os.Getppid()), "2", "a:b", 0, nil},       // another's
		{" " + self, "2", "a:b", 0, nil},                       // not written by systemd
		{self, "1", "a" + strings.Repeat(":b", 9000), 1, nil},  // more names than descriptors
		{self, "3", "a::c", 3, []string{"a", "", "c"}},         // a name may be missing
	} {
		t.Setenv("LISTEN_PID", tc.pid)
		t.Setenv("LISTEN_FDS", tc.fds)
		t.Setenv("LISTEN_FDNAMES", tc.names)
		count, names := announced()
		if count != tc.count || tc.want != nil && !slices.Equal(names, tc.want) || len(names) > maxInherited+1 {
			t.Errorf("LISTEN_PID=%q LISTEN_FDS=%q LISTEN_FDNAMES=%.20q: %d %.5q, want %d %q", tc.pid, tc.fds, tc.names, count, names, tc.count, tc.want)
		}
		for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
			if value, ok := os.LookupEnv(name); ok {
				t.Errorf("%s=%s is left for children", name, value)
			}
		}
	}
}

// inheritor marks the process in which TestInherit looks at what it inherited.
const inheritor = "MASTER_TEST_INHERITOR"

// The process that inherits is this test once more, with descriptors from 3 on:
// a socket stored by a predecessor, the same as a socket unit's, something that
// is no socket, a socket whose name is missing.
func TestInherit(t *testing.T) {
	if os.Getenv(inheritor) != "" {
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
		for _, in := range inherit() {
			flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(in.fd), syscall.F_GETFD, 0)
			fmt.Printf("inherited %d %q cloexec=%d stored=%v\n", in.fd, in.name, flags&syscall.FD_CLOEXEC, in.stored())
		}
		var st syscall.Stat_t
		fmt.Printf("duplicate: %v, pipe: %v, environment: %q\n", syscall.Fstat(4, &st), syscall.Fstat(5, &st), os.Getenv("LISTEN_FDS"))
		fmt.Println("again:", len(inherit()))
		return
	}
	first, second := listenFile(t), listenFile(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestInherit$")
	cmd.Env = append(os.Environ(), inheritor+"=1", "LISTEN_FDS=4", "LISTEN_FDNAMES="+storeName(":80")+":web.socket:pipe")
	cmd.ExtraFiles = []*os.File{first, first, r, second}
	out, err := cmd.CombinedOutput()
	want := `inherited 3 "web.socket" cloexec=1 stored=false
inherited 6 "" cloexec=1 stored=false
duplicate: bad file descriptor, pipe: <nil>, environment: ""
again: 0
`
	if got, _, _ := strings.Cut(string(out), "PASS"); err != nil || got != want {
		t.Errorf("%v:\n%s\nwant:\n%s", err, out, want)
	}
}

func listenFile(t *testing.T) *os.File {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestStoreName(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:80":       "srvctl@127.0.0.1%3A80",
		"unix:/run/a b%3A.s": "srvctl@unix%3A/run/a%20b%253A.s",
		"unix:/é\n":          "srvctl@unix%3A/%C3%A9%0A",
	} {
		if got := storeName(address); got != want {
			t.Errorf("storeName(%q) = %q, want %q", address, got, want)
		}
	}
	if n := len(storeName(strings.Repeat(":", 1000))); n > 255 {
		t.Errorf("a name of %d bytes: systemd ignores more than 255", n)
	}
}

func TestPairGiven(t *testing.T) {
	found := map[int]sock.Found{
		3: {FD: 3, Address: "127.0.0.1:80", ReusePort: true, Listening: true},
		4: {FD: 4, Address: "unix:/run/web.sock", Unix: true, Listening: true},
		5: {FD: 5, Address: "[::]:8443", Listening: true},
		6: {FD: 6, Address: "127.0.0.1:80", ReusePort: true, Listening: true},
		8: {FD: 8, Address: "127.0.0.1:81", ReusePort: true, Listening: true},
	}
	identify := func(fd int) (sock.Found, error) {
		f, ok := found[fd]
		if !ok {
			return f, errors.New("descriptor 7: is not a stream socket: its unit needs ListenStream=")
		}
		return f, nil
	}
	given := []inherited{
		{3, storeName("127.0.0.1:80")},
		{4, "web.socket"},
		{5, ""},
		{6, storeName("127.0.0.1:80")},
		{7, "dns.socket"},
		{8, storeName("127.0.0.1:81")}, // of a listener that is gone
		{9, storeName("nonsense")},
	}
	specs := []sock.Spec{{Address: "127.0.0.1:82"}, {Address: "unix:/run/web.sock"}, {Address: "127.0.0.1:80", ReusePort: true}}
	perSpec, left := pairGiven(given, identify, specs)
	if want := [][]int{nil, {4}, {3, 6}}; !slices.EqualFunc(perSpec, want, slices.Equal) {
		t.Errorf("perSpec = %v, want %v", perSpec, want)
	}
	want := []leftover{
		{given[2], "systemd gave socket 5 ([::]:8443), but no listener has this address: set address in the configuration or ListenStream= in the unit"},
		{given[4], "systemd gave socket dns.socket, which cannot be used: descriptor 7: is not a stream socket: its unit needs ListenStream="},
		{given[5], ""},
		{given[6], ""},
	}
	if !slices.Equal(left, want) {
		t.Errorf("left over:\n%q\nwant:\n%q", left, want)
	}
	if perSpec, left := pairGiven(nil, identify, specs); len(perSpec) != len(specs) || left != nil {
		t.Errorf("of nothing: %v %v", perSpec, left)
	}
}
