package conf_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"srvctl/conf"
)

var ignoreOrigin = cmp.Options{cmpopts.IgnoreUnexported(conf.Config{}), cmpopts.IgnoreTypes(conf.Pos{})}

// TestSixMistakes is what a newcomer with a bad day sees: as many messages as
// mistakes, each at its place and with what was meant.
func TestSixMistakes(t *testing.T) {
	problems := problemsOf(t, `wrokers: 4
log: {level: inof}
limits:
  header_timeout: 10
listeners:
  http: {address: "8080"}
sites:
  - hosts: [example.com]
    listeners: [htpp]
    routes:
      - {match: "/hello", respnd: {body: "Hello\n"}}
`)
	var got []string
	for _, p := range problems {
		got = append(got, p.Pos.String()+" "+p.Key+" "+p.Suggest)
	}
	want := []string{
		"srvctl.yaml:1:1 wrokers workers",
		"srvctl.yaml:2:14 log.level info",
		"srvctl.yaml:4:19 limits.header_timeout 10s",
		"srvctl.yaml:6:19 listeners.http.address :8080",
		"srvctl.yaml:9:17 sites[0].listeners[0] http",
		"srvctl.yaml:11:27 sites[0].routes[0].respnd respond",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s\n%v", diff, problems)
	}
}

// TestValues looks at a Config as its readers do.
func TestValues(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "etc", "srvctl.yaml"), `
workers: auto
user: web
limits: {body_bytes: 8m, open_files: auto, min_rate: {bytes_per_second: 0}}
mime_types: {.FOO: application/x-foo}
listeners:
  http: {address: "127.0.0.1:0"}
  file: {address: "unix:x.sock", mode: 0600, owner: web:web}
sites:
  - hosts: [Example.com., "*.Example.com"]
    listeners: [http]
    access_log: {output: access.log, format: combined}
    routes:
      - {match: "GET,HEAD /a/{id}/*", respond: {status: 201, body: "{id}", headers: {X-B: "1", X-A: "2"}}}
      - {match: /r, redirect: {to: /x, status: 308}}
      - {match: "/f/*", files: {root: ., index: [], cache_control: no-cache}}
      - {match: /h, health: {kind: ready}}
      - {match: /e, echo: {what: cookies}}
  - listeners: [file]
    routes: [{match: /, echo: {}}]
  - listeners: [http]
    routes: [{match: /, echo: {}}]
`)
	got, problems := conf.LoadOn(testHost, conf.Options{File: "etc/srvctl.yaml", Dir: dir})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	etc := filepath.Join(dir, "etc")
	want := &conf.Config{
		File: filepath.Join(etc, "srvctl.yaml"), Files: []string{filepath.Join(etc, "srvctl.yaml")},
		Workers: 4, User: "web", ReadyTimeout: 10 * time.Second,
		Heartbeat: conf.Heartbeat{Interval: time.Second, Timeout: 10 * time.Second},
		Drain:     conf.Drain{Timeout: 30 * time.Second, Idle: 10 * time.Second, Upgraded: time.Hour, Generations: 3},
		Admin:     conf.Admin{Address: "127.0.0.1:9180"},
		Log:       conf.Log{Level: "info", Format: "json", Output: "stderr"},
		AccessLog: conf.AccessLog{Format: "json"},
		Limits: conf.Limits{
			Connections: 10000, HeaderTimeout: 10 * time.Second, HeaderBytes: 32 << 10, HeaderCount: 100,
			RequestLine: 8 << 10, BodyBytes: 8 << 20, MinRate: conf.MinRate{Grace: 5 * time.Second},
			KeepaliveTimeout: 75 * time.Second, HandshakeTimeout: 10 * time.Second,
		},
		MIMETypes: map[string]string{".foo": "application/x-foo"},
		Listeners: []conf.Listener{
			{Name: "http", Address: "127.0.0.1:0", Backlog: 4096, ReusePort: true},
			{Name: "file", Address: "unix:" + etc + "/x.sock", Backlog: 4096, Mode: 0o600, Owner: "web:web"},
		},
		Sites: []conf.Site{
			{
				Name: "example.com", Hosts: []string{"example.com", "*.example.com"}, Listeners: []string{"http"},
				AccessLog: &conf.AccessLog{Output: etc + "/access.log", Format: "combined"},
				Routes: []conf.Route{
					{Match: "GET,HEAD /a/{id}/*", Methods: []string{"GET", "HEAD"}, Pattern: "/a/{id}/*",
						Respond: &conf.Respond{Status: 201, Body: "{id}", Headers: []conf.Header{{Name: "X-B", Value: "1"}, {Name: "X-A", Value: "2"}}}},
					{Match: "/r", Pattern: "/r", Redirect: &conf.Redirect{To: "/x", Status: 308}},
					{Match: "/f/*", Pattern: "/f/*", Files: &conf.Files{Root: etc, CacheControl: "no-cache"}},
					{Match: "/h", Pattern: "/h", Health: &conf.Health{Kind: "ready"}},
					{Match: "/e", Pattern: "/e", Echo: &conf.Echo{What: "cookies"}},
				},
			},
			{Name: "default", Listeners: []string{"file"}, Routes: []conf.Route{{Match: "/", Pattern: "/", Echo: &conf.Echo{What: "body"}}}},
			{Name: "default#2", Listeners: []string{"http"}, Routes: []conf.Route{{Match: "/", Pattern: "/", Echo: &conf.Echo{What: "body"}}}},
		},
	}
	if diff := cmp.Diff(want, got, ignoreOrigin, cmpopts.IgnoreFields(conf.Config{}, "Watch", "Given")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if at := got.Sites[0].Routes[1].Pos.String(); at != "etc/srvctl.yaml:15:9" {
		t.Errorf("the second route is at %s", at)
	}
}

