package conf_test

import (
	"path/filepath"
	"strings"
	"testing"

	"srvctl/conf"
)

// TestGiven: another process, in another folder and with another environment,
// reads what the running one would read.
func TestGiven(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "srvctl.yaml")
	writeFile(t, file, "log: {output: \"${LOG:-stdout}\", level: \"${LEVEL:-warn}\"}\n")
	running, problems := conf.LoadOn(testHost, conf.Options{File: "srvctl.yaml", Dir: dir,
		Environ: []string{"SRVCTL_WORKERS=3", "LOG=own.log", "SECRET=x", "SRVCTL_SERVICE_HOST=1"},
		Set:     []string{"access_log.output=access.log"}})
	if problems.Failed() {
		t.Fatal(problems)
	}
	if given := strings.Join(decoded(t, running).Given.Environ, " "); given != "LEVEL LOG=own.log SRVCTL_WORKERS=3" {
		t.Errorf("the environment that had a say is %q", given)
	}
	elsewhere := []string{"SRVCTL_WORKERS=9", "SRVCTL_LOG_FORMAT=text", "SRVCTL_CONFIG=none.yaml", "LOG=other.log", "LEVEL=debug", "MORE=text"}
	again := func(file string, set ...string) string {
		c, problems := conf.LoadOn(testHost, decoded(t, running).Given.Options(file, elsewhere, set))
		if problems.Failed() {
			t.Fatal(problems)
		}
		var lines []string
		for _, change := range conf.Diff(running, c) {
			lines = append(lines, change.String())
		}
		return strings.Join(lines, "\n")
	}
	if changes := again(file); changes != "" {
		t.Errorf("the same again has changes:\n%s", changes)
	}
	if changes := again(file, "workers=4"); changes != "workers: 3 -> 4" {
		t.Errorf("one value more has changes:\n%s", changes)
	}
	writeFile(t, file, "log: {output: \"${LOG}\", level: warn, format: \"${MORE}\"}\n")
	if changes := again(file); changes != "log.format: json -> text" {
		t.Errorf("a variable that nobody looked for before has changes:\n%s", changes)
	}
}
