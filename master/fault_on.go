//go:build faults

package master

// Workers that fail on purpose, for tests, are told how by a file: see
// worker/fault_on.go.
func init() { workerVariables = append(workerVariables, "FAULTS_FILE") }
