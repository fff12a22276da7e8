//go:build !faults

package worker

// step is a place in a worker's life where a test may have it fail: see
// fault_on.go, which is in no binary but the tests' own.
type step uint8

const (
	atStart step = iota
	atPrepare
	atReady
	atCommit
	atServing
	atDrain
)

func fault(step)          {}
func faultErr(step) error { return nil }