// TestDefaultSite: ./public if it is there, else the welcome page; /healthz in
// any case.
func TestDefaultSite(t *testing.T) {
	dir := t.TempDir()
	routes := func() []conf.Route {
		t.Helper()
		c, problems := conf.LoadOn(testHost, conf.Options{Dir: dir})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if c.File != "" || len(c.Files) != 0 || len(c.Sites) != 1 || c.Sites[0].Name != "default" || len(c.Sites[0].Routes) != 2 {
			t.Fatalf("the embedded default is %+v", c)
		}
		if c.Listeners[0].Address != ":8080" || c.Admin.Address != "127.0.0.1:9180" {
			t.Errorf("listens at %s, admin at %s", c.Listeners[0].Address, c.Admin.Address)
		}
		return c.Sites[0].Routes
	}
	r := routes()
	if r[0].Pattern != "/healthz" || r[0].Health == nil || r[0].Health.Kind != "live" {
		t.Errorf("the first route is %+v, want /healthz", r[0])
	}
	if r[1].Pattern != "/" || r[1].Respond == nil || !strings.Contains(r[1].Respond.Body, "<h1>It works.</h1>") {
		t.Errorf("the second route is %+v, want the welcome page", r[1])
	}
	if err := os.Mkdir(filepath.Join(dir, "public"), 0o755); err != nil {
		t.Fatal(err)
	}
	r = routes()
	if r[1].Pattern != "/*" || r[1].Files == nil || r[1].Files.Root != filepath.Join(dir, "public") {
		t.Errorf("the second route is %+v, want the files of public", r[1])
	}
	// With a file, public is looked for beside the file.
	c := load(t, "workers: 1\n")
	if c.Sites[0].Routes[1].Respond == nil {
		t.Errorf("a file without sites serves %+v", c.Sites[0].Routes[1])
	}
	if d := conf.Default(); len(d.Listeners) != 1 || len(d.Sites) != 1 {
		t.Errorf("Default() = %+v", d)
	}
}

func TestWorkersAuto(t *testing.T) {
	for cpus, want := range map[int]int{0: 1, 1: 1, 8: 8, 256: 256, 1000: 256} {
		c, _ := conf.LoadOn(conf.Host{CPUs: cpus, Root: true}, conf.Options{Dir: t.TempDir()})
		if c.Workers != want {
			t.Errorf("with %d CPUs workers: auto is %d, want %d", cpus, c.Workers, want)
		}
	}
}

func TestUserWithoutRoot(t *testing.T) {
	host := testHost
	host.Root = false
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "srvctl.yaml"), "user: web\n")
	_, problems := conf.LoadOn(host, conf.Options{Dir: dir})
	if problems.Failed() || len(problems.Warnings()) != 1 || !strings.Contains(problems.Error(), "only root") {
		t.Errorf("user: web without root: %v, want a warning", problems)
	}
}

