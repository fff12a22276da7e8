package site

import (
	"context"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"srvctl/tests/harness"
)

const benched = `
workers: 2
listeners: {http: {address: "@http@"}}
sites:
  - routes:
      - {match: /hello, respond: {body: "hello\n"}}
      - {match: /echo, echo: {what: body}}
      - {match: "/*", files: {root: .}}
`

// run runs a foreign program and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	path := harness.Tool(t, name)
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return string(out)
}

// Programs that others wrote have nothing to complain of.
func TestForeignClients(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Config: benched, Files: map[string]string{
		"small.txt": letters('s', 3000), "large.txt": letters('l', 1<<20), "body.txt": letters('b', 50_000),
	}})
	seconds, requests := strconv.Itoa(times(1, 30)), strconv.Itoa(times(2000, 200_000))
	for _, tc := range []struct {
		name, tool string
		args       []string
		want, not  string // regular expressions
	}{
		{"wrk", "wrk", []string{"-t1", "-c20", "-d" + seconds + "s", s.URL("http", "/hello")},
			`Requests/sec: +[1-9]`, `Socket errors|Non-2xx`},
		{"wrk on files", "wrk", []string{"-t1", "-c20", "-d" + seconds + "s", s.URL("http", "/large.txt")},
			`Requests/sec: +[1-9]`, `Socket errors|Non-2xx`},
		{"ab", "ab", []string{"-q", "-n", requests, "-c", "20", s.URL("http", "/small.txt")},
			`Failed requests: +0\n`, `Non-2xx|Write errors|apr_`},
		{"ab with keep-alive", "ab", []string{"-q", "-k", "-n", requests, "-c", "20", s.URL("http", "/small.txt")},
			`Keep-Alive requests: +` + requests + `\n`, `Failed requests: +[1-9]|Non-2xx|Write errors|apr_`},
		{"ab posting", "ab", []string{"-q", "-k", "-n", requests, "-c", "20", "-p", filepath.Join(s.Dir, "body.txt"), "-T", "text/plain", s.URL("http", "/echo")},
			`Failed requests: +0\n`, `Non-2xx|Write errors|apr_`},
		{"h2load", "h2load", []string{"--h1", "-n", requests, "-c", "20", s.URL("http", "/hello")},
			requests + ` succeeded, 0 failed, 0 errored, 0 timeout`, `[1-9][0-9]* [345]xx`},
		{"h2load with pipelines", "h2load", []string{"--h1", "-n", requests, "-c", "20", "-m", "16", s.URL("http", "/small.txt")},
			requests + ` succeeded, 0 failed, 0 errored, 0 timeout`, `[1-9][0-9]* [345]xx`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out := run(t, tc.tool, tc.args...)
			if !regexp.MustCompile(tc.want).MatchString(out) || regexp.MustCompile(tc.not).MatchString(out) {
				t.Errorf("%s printed\n%s\nwant %s and not %s", tc.tool, out, tc.want, tc.not)
			}
		})
	}
	t.Run("curl", func(t *testing.T) { curl(t, s) })
}

// curl uses one connection for everything, whatever it asks for.
func curl(t *testing.T, s *harness.Server) {
	type step struct {
		args []string
		want string
	}
	var args []string
	var want string
	for i, st := range []step{
		{[]string{"-o", "-", s.URL("http", "/hello")}, "hello\n200 "},
		{[]string{"-I", "-o", "/dev/null", s.URL("http", "/small.txt")}, "200 "},
		{[]string{"-o", "/dev/null", s.URL("http", "/large.txt")}, "200 "},
		{[]string{"-r", "16-31", "-o", "-", s.URL("http", "/small.txt")}, letters('s', 32)[16:] + "206 "},
		{[]string{"-d", "posted", "-o", "-", s.URL("http", "/echo")}, "posted200 "},
		{[]string{"-T", filepath.Join(s.Dir, "small.txt"), "-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue", "-o", "-", s.URL("http", "/echo")}, letters('s', 3000) + "200 "},
		{[]string{"-o", "/dev/null", s.URL("http", "/not-there")}, "404 "},
		{[]string{"-L", "-o", "-", s.URL("http", "/hello")}, "hello\n200 "},
	} {
		if i > 0 {
			args = append(args, "--next")
		}
		args = append(append(args, "-sS", "-m", "10", "-w", "%{http_code} %{num_connects} "), st.args...)
		if i == 0 {
			want += st.want + "1 "
		} else {
			want += st.want + "0 "
		}
	}
	if out := run(t, "curl", args...); out != want {
		t.Errorf("curl printed %q\nwant %q", out, want)
	}
}

// The page of a fresh machine loads in a browser: title right, nothing to
// complain of.
func TestWelcomePageInBrowser(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Config: "listeners: {http: {address: \"@http@\"}}\nworkers: 1\n"})
	home := harness.Dir(t)
	picture := filepath.Join(home, "page.png")
	browser := harness.Tool(t, "chromium")
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--user-data-dir="+home, "--enable-logging=stderr", "--screenshot="+picture, "--dump-dom", s.URL("http", "/"))
	cmd.Dir = home
	cmd.WaitDelay = time.Second
	var page, complaints strings.Builder
	cmd.Stdout, cmd.Stderr = &page, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, complaints.String())
	}
	if !regexp.MustCompile(`<title>[^<]*srvctl[^<]*</title>`).MatchString(page.String()) {
		t.Errorf("the page's title does not name srvctl:\n%s", page.String())
	}
	if strings.Contains(complaints.String(), ":CONSOLE") {
		t.Errorf("the console shows:\n%s", complaints.String())
	}
	wantPicture(t, picture)
}

// wantPicture wants a screenshot that is not empty: of several colours.
func wantPicture(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	picture, err := png.Decode(f)
	must(t, err)
	colours := map[color.Color]bool{}
	size := picture.Bounds()
	for y := size.Min.Y; y < size.Max.Y; y += 3 {
		for x := size.Min.X; x < size.Max.X; x += 3 {
			colours[picture.At(x, y)] = true
		}
	}
	if size.Dx() < 200 || len(colours) < 3 {
		t.Errorf("the screenshot is %v with %d colours: want a page on it", size, len(colours))
	}
}
