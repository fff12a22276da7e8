package site

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"srvctl/tests/harness"
)

// secret is what lies beside the root. No byte of it may get out.
const secret = "SECRET-beside-the-root"

// outside makes a root and things in it that lead outside.
func outside(t *testing.T) *harness.Server {
	t.Helper()
	s := harness.Prepare(t, harness.Options{
		Config: strings.Replace(tree, "ROOT", "www", 1) + `
  - hosts: [below.test]
    routes: [{match: "/below/*", files: {root: www}}, {match: "/{name}/x/*", files: {root: www}}]
`,
		Files: map[string]string{
			"secret.txt":         secret,
			"www/inside.txt":     "inside\n",
			"www/folder/in.txt":  "in a folder\n",
			"www-other/other.js": secret, // a name that begins like the root's
			"www/private.txt":    secret,
			"www/locked/in.txt":  secret,
		},
	})
	for name, target := range map[string]string{
		"absolute":        filepath.Join(s.Dir, "secret.txt"),
		"absolute-folder": s.Dir,
		"absolute-inside": filepath.Join(s.Dir, "www", "inside.txt"), // absolute links are none of ours, wherever they lead
		"relative":        "../secret.txt",
		"relative-folder": "..",
		"roundabout":      "folder/../../secret.txt",
		"folder/up":       "../../secret.txt",
		"passwd":          "/etc/passwd",
		"self":            "self",
		"loop":            "loop-back",
		"loop-back":       "loop",
		"magic":           "/proc/self/cwd/secret.txt",
		"magic-root":      "/proc/self/root" + s.Dir + "/secret.txt",
		"nowhere":         "not-there",
		"fine":            "folder/in.txt",
		"folder/fine":     "../inside.txt",
	} {
		must(t, os.Symlink(target, filepath.Join(s.Dir, "www", name)))
	}
	must(t, syscall.Mkfifo(filepath.Join(s.Dir, "www", "fifo"), 0o666))
	must(t, os.Chmod(filepath.Join(s.Dir, "www", "private.txt"), 0o600))
	must(t, os.Chmod(filepath.Join(s.Dir, "www", "locked"), 0o700))
	s.Launch()
	s.AwaitReady()
	return s
}

// Nothing a client asks for leads outside the root.
func TestTraversal(t *testing.T) {
	t.Parallel()
	s := outside(t)
	for target, want := range map[string]int{
		"/inside.txt":                  200,
		"/fine":                        200,
		"/folder/fine":                 200,
		"/folder/../inside.txt":        200,
		"/absolute":                    404,
		"/absolute-folder":             404,
		"/absolute-folder/secret.txt":  404,
		"/absolute-inside":             404,
		"/relative":                    404,
		"/relative-folder/":            404,
		"/relative-folder/secret.txt":  404,
		"/roundabout":                  404,
		"/folder/up":                   404,
		"/passwd":                      404,
		"/self":                        404,
		"/loop":                        404,
		"/magic":                       404,
		"/magic-root":                  404,
		"/nowhere":                     404,
		"/fifo":                        404,
		"/private.txt":                 privateCode(),
		"/locked/in.txt":               privateCode(),
		"/../secret.txt":               400,
		"/folder/../../secret.txt":     400,
		"/%2e%2e/secret.txt":           400,
		"/.%2e/secret.txt":             400,
		"/%2e./secret.txt":             400,
		"/folder/%2E%2E/%2e%2e/s":      400,
		"/..%2fsecret.txt":             400,
		"/..%2Fsecret.txt":             400,
		"/folder%2f..%2f..%2fsecret":   400,
		"/%252e%252e/secret.txt":       404,
		"/%252e%252e%252fsecret.txt":   404,
		"/%25252e%25252e/secret.txt":   404,
		`/..\secret.txt`:               400,
		`/folder\..\..\secret.txt`:     400,
		"/..%5csecret.txt":             400,
		"/%5c..%5csecret.txt":          400,
		"/inside.txt%00":               400,
		"/inside.txt%00.html":          400,
		"/%00/../secret.txt":           400,
		"/..;/secret.txt":              404,
		"/...//secret.txt":             404,
		"/.../secret.txt":              404,
		"//../secret.txt":              400,
		"/./../secret.txt":             400,
		"/www-other/other.js":          404,
		"/../www-other/other.js":       400,
		"/%c0%ae%c0%ae/secret.txt":     404, // an overlong dot
		"/%e0%80%ae%e0%80%ae/secret":   404,
		"/%u002e%u002e/secret.txt":     400,
		"/\xc0\xae\xc0\xae/secret.txt": 404,
		"/inside.txt/../../secret.txt": 400,
		"/inside.txt/":                 404,
		"/etc/passwd":                  404,
		"/proc/self/environ":           404,
		"/C:/secret.txt":               404,
		"/file:///etc/passwd":          404,
		"/secret.txt":                  404,
	} {
		t.Run(strings.ReplaceAll(target, "/", "|"), func(t *testing.T) { tryTarget(t, s, "any.test", target, want) })
	}
	// What matches the "*" of a route is no path of its own either.
	for target, want := range map[string]int{
		"/below/inside.txt":       200,
		"/below/../secret.txt":    404, // is /secret.txt, which has no route
		"/below/%2e%2e/x":         404,
		"/below/a/../../below/up": 404,
		"/below/../../secret.txt": 400,
		"/a/x/inside.txt":         200,
		"/../x/inside.txt":        400,
		"/a/x/../x/inside.txt":    200,
		"/below/relative":         404,
		"/below//relative":        404,
		"/below/..%2f":            400,
	} {
		t.Run("below"+strings.ReplaceAll(target, "/", "|"), func(t *testing.T) { tryTarget(t, s, "below.test", target, want) })
	}
}

