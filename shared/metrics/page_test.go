package metrics_test

import (
	"flag"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"srvctl/shared/metrics"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// testRegistry returns a registry with a bit of everything.
func testRegistry() *metrics.Registry {
	r := metrics.NewRegistry("1.2.3")
	l := testLayout()
	for id := range 2 {
		c := newCell(l)
		c.Accepted(0)
		c.Refused(metrics.RefusedLimit)
		c.ParseError(2)
		c.Request(0, 200, 40e3)
		c.Request(0, 404, 3e6)
		c.Request(-1, 400, 120e9)
		c.Received(1000)
		c.Sent(5000)
		c.Gauges(10, 2, 1, 2)
		c.Beat(1e12, int64(id)*25e5)
		r.Attach(id, id, 7, 0, l, c)
	}
	r.Restarted(metrics.RestartCrash)
	r.Reloaded(metrics.ReloadSucceeded)
	r.SetGeneration(7)
	r.SetWorkers(map[string]int{"serving": 2, "draining": 1})
	r.SetWorkers(map[string]int{"serving": 2})
	return r
}

func scrape(t *testing.T, r *metrics.Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("GET /metrics: %d, %v\n%s", w.Code, err, body)
	}
	return string(body)
}

func TestPageGolden(t *testing.T) {
	var own strings.Builder
	for line := range strings.Lines(scrape(t, testRegistry())) {
		if strings.Contains(line, "srvctl_") {
			own.WriteString(strings.ReplaceAll(line, runtime.Version(), "GOVERSION"))
		}
	}
	file := filepath.Join("testdata", "page.golden")
	if *update {
		if err := os.WriteFile(file, []byte(own.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), own.String()); diff != "" {
		t.Errorf("page differs (-want +got); go test -update rewrites it:\n%s", diff)
	}
}

func TestPageLint(t *testing.T) {
	r := testRegistry()
	r.Attach(9, 0, 7, os.Getpid(), testLayout(), newCell(testLayout()))
	problems, err := promlint.New(strings.NewReader(scrape(t, r))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestHandlerHasTheMastersOwn(t *testing.T) {
	page := scrape(t, metrics.NewRegistry("x"))
	for _, name := range []string{"go_goroutines ", "process_resident_memory_bytes ", "srvctl_build_info{"} {
		if !strings.Contains(page, "\n"+name) {
			t.Errorf("page lacks %s", name)
		}
	}
}
