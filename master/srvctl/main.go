package main

import (
	"os"

	"srvctl/worker"
)

// workerVerb is what the master starts its workers with. It is no command for
// people and is looked at first, because it must start quickly.
const workerVerb = "__worker"

func main() {
	// The master runs its image by another name; people look for this one.
	os.WriteFile("/proc/self/comm", []byte("srvctl"), 0)
	if len(os.Args) > 1 && os.Args[1] == workerVerb {
		os.Exit(worker.Main())
	}
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}
