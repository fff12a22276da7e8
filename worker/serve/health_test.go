package serve_test

import (
	"testing"

	"srvctl/worker/serve"
	"srvctl/worker/serve/servetest"
)

func TestHealth(t *testing.T) {
	ready := false
	live := serve.NewHealth("live", func() bool { return ready })
	h := serve.NewHealth("ready", func() bool { return ready })
	for _, tt := range []struct {
		name   string
		h      serve.Handler
		method string
		ready  bool
		status int
		body   string
		allow  string
	}{
		{"live whatever else", live, "GET", false, 200, "{\"status\":\"ok\"}\n", ""},
		{"not ready", h, "GET", false, 503, "{\"status\":\"not ready\"}\n", ""},
		{"ready", h, "GET", true, 200, "{\"status\":\"ok\"}\n", ""},
		{"ready without a body", h, "HEAD", true, 200, "", ""},
		{"another method", h, "OPTIONS", true, 204, "", "GET, HEAD, OPTIONS"},
		{"a method to ask", h, "POST", true, 405, "", "GET, HEAD, OPTIONS"},
	} {
		ready = tt.ready
		var c servetest.Carrier
		res := c.Do(tt.h, tt.method+" / HTTP/1.1\nHost: a\n")
		if res.Status != tt.status || (tt.status != 405 && res.Body != tt.body) || res.Field("Allow") != tt.allow {
			t.Errorf("%s: got %d %q Allow %q, want %d %q %q", tt.name, res.Status, res.Body, res.Field("Allow"), tt.status, tt.body, tt.allow)
		}
		if res.Status != 405 && res.Status != 204 && res.Field("Cache-Control") != "no-store" {
			t.Errorf("%s: fields %q", tt.name, res.Fields)
		}
	}
}
