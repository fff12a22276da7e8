package worker_test

import (
	"testing"
	"time"

	"srvctl/proto/control"
)

// A process that stood still does not blame its clients: what they sent
// meanwhile is answered, though all deadlines have passed.
func TestStoppedWorker(t *testing.T) {
	if testing.Short() {
		t.Skip("stops a worker for longer than its deadlines; `make test` runs it without -short")
	}
	http, alt := newPort(t, false, 1).listens(), newPort(t, true, 1).listens()
	h := hire(t, with("workers: 2", `
workers: 2
heartbeat: {interval: 100ms, timeout: 10s}
limits: {header_timeout: 1s, keepalive_timeout: 1s, min_rate: {bytes_per_second: 1000000, grace: 1s}}`), 0, http, alt).serve(0)
	idle, half, fresh, upload := http.browser(), http.browser(), http.browser(), http.browser()
	_, err := idle.ask("/hello")
	must(t, err)
	half.send("GET /hello HTTP/1.1\r\n")
	upload.begins()
	until(t, "all are known", func() bool { v := h.cell.View(); return v.Idle == 2 && v.InFlight == 2 })
	h.halt()
	idle.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
	fresh.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
	half.send("Host: h\r\n\r\n")
	queue := queued(http, 10)
	<-time.After(2500 * time.Millisecond) // time that passes is what this is about
	h.goOn()
	for name, b := range map[string]*browser{"that was idle": idle, "with half a head": half, "that never asked": fresh} {
		if _, err := b.answer("hello\n"); err != nil {
			t.Errorf("the client %s: %v", name, err)
		}
		b.Close()
	}
	for _, b := range queue {
		_, err := b.answer("hello\n")
		must(t, err)
		b.Close()
	}
	upload.finishes()
	upload.Close()
	until(t, "all have gone", func() bool { return h.cell.View().Connections() == 0 })
	h.send(control.Drain{Why: control.WhyStop})
	h.ends(control.Drained{})
}
