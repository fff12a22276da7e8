package arch

import (
	"os/exec"
	"regexp"
	"testing"
)

// Whoever types "make" is told what there is to make.
func TestBareMakePrintsTheTargets(t *testing.T) {
	out, err := exec.Command("make", "-s", "-C", root(t), "MAKEFLAGS=").CombinedOutput()
	if err != nil {
		t.Fatalf("make: %v\n%s", err, out)
	}
	for _, target := range []string{"run", "build", "test", "race", "soak", "fuzz", "bench", "bench-smoke", "lint", "check", "clean"} {
		if !regexp.MustCompile(`(?m)^ +` + target + ` +\S`).Match(out) {
			t.Errorf("make prints no line for %s:\n%s", target, out)
		}
	}
}
