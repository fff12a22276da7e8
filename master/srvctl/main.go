package main

import (
	"os"

	"srvctl/worker"
)

// workerVerb is what the master starts its workers with. It is no command for
// people and is looked at first, because it must start quickly.
const workerVerb = "__worker"

func main() {
	if len(os.Args) == 2 && os.Args[1] == workerVerb {
		os.Exit(worker.Main())
	}
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}
