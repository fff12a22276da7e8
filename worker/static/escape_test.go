package static_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/worker/serve/servetest"
	"srvctl/worker/static"
)

func TestNothingOutsideTheRoot(t *testing.T) {
	root := makefs(t, "in.txt", "dir/in.txt",
		"abs -> /etc/passwd",
		"absin -> ROOT/in.txt", // absolute links leave the root even when they come back
		"up -> ../secret",
		"updir -> ..",
		"dir/up -> ../../secret",
		"round -> ../root/in.txt",
		"loop -> loop",
		"ping -> pong", "pong -> ping",
		"proc -> /proc/self/root/etc/passwd",
		"dangling -> none",
		"index/index.html -> ../../secret",
		"chain -> dir/up",
		"ok -> dir/../in.txt",
	)
	must(t, os.WriteFile(filepath.Join(filepath.Dir(root), "secret"), []byte("secret"), 0o644))
	for name, mode := range static.Modes {
		h := newHandler(t, static.Options{Root: root, Index: []string{"index.html"}})
		h.Use(mode)
		var c servetest.Carrier
		for path, want := range map[string]int{
			"/in.txt":                   200,
			"/ok":                       200,
			"/dir/../in.txt":            200,
			"/./dir//in.txt":            200,
			"/dir/%2e%2e/in.txt":        200, // dot segments are removed decoded, but never above the root
			"/../secret":                400,
			"/%2e%2e/secret":            400,
			"/.%2e/secret":              400,
			"/dir/../../secret":         400,
			"/dir/%2e%2e/%2e%2e/secret": 400,
			"/..%2fsecret":              400,
			"/..%5csecret":              400,
			"/..\\secret":               400,
			"/in.txt%00":                400,
			"/%252e%252e/secret":        404, // not decoded twice
			"/%c0%ae%c0%ae/secret":      404,
			"/...":                      404,
			"//etc/passwd":              404,
			"/abs":                      404,
			"/absin":                    404,
			"/up":                       404,
			"/updir/secret":             404,
			"/updir":                    404,
			"/updir/":                   404,
			"/dir/up":                   404,
			"/chain":                    404,
			"/round":                    404,
			"/index/":                   404,
			"/loop":                     404,
			"/loop/":                    404,
			"/ping":                     404,
			"/proc":                     404,
			"/dangling":                 404,
		} {
			res := c.Do(beneath("/", h), req("GET "+path))
			if res.Status != want || strings.Contains(res.Body, "secret") || strings.Contains(res.Body, "root:") {
				t.Errorf("%s: GET %s: %d %.40q, want %d", name, path, res.Status, res.Body, want)
			}
		}
	}
}

func TestOnlyFilesAreSent(t *testing.T) {
	root := makefs(t, "in.txt")
	must(t, unix.Mkfifo(filepath.Join(root, "fifo"), 0o644))
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(t, err)
	defer unix.Close(socket)
	must(t, unix.Bind(socket, &unix.SockaddrUnix{Name: filepath.Join(root, "socket")}))
	device := unix.Mknod(filepath.Join(root, "null"), unix.S_IFCHR|0o644, int(unix.Mkdev(1, 3))) == nil
	for name, mode := range static.Modes {
		h := newHandler(t, static.Options{Root: root})
		h.Use(mode)
		var c servetest.Carrier
		for _, path := range []string{"/fifo", "/socket", "/null"} {
			if path == "/null" && !device {
				continue
			}
			if res := c.Do(beneath("/", h), req("GET "+path)); res.Status != 404 {
				t.Errorf("%s: GET %s: %d, want 404", name, path, res.Status)
			}
		}
	}
}

func TestUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("NOT RUN: root reads everything; tests/site has it with workers that are not root")
	}
	root := makefs(t, "a", "dir/b")
	must(t, os.Chmod(filepath.Join(root, "a"), 0))
	must(t, os.Chmod(filepath.Join(root, "dir"), 0))
	defer os.Chmod(filepath.Join(root, "dir"), 0o755)
	for name, mode := range static.Modes {
		h := newHandler(t, static.Options{Root: root})
		h.Use(mode)
		var c servetest.Carrier
		for _, path := range []string{"/a", "/dir/b", "/dir/"} {
			if res := c.Do(beneath("/", h), req("GET "+path)); res.Status != 403 {
				t.Errorf("%s: GET %s: %d, want 403", name, path, res.Status)
			}
		}
	}
}