// privateCode is the answer for what only the owner may read: if the owner does
// not serve it, it is forbidden.
func privateCode() int {
	if os.Geteuid() == 0 {
		return 403
	}
	return 200
}

func tryTarget(t *testing.T, s *harness.Server, host, target string, want int) {
	c := connect(t, "tcp", s.Addr("http"))
	defer c.Close()
	must(t, c.send("GET "+target+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n"))
	raw, err := io.ReadAll(c.r)
	must(t, err)
	var code int
	fmt.Sscanf(string(raw), "HTTP/1.1 %d", &code)
	if code != want {
		t.Errorf("GET %s: status %d, want %d", target, code, want)
	}
	if code != 200 && (bytes.Contains(raw, []byte(secret)) || bytes.Contains(raw, []byte("root:"))) {
		t.Errorf("GET %s gets out what is outside:\n%s", target, raw)
	}
}

// A name that is now a file, now a link that leads out, never gives what is
// outside: what is checked and what is opened are one.
func TestTraversalRace(t *testing.T) {
	t.Parallel()
	s := outside(t)
	www := filepath.Join(s.Dir, "www")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		good, bad := filepath.Join(www, ".good"), filepath.Join(www, ".bad")
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			err := errors.Join(
				os.WriteFile(good, []byte("inside\n"), 0o644),
				os.Rename(good, filepath.Join(www, "swap")),
				os.Symlink("../secret.txt", bad),
				os.Rename(bad, filepath.Join(www, "swap")),
				os.Symlink("folder", bad),
				os.Rename(bad, filepath.Join(www, "swap-folder")),
				os.Symlink("..", bad),
				os.Rename(bad, filepath.Join(www, "swap-folder")))
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	c := connect(t, "tcp", s.Addr("http"))
	codes := map[int]int{}
	for range times(1500, 60_000) {
		for _, target := range []string{"/swap", "/swap-folder/secret.txt", "/swap-folder/in.txt"} {
			a, err := c.ask(target)
			must(t, err)
			codes[a.code]++
			if strings.Contains(a.body, secret) {
				t.Fatalf("GET %s gets out what is outside: %q", target, a.body)
			}
			if a.code != 200 && a.code != 404 {
				t.Fatalf("GET %s: status %d", target, a.code)
			}
		}
	}
	close(stop)
	wg.Wait()
	t.Logf("answers by status: %v", codes)
}
