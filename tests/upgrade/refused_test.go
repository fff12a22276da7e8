package upgrade

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"srvctl/tests/harness"
)

// Whatever lies at the path and cannot take over is refused, and changes
// nothing.
func TestRefused(t *testing.T) {
	t.Parallel()
	s := start(t, version(t, "1.2"), harness.Options{})
	own, err := os.ReadFile(pathOf(s))
	must(t, err)
	for _, tc := range []struct {
		name string
		put  func(t *testing.T)
		want string
	}{
		{"nothing", func(t *testing.T) { must(t, os.Remove(pathOf(s))) }, "no program at " + pathOf(s) + ", where this server was started from"},
		{"folder", func(t *testing.T) { must(t, os.Mkdir(pathOf(s), 0o755)) }, "is a folder, not a program"},
		{"not executable", func(t *testing.T) { write(t, s, string(own), 0o644) }, "may not be executed (mode 0644): chmod a+x"},
		{"text", func(t *testing.T) { write(t, s, "hello\n", 0o755) }, "is not a program of this system"},
		{"half", func(t *testing.T) { write(t, s, string(own[:len(own)/2]), 0o755) }, ""},
		{"another program", func(t *testing.T) { install(t, s, "/bin/true") }, "is another program, or a version that cannot upgrade"},
		{"another machine", func(t *testing.T) { install(t, s, hello64(t)) }, "is a program for another machine"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.put(t)
			refused(t, s, tc.want)
		})
	}
	upgraded(t, s, version(t, "1.3"), "1.3")
}

// hello64 is a program for a machine that this one is not.
func hello64(t *testing.T) string {
	t.Helper()
	source := filepath.Join(harness.Dir(t), "hello.go")
	must(t, os.WriteFile(source, []byte("package main\n\nfunc main() { println(\"hello\") }\n"), 0o644))
	arch := "arm64"
	if goarch() == arch {
		arch = "amd64"
	}
	return made(t, "hello-"+arch, []string{"CGO_ENABLED=0", "GOARCH=" + arch}, source)
}

// A new version that fails before it has taken over changes nothing either.
func TestFaultyVersionIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, version(t, "1.2"), harness.Options{Faults: true})
	install(t, s, faulty(t, "1.3"))
	for _, tc := range []struct{ fault, want string }{
		{"at=check do=exit", "ended with exit code 7 when it was asked whether it can take over: fault: exit"},
		{"at=check do=panic", "ended with exit code 2"},
		{"at=check do=hang", "did not answer within 5s"},
		{"at=check do=fail", "version 1.3 cannot take over: fault: fail"},
		{"at=adopt do=fail", "version 1.3 could not take over: fault: fail"},
		{"at=adopt do=panic", "version 1.3 could not take over: panic: fault: panic"},
	} {
		t.Run(tc.fault, func(t *testing.T) {
			s.Fault("generation=* slot=* " + tc.fault)
			before := counters(t, s)
			if strings.HasSuffix(tc.fault, "do=hang") { // longer than a client may take
				refused(t, s, tc.want)
				return
			}
			h := hold(t, s)
			refused(t, s, tc.want)
			wantGrowth(t, before, counters(t, s))
			h.finish()
		})
	}
	s.Fault("")
	upgraded(t, s, faulty(t, "1.3"), "1.3")
}

// Nothing can be done for a version that exits in the middle of taking over,
// but what its workers have in flight is answered, and the next start works.
func TestVersionThatExits(t *testing.T) {
	t.Parallel()
	s := start(t, version(t, "1.2"), harness.Options{Faults: true})
	install(t, s, faulty(t, "1.3"))
	s.Fault("generation=* slot=* at=adopt do=exit")
	h := hold(t, s)
	if r := s.Srvctl("upgrade"); r.Code == 0 {
		t.Errorf("upgrade exits with 0: %s", r.Stdout)
	}
	h.finish()
	if code := s.AwaitExit(); code != 7 {
		t.Errorf("exit code %d, want that of the fault", code)
	}
	s.Fault("")
	install(t, s, version(t, "1.2"))
	launch(t, s)
	hello(t, s)
}

// The new version reads the configuration by its own rules, and in time.
func TestConfigurationIsCheckedBefore(t *testing.T) {
	t.Parallel()
	s := start(t, version(t, "1.2"), harness.Options{})
	install(t, s, version(t, "1.3"))
	s.Configure(serving + "\nnonsense: 1\n")
	refused(t, s, "version 1.3 cannot take over: it refuses the configuration: ")
	s.Configure(serving)
	upgraded(t, s, version(t, "1.3"), "1.3")
}
