//go:build !faults

package master

// faultMaster is where a test may have an upgrade fail: see upgrade_fault_on.go,
// which is in no binary but the tests' own.
func faultMaster(string) error { return nil }
