package wire

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"srvctl/tests/harness"
)

var update = flag.Bool("update", false, "write what the server answers into testdata")

func TestMain(m *testing.M) { harness.Main(m) }

// site is a running server with one of the configurations of testdata.
type site struct {
	*harness.Server
	addr map[string]string // by network
}

// modified is the time of all files of a site, so that their entity tags are
// always the same.
var modified = time.Date(2026, time.January, 2, 3, 4, 5, 678901234, time.UTC)

var files = map[string]string{
	"www/index.html":          "<h1>index</h1>\n",
	"www/hello.txt":           "hello, file\n",
	"www/empty.txt":           "",
	"www/a b.txt":             "a name with a space\n",
	"www/\xc3\xa9.txt":        "a name that is not ASCII\n",
	"www/alphabet.txt":        "abcdefghijklmnopqrstuvwxyz",
	"www/large.bin":           strings.Repeat("\x00", 100_000) + strings.Repeat("\xff", 100_000), // sent from the file
	"www/medium.txt":          strings.Repeat("m", 20_000),                                       // sent from memory, not copied
	"www/folder/index.html":   "<h1>folder</h1>\n",
	"www/no-index/file.txt":   "no index here\n",
	"www/unknown.extension":   "what is this\n",
	"secret.txt":              "beside the root\n",
	"www/folder/inner/up.txt": "inner\n",
}

// start starts the server of a configuration.
func start(t *testing.T, name string) *site {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s := harness.Prepare(t, harness.Options{Config: string(text), Files: files})
	for file := range files {
		if err := os.Chtimes(filepath.Join(s.Dir, file), modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	s.Launch()
	s.AwaitReady()
	return &site{s, map[string]string{"tcp": s.Addr("http"), "unix": filepath.Join(s.Dir, "web.sock")}}
}

// scripts reads the files of testdata.
func scripts(t *testing.T) map[string]*script {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts in testdata: %v", err)
	}
	all := map[string]*script{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := parseScript(string(text))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all[path] = s
	}
	return all
}

// The files look as -update writes them, however they were edited.
func TestNotation(t *testing.T) {
	for path, s := range scripts(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.String(); got != string(text) {
			t.Errorf("%s would be written as\n%s", path, got)
		}
	}
}

func TestWire(t *testing.T) {
	t.Parallel()
	all := scripts(t)
	sites := map[string]*site{}
	for _, s := range all {
		if sites[s.server] == nil {
			sites[s.server] = start(t, s.server)
		}
	}
	t.Run("files", func(t *testing.T) {
		for path, s := range all {
			t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
				t.Parallel()
				if *update {
					rewrite(t, path, s, sites[s.server])
				}
				perform(t, s, sites[s.server])
			})
		}
	})
	for name, s := range sites {
		awaitEmpty(t, name, s)
	}
}

// perform plays every connection of a script in every way.
func perform(t *testing.T, s *script, on *site) {
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	for i := range s.parts {
		p := &s.parts[i]
		for _, how := range deliveries(p) {
			if err := on.play(p, how); err != nil {
				t.Fatalf("%s\nconnection %d (%s) %s: %v", s.title, i+1, p.why, how.name, err)
			}
		}
	}
}

