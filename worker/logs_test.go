package worker_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/proto/control"
)

// What does not go into a full pipe is counted, also at the end.
func TestLostLinesAreCounted(t *testing.T) {
	http, alt := newPort(t, false, 1).listens(), newPort(t, true, 1).listens()
	h := hire(t, tested, 0, http, alt).serve(0)
	pipe := filepath.Join(h.dir, "pipe")
	must(t, unix.Mkfifo(pipe, 0o600))
	reader, err := os.OpenFile(pipe, os.O_RDWR, 0) // and never reads
	must(t, err)
	defer reader.Close()
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	must(t, err)
	defer writer.Close()
	h.send(control.Logs{Names: []string{"access"}}, int(writer.Fd()))
	const batch = 1000
	b := http.browser()
	asked := 0
	until(t, "lines are lost", func() bool {
		b.send(strings.Repeat("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", batch))
		for range batch {
			_, err := b.answer("hello\n")
			must(t, err)
		}
		asked += batch
		return h.cell.View().AccessDropped > 0
	})
	b.Close()
	until(t, "the client has gone", func() bool { return h.cell.View().Connections() == 0 })
	h.send(control.Drain{Why: control.WhyStop})
	h.ends(control.Drained{})
	if v := h.cell.View(); v.AccessDropped < uint64(asked)/2 || v.AccessDropped > uint64(asked) {
		t.Errorf("%d lines are counted as lost; of %d the pipe took 64 KiB", v.AccessDropped, asked)
	}
}
