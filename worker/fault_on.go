//go:build faults

package worker

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// This file makes workers fail on purpose. Only a binary built with the tag
// "faults" has it, which the tests make and nobody installs.
//
// $FAULTS_FILE names a file with one fault a line:
//
//	generation=N|*  slot=N|*  at=start|prepare|ready|commit|serving|drain  do=exit|panic|hang|spin|fail|segv
//
// It is read anew at each step, so a test can put another in its place (by
// rename, so that no half of it is read) or take it away. No process outlives
// its fault, so each happens at most once in a process.

// step is a place in a worker's life where it may be made to fail.
type step string

const (
	atStart   step = "start"   // first thing in the process
	atPrepare step = "prepare" // told to prepare
	atReady   step = "ready"   // everything is built, Ready is not yet said
	atCommit  step = "commit"  // told to accept
	atServing step = "serving" // a beat of the loop after that
	atDrain   step = "drain"   // told to finish
)

// committed is set by the loop: a worker that waits for the others beats too,
// but does not serve.
var committed bool

// fault does what the file says of this step and does not return from it.
func fault(at step) {
	switch {
	case at == atCommit:
		committed = true
	case at == atServing && !committed:
		return
	}
	if err := faultErr(at); err != nil {
		panic(fmt.Sprintf("fault: do=fail is for at=prepare, not at=%s", at))
	}
}

// faultErr is fault for a step that can return an error.
func faultErr(at step) error {
	for line := range strings.Lines(faultLines()) {
		if do := faultOf(line, at); do != "" {
			return doFault(do)
		}
	}
	return nil
}

// faultLines returns the file, "" when there is none: then nothing is wanted.
func faultLines() string {
	path := os.Getenv("FAULTS_FILE")
	if path == "" {
		return ""
	}
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		panic(fmt.Sprintf("fault: %v", err))
	}
	return string(raw)
}

// faultOf returns what a line wants of this process at this step, "" for
// nothing.
func faultOf(line string, at step) (do string) {
	fits := 0
	for _, word := range strings.Fields(line) {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "generation", "slot":
			// The command line tells from the first moment who this is.
			if value == "*" || strings.Contains(strings.Join(os.Args, " ")+" ", " "+word+" ") {
				fits++
			}
		case "at":
			if value == string(at) {
				fits++
			}
		case "do":
			do = value
		default:
			panic(fmt.Sprintf("fault: %q is not generation=, slot=, at= or do=", word))
		}
	}
	if fits < 3 {
		return ""
	}
	return do
}

func doFault(do string) error {
	switch do {
	case "exit":
		fmt.Fprintln(os.Stderr, "fault: exit")
		os.Exit(7)
	case "panic":
		panic("fault: panic")
	case "hang":
		hang()
	case "spin":
		spin()
	case "segv":
		segv()
	case "fail":
		return errors.New("fault: fail")
	}
	panic(fmt.Sprintf("fault: cannot do %q", do))
}

// hang blocks in a system call for ever: nobody writes to this pipe.
func hang() {
	var p [2]int
	if err := syscall.Pipe(p[:]); err != nil {
		panic(err)
	}
	for {
		syscall.Read(p[0], make([]byte, 1))
	}
}

// spin never leaves, and makes no call that could be seen from outside.
func spin() {
	for n := 0; ; n++ {
	}
}

// segv touches memory that may not be touched.
func segv() {
	page, err := syscall.Mmap(-1, 0, os.Getpagesize(), syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	page[0] = 1
}