// TestSearch: -c, $SRVCTL_CONFIG, ./srvctl.yaml, then the embedded default. A
// file that was named and is not there is never replaced by another one.
func TestSearch(t *testing.T) {
	dir := t.TempDir()
	for name, workers := range map[string]string{"flag.yaml": "1", "env.yaml": "2", "sub/srvctl.yaml": "3"} {
		writeFile(t, filepath.Join(dir, name), "workers: "+workers+"\n")
	}
	sub := filepath.Join(dir, "sub")
	env := []string{"SRVCTL_CONFIG=" + filepath.Join(dir, "env.yaml")}
	for _, tt := range []struct {
		name    string
		o       conf.Options
		workers int
		wrong   string
	}{
		{"-c", conf.Options{File: "../flag.yaml", Environ: env, Dir: sub}, 1, ""},
		{"the variable", conf.Options{Environ: env, Dir: sub}, 2, ""},
		{"an empty variable is none", conf.Options{Environ: []string{"SRVCTL_CONFIG="}, Dir: sub}, 3, ""},
		{"the folder", conf.Options{Dir: sub}, 3, ""},
		{"nothing", conf.Options{Dir: dir}, 4, ""},
		{"-c names nothing", conf.Options{File: "none.yaml", Environ: env, Dir: sub}, 0,
			"none.yaml: the file named by -c cannot be read: no such file or directory; give the path of a file, or leave -c away"},
		{"the variable names nothing", conf.Options{Environ: []string{"SRVCTL_CONFIG=none.yaml"}, Dir: sub}, 0,
			"none.yaml: the file named by $SRVCTL_CONFIG cannot be read: no such file or directory; correct the variable or unset it"},
		{"-c names a folder", conf.Options{File: sub, Dir: dir}, 0, "it is a folder"},
		{"-c names a device", conf.Options{File: "/dev/zero", Dir: dir}, 0, "it is not a regular file"},
	} {
		c, problems := conf.LoadOn(testHost, tt.o)
		switch {
		case tt.wrong == "" && (len(problems) > 0 || c.Workers != tt.workers):
			t.Errorf("%s: workers %d, %v; want %d", tt.name, c.Workers, problems, tt.workers)
		case tt.wrong != "" && (!problems.Failed() || len(problems) != 1 || !strings.Contains(problems.Error(), tt.wrong)):
			t.Errorf("%s: %v, want %q", tt.name, problems, tt.wrong)
		}
	}
}

// TestPrecedence: --set, environment, file, default.
func TestPrecedence(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "srvctl.yaml"), "limits: {header_count: 2, keepalive_requests: 2, connections: 2}\n")
	c, problems := conf.LoadOn(testHost, conf.Options{Dir: dir,
		Environ: []string{"SRVCTL_LIMITS_HEADER_COUNT=3", "SRVCTL_LIMITS_KEEPALIVE_REQUESTS=3"},
		Set:     []string{"limits.header_count=4", "limits.header_count=5"}})
	if problems.Failed() {
		t.Fatal(problems)
	}
	got := []int{c.Limits.HeaderCount, c.Limits.KeepaliveRequests, c.Limits.Connections, c.Limits.HeaderBytes}
	if want := []int{5, 3, 2, 32 << 10}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestOverriddenMistakesAreTold: the file is wrong, whatever stands over it.
func TestOverriddenMistakesAreTold(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "srvctl.yaml"), "workers: lots\n")
	_, problems := conf.LoadOn(testHost, conf.Options{Dir: dir, Environ: []string{"SRVCTL_WORKERS=2"}})
	if len(problems) != 1 || problems[0].Pos.Line != 1 {
		t.Errorf("got %v, want the mistake of the file", problems)
	}
}

// TestListenerByVariable: a name that is there in another spelling is meant; a
// new one comes into being.
func TestListenerByVariable(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "srvctl.yaml"), "listeners: {My-Web: {address: \":1\"}}\n")
	c, problems := conf.LoadOn(testHost, conf.Options{Dir: dir, Environ: []string{
		"SRVCTL_LISTENERS_MY_WEB_ADDRESS=:2", "SRVCTL_LISTENERS_OTHER_ADDRESS=:3", "SRVCTL_LISTENERS_OTHER_REUSEPORT=false"}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := []conf.Listener{
		{Name: "My-Web", Address: ":2", Backlog: 4096, ReusePort: true},
		{Name: "other", Address: ":3", Backlog: 4096},
	}
	if diff := cmp.Diff(want, c.Listeners, ignoreOrigin); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
