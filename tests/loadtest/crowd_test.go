package loadtest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"srvctl/tests/loadtest"
)

func number(i int) string { return fmt.Sprintf("connection %d\n", i) }
func path(i int) string   { return fmt.Sprintf("/c/%d", i) }

// The tool itself, against Go's server.
func TestCrowd(t *testing.T) {
	var mu sync.Mutex
	hosts := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		host, _, _ := strings.Cut(r.RemoteAddr, ":")
		hosts[host] = true
		mu.Unlock()
		switch id := strings.TrimPrefix(r.URL.Path, "/c/"); {
		case r.URL.Path == "/close":
			w.Header().Set("Connection", "close")
		case r.URL.Path == "/lost":
			http.NotFound(w, r)
		default:
			fmt.Fprintf(w, "connection %s\n", id)
		}
	}))
	defer server.Close()
	ctx := context.Background()
	crowd, err := loadtest.Open(ctx, server.Listener.Addr().String(), 1300)
	if err != nil {
		t.Fatal(err)
	}
	defer crowd.Close()
	for range 2 {
		if err := crowd.Ask(ctx, path, number); err != nil {
			t.Error(err)
		}
	}
	if len(hosts) != 2 || !hosts["127.0.0.2"] || !hosts["127.0.0.3"] {
		t.Errorf("the requests came from %v, want 127.0.0.2 and 127.0.0.3", hosts)
	}
	always := func(s string) func(int) string { return func(int) string { return s } }
	for _, tc := range []struct{ path, body, want string }{
		{"/c/1", "connection 2\n", `1300 of 1300 connections failed: connection`},
		{"/lost", "", "status 404"},
		{"/close", "", "closes the connection"}, // the last: they are closed now
	} {
		if err := crowd.Ask(ctx, always(tc.path), always(tc.body)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("Ask(%s) = %v, want %q", tc.path, err, tc.want)
		}
	}
}

func TestOpenFails(t *testing.T) {
	server := httptest.NewServer(nil)
	addr := server.Listener.Addr().String()
	server.Close()
	if _, err := loadtest.Open(context.Background(), addr, 500); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("Open without a server = %v, want connection refused", err)
	}
}
