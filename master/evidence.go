package master

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// evidence is what can be known of a process from outside, for a log line
// about a worker that hangs.
type evidence struct {
	at          time.Time
	state       string        // of /proc/PID/stat: R, S, D, T, t, Z ..., "" when it is gone
	wchan       string        // where in the kernel it waits, "" when that is not told
	busy        time.Duration // processor time since its start
	inFlight    int64         // requests, from the shared memory
	connections int64
}

// processStates are the letters of proc(5) in words.
var processStates = map[string]string{
	"R": "running", "S": "sleeping", "D": "waiting for a device", "T": "stopped by a signal",
	"t": "stopped by a debugger", "Z": "ended", "X": "ended", "I": "idle",
}

// examine reads what the system knows of a process. It reads files and so runs
// beside the loop. A process is in the state of the thread that says most: the
// first one of a Go program does nothing most of the time.
func examine(pid int) evidence {
	dir := "/proc/" + strconv.Itoa(pid)
	e := evidence{at: time.Now()}
	raw, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return e
	}
	e.state, e.busy = parseStat(raw)
	threads, _ := filepath.Glob(dir + "/task/[0-9]*")
	for _, thread := range threads[:min(len(threads), maxThreads)] {
		raw, err := os.ReadFile(thread + "/stat")
		if err != nil {
			continue // it has ended
		}
		state, _ := parseStat(raw)
		if telling(state) < telling(e.state) {
			continue
		}
		if telling(state) > telling(e.state) {
			e.state, e.wchan = state, ""
		}
		e.waits(thread)
	}
	return e
}

// maxThreads bounds the threads that are looked at: a Go program has a few.
const maxThreads = 64

// tellings orders the states of threads by how much they say of a process.
const tellings = "SRDtT"

func telling(state string) int { return strings.Index(tellings, state) }

// waits notes where in the kernel a thread waits.
func (e *evidence) waits(thread string) {
	raw, err := os.ReadFile(thread + "/wchan")
	where := string(raw)
	if err != nil || where == "" || where == "0" || strings.Contains(e.wchan, where) {
		return
	}
	if e.wchan != "" {
		e.wchan += ", "
	}
	e.wchan += where
}

// parseStat reads the state and the processor time of a line of /proc/PID/stat.
// The name of the program, in brackets, may contain anything.
func parseStat(raw []byte) (state string, busy time.Duration) {
	const (
		afterName   = 3  // number of the first field after the name
		utime       = 14 // in ticks of 10 ms, whatever the kernel's own are
		stime       = 15
		tick        = 10 * time.Millisecond
		leastFields = stime - afterName + 1
	)
	i := bytes.LastIndexByte(raw, ')')
	if i < 0 {
		return "", 0
	}
	fields := strings.Fields(string(raw[i+1:]))
	if len(fields) < leastFields {
		return "", 0
	}
	user, _ := strconv.ParseInt(fields[utime-afterName], 10, 64)
	system, _ := strconv.ParseInt(fields[stime-afterName], 10, 64)
	return fields[0], time.Duration(user+system) * tick
}

func (e *evidence) stopped() bool { return e.state == "T" }
func (e *evidence) traced() bool  { return e.state == "t" }

// starved reports whether the process wanted to run and hardly could since an
// earlier look.
func (e *evidence) starved(earlier *evidence) bool {
	wall := e.at.Sub(earlier.at)
	return e.state == "R" && float64(e.busy-earlier.busy) < starvedShare*float64(wall)
}

func (e *evidence) String() string {
	text := fmt.Sprintf("%s in flight, %s, state %s", plural(int(e.inFlight), "request"), plural(int(e.connections), "connection"), or(e.state, "unknown"))
	if words := processStates[e.state]; words != "" {
		text += " (" + words + ")"
	}
	if e.wchan != "" {
		text += " in " + e.wchan
	}
	return text + fmt.Sprintf(", %v of processor time", e.busy)
}