// rewrite writes what the server answers into the script and its file.
func rewrite(t *testing.T, path string, s *script, on *site) {
	for i := range s.parts {
		steps, err := on.record(&s.parts[i])
		if err != nil {
			t.Fatal(err)
		}
		s.parts[i].steps = steps
	}
	if err := os.WriteFile(path, []byte(s.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// deliveries are the ways in which a connection is played.
func deliveries(p *part) []delivery {
	ways := []delivery{
		{"in one piece over TCP", "tcp", whole},
		{"in one piece over a unix socket", "unix", whole},
	}
	if p.onePiece != "" {
		return ways
	}
	ways = append(ways, delivery{"byte by byte", "unix", bytewise})
	for i := range cuts {
		ways = append(ways, delivery{"in two pieces, " + cuts[i].name, "unix", func(data []byte) []int {
			return []int{cuts[i].at(data)}
		}})
	}
	if harness.Soak() {
		for at := range p.longest() {
			ways = append(ways, delivery{"in two pieces", "unix", func(data []byte) []int { return []int{min(at, len(data))} }})
		}
	}
	return ways
}

// longest is how many places there are to cut.
func (p *part) longest() int {
	n := 0
	for _, st := range p.steps {
		if st.do == send {
			n = max(n, len(st.data))
		}
	}
	return min(n, 4096)
}

// edge is how much at the start and at the end of something long is sent byte
// by byte; what is between comes in pieces of some odd size.
const (
	edge = 400
	lump = 1021
)

func bytewise(data []byte) (at []int) {
	for i := 1; i < len(data); i++ {
		if i <= edge || i >= len(data)-edge || i%lump == 0 {
			at = append(at, i)
		}
	}
	return at
}

// cuts are the places at which something is cut in two. One that is not there
// leaves it whole.
var cuts = []struct {
	name string
	at   func(data []byte) int
}{
	{"after the first byte", func(data []byte) int { return 1 }},
	{"before the last byte", func(data []byte) int { return len(data) - 1 }},
	{"at a quarter", func(data []byte) int { return len(data) / 4 }},
	{"in the middle", func(data []byte) int { return len(data) / 2 }},
	{"at three quarters", func(data []byte) int { return len(data) * 3 / 4 }},
	{"within the first line's end", func(data []byte) int { return bytes.Index(data, []byte("\r\n")) + 1 }},
	{"after the first line", func(data []byte) int { return bytes.Index(data, []byte("\r\n")) + 2 }},
	{"before the end of the first head", func(data []byte) int { return bytes.Index(data, []byte("\r\n\r\n")) + 2 }},
	{"within the end of the first head", func(data []byte) int { return bytes.Index(data, []byte("\r\n\r\n")) + 3 }},
	{"after the first head", func(data []byte) int { return bytes.Index(data, []byte("\r\n\r\n")) + 4 }},
	{"within the end of the last line", func(data []byte) int { return bytes.LastIndex(data, []byte("\r\n")) + 1 }},
	{"before the last line", func(data []byte) int { return bytes.LastIndex(data[:max(0, len(data)-2)], []byte("\r\n")) + 2 }},
}

// awaitEmpty wants that no connection is left on a server whose clients have
// all gone.
func awaitEmpty(t *testing.T, name string, s *site) {
	t.Helper()
	var page string
	if !harness.Poll(patience, func() bool {
		_, page = harness.Get(t, s.URL("admin", "/metrics"))
		return !slices.ContainsFunc(strings.Split(page, "\n"), func(line string) bool {
			return strings.HasPrefix(line, "srvctl_connections{") && !strings.HasSuffix(line, " 0")
		})
	}) {
		t.Errorf("server %s has connections left:\n%s", name, page)
	}
}

// A refused request shows in the metrics with its reason.
func TestRefusalsAreCounted(t *testing.T) {
	t.Parallel()
	sites := map[string]*site{}
	for path, s := range scripts(t) {
		for i := range s.parts {
			p := &s.parts[i]
			if p.counted == "" {
				continue
			}
			if sites[s.server] == nil {
				sites[s.server] = start(t, s.server)
			}
			on := sites[s.server]
			before := on.parseErrors(t)
			if err := on.play(p, delivery{network: "tcp", cut: whole}); err != nil {
				t.Errorf("%s: connection %d: %v", path, i+1, err)
				continue
			}
			// The counters are made public when the turn ends that sent the answer.
			var counted []string
			harness.Poll(patience, func() bool {
				counted = nil
				for reason, n := range on.parseErrors(t) {
					if n != before[reason] {
						counted = append(counted, fmt.Sprintf("%s: %d", reason, n-before[reason]))
					}
				}
				return counted != nil
			})
			if want := p.counted + ": 1"; len(counted) != 1 || counted[0] != want {
				t.Errorf("%s: connection %d (%s): srvctl_parse_errors_total has grown by %v, want %s", path, i+1, p.why, counted, want)
			}
		}
	}
}

var parseErrors = regexp.MustCompile(`(?m)^srvctl_parse_errors_total\{reason="(.*?)"\} ([0-9]+)$`)

// parseErrors reads the counters from the metrics page, by reason.
func (s *site) parseErrors(t *testing.T) map[string]int {
	t.Helper()
	_, page := harness.Get(t, s.URL("admin", "/metrics"))
	counts := map[string]int{}
	for _, m := range parseErrors.FindAllStringSubmatch(page, -1) {
		counts[m[1]], _ = strconv.Atoi(m[2])
	}
	if len(counts) == 0 {
		t.Fatalf("no srvctl_parse_errors_total in\n%s", page)
	}
	return counts
}
