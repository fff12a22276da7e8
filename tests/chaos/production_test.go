package chaos

import (
	"bytes"
	"os"
	"testing"

	"srvctl/tests/harness"
)

// The binary that users have cannot be made to fail: it has none of the code.
func TestProductionHasNoFaults(t *testing.T) {
	t.Parallel()
	for binary, want := range map[string]bool{harness.Binary(t): false, harness.FaultyBinary(t): true} {
		raw, err := os.ReadFile(binary)
		must(t, err)
		if got := bytes.Contains(raw, []byte("FAULTS_FILE")); got != want {
			t.Errorf("%s contains FAULTS_FILE: %v, want %v", binary, got, want)
		}
	}
}
