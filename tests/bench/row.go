package main

import (
	"os"
	"path/filepath"
	"strings"
)

// row is one kind of work, done by all contenders in turn.
type row struct {
	name        string
	path        string // of the request
	contentType string // media type of the answer
	size        int    // bytes of the answer's body; for a file also of the file
	file        bool
	connections int
	pipeline    int  // requests sent at once; 0 = one
	closes      bool // a new connection per request
	optional    bool // only when asked for by name
	goal        goal
}

// goal is what is wanted of ours against another contender.
type goal struct {
	rate        bool    // of requests per second (at least), instead of CPU time per request (at most)
	nginx       float64 // ratio against nginx
	h2o, floor  float64 // 0 = none
	wantedNginx float64 // better than the goal, and what we are after; 0 = the goal itself
}

const text = "Hello, World!\n"

var rows = []row{
	{name: "fixed", path: "/hello", contentType: "text/plain", size: len(text), connections: 64,
		goal: goal{nginx: 1.00, wantedNginx: 0.95, floor: 1.10}},
	{name: "file14", path: "/file14.txt", contentType: "text/plain", size: len(text), file: true, connections: 64,
		goal: goal{nginx: 0.70, h2o: 0.95}},
	{name: "file10k", path: "/file10k.html", contentType: "text/html", size: 10_000, file: true, connections: 64,
		goal: goal{nginx: 0.70, h2o: 0.95}},
	{name: "file1m", path: "/file1m.bin", contentType: "application/octet-stream", size: 1 << 20, file: true, connections: 16,
		goal: goal{nginx: 1.00}},
	{name: "pipeline", path: "/hello", contentType: "text/plain", size: len(text), connections: 64, pipeline: 16,
		goal: goal{nginx: 5, rate: true}},
	{name: "connect", path: "/hello", contentType: "text/plain", size: len(text), connections: 64, closes: true,
		goal: goal{nginx: 1.00}},
	{name: "file100m", path: "/file100m.bin", contentType: "application/octet-stream", size: 100 << 20, file: true, connections: 4,
		optional: true, goal: goal{nginx: 1.00}},
}

func rowNames(optional bool) []string {
	var names []string
	for _, r := range rows {
		if optional || !r.optional {
			names = append(names, r.name)
		}
	}
	return names
}

func findRow(name string) (row, bool) {
	for _, r := range rows {
		if r.name == name {
			return r, true
		}
	}
	return row{}, false
}

// body returns what the answer must be: the text repeated, with a mark at the
// end so that a body cut short or padded is seen.
func (r row) body() []byte {
	if r.size == len(text) {
		return []byte(text)
	}
	const end = "the end\n"
	b := []byte(strings.Repeat(text, r.size/len(text)+1))[:r.size-len(end)]
	return append(b, end...)
}

// makeFiles puts the files of the rows into dir.
func makeFiles(dir string, rows []row) error {
	for _, r := range rows {
		if !r.file {
			continue
		}
		path := filepath.Join(dir, r.path)
		if info, err := os.Stat(path); err == nil && info.Size() == int64(r.size) {
			continue
		}
		if err := os.WriteFile(path, r.body(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
