package harness

import (
	"os"
	"path/filepath"
)

// faultsFile is in the server's folder.
const faultsFile = "faults"

// Fault says how workers fail from now on, a line for each fault:
//
//	generation=N|*  slot=N|*  at=start|prepare|ready|commit|serving|drain  do=exit|panic|hang|spin|fail|segv
//
// Each happens once in every process that it matches, until the text is
// replaced; "" is no fault any more. The server must have Options.Faults.
//
// start is the first thing in a worker, prepare and commit are orders, ready is
// just before it says so, serving is a heartbeat of its loop after commit, and
// drain is the order to finish. hang blocks in a system call for ever, spin
// runs for ever, segv is a real one; fail is a refusal, and for prepare only.
func (s *Server) Fault(text string) {
	s.t.Helper()
	if !s.options.Faults {
		s.t.Fatal("Fault needs Options.Faults")
	}
	s.WriteFile(faultsFile+".new", text)
	path := filepath.Join(s.Dir, faultsFile)
	if err := os.Rename(path+".new", path); err != nil {
		s.t.Fatal(err)
	}
}
