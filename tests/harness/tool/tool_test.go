package tool_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"srvctl/tests/harness/tool"
)

func TestFindOnPath(t *testing.T) {
	path, err := tool.Find(context.Background(), "sh")
	if err != nil || !strings.HasSuffix(path, "/sh") {
		t.Errorf("Find(sh) = %q, %v; want the shell on PATH", path, err)
	}
}

func TestFindUnknown(t *testing.T) {
	_, err := tool.Find(context.Background(), "no-such-program")
	if err == nil || !strings.Contains(err.Error(), "no Debian package is known") {
		t.Errorf("Find(no-such-program) = %v, want the reason", err)
	}
}

// The smallest package with libraries of its own.
func TestFindUnpacked(t *testing.T) {
	path, err := tool.Find(context.Background(), "wrk")
	if err != nil {
		t.Skipf("NOT RUN: %v", err)
	}
	// wrk -v prints its version and usage, and exits 1.
	out, _ := exec.Command(path, "-v").CombinedOutput()
	if !strings.HasPrefix(string(out), "wrk ") {
		t.Errorf("%s -v printed %q, want its version", path, out)
	}
}
