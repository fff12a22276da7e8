package conf_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"srvctl/conf"
)

// TestShow compares what `srvctl config show` prints with testdata/show; see
// TestCheck.
func TestShow(t *testing.T) {
	eachArchive(t, "testdata/show", func(t *testing.T, o conf.Options) string {
		c, problems := conf.LoadOn(testHost, o)
		if problems.Failed() {
			t.Fatalf("the configuration has problems:\n%v", problems)
		}
		var b bytes.Buffer
		if err := c.Render(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	})
}

// TestRenderRoundTrip: what `config show` prints is a file that gives the same
// configuration.
func TestRenderRoundTrip(t *testing.T) {
	first := load(t, everything)
	var text bytes.Buffer
	if err := first.Render(&text); err != nil {
		t.Fatal(err)
	}
	second := load(t, text.String())
	if diff := cmp.Diff(first, second, ignoreOrigin, cmpopts.IgnoreFields(conf.Config{}, "File", "Files", "Watch", "Given")); diff != "" {
		t.Errorf("(-first +second)\n%s\n%s", diff, text.String())
	}
}

func TestSettings(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "srvctl.yaml"), everything)
	c, problems := conf.LoadOn(testHost, conf.Options{Dir: dir,
		Environ: []string{"SRVCTL_LOG_LEVEL=debug"}, Set: []string{"drain.timeout=5s"}})
	if problems.Failed() {
		t.Fatal(problems)
	}
	got := make(map[string]conf.Setting)
	for _, s := range c.Settings() {
		if _, twice := got[s.Key]; twice {
			t.Errorf("%s is listed twice", s.Key)
		}
		got[s.Key] = s
	}
	for _, want := range []conf.Setting{
		{Key: "workers", Value: "3", Origin: "srvctl.yaml:2:10"},
		{Key: "log.level", Value: "debug", Origin: "environment SRVCTL_LOG_LEVEL"},
		{Key: "drain.timeout", Value: "5s", Origin: "--set"},
		{Key: "drain.idle", Value: "10s", Origin: "default"},
		{Key: "listeners.http.address", Value: `":8080"`, Origin: "srvctl.yaml:7:19"},
		{Key: "sites[0].hosts", Value: `[example.com, "*.example.com", "[::1]"]`, Origin: "srvctl.yaml:10:12"},
		{Key: "sites[0].routes[0].respond.headers.X-A", Value: `"on"`, Origin: "srvctl.yaml:16:26"},
		{Key: `mime_types[".b"]`, Value: "text/x", Origin: "srvctl.yaml:5:54"},
		{Key: "sites[1].routes", Value: "[]", Origin: "srvctl.yaml:23:13"},
		{Key: "sites[0].routes[1].redirect.status", Value: "308", Origin: "srvctl.yaml:17:62"},
	} {
		if diff := cmp.Diff(want, got[want.Key]); diff != "" {
			t.Errorf("%s (-want +got)\n%s", want.Key, diff)
		}
	}
	var js bytes.Buffer
	if err := c.RenderJSON(&js); err != nil {
		t.Fatal(err)
	}
	var back struct{ Settings []conf.Setting }
	if err := json.Unmarshal(js.Bytes(), &back); err != nil || len(back.Settings) != len(c.Settings()) {
		t.Errorf("RenderJSON gives %d settings, %v", len(back.Settings), err)
	}
}

func TestAutoIsNoted(t *testing.T) {
	for _, s := range load(t, "").Settings() {
		if s.Key == "workers" && (s.Value != "4" || s.Note != "auto") {
			t.Errorf("workers: auto is shown as %+v", s)
		}
	}
}
