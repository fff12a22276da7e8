package metrics

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// A process is a worker as /proc shows it. The start time tells it from a
// later process with the same pid.
type process struct {
	pid   int
	start uint64 // clock ticks since boot; 0 = no such process
}

// usage is what a process used when last looked at.
type usage struct {
	ok       bool
	cpu      float64 // seconds, user and system
	resident uint64  // bytes
	fds      int     // -1 when /proc does not tell
}

const clockTicks = 100 // USER_HZ, the same on all architectures Go runs on

func openProcess(pid int) process {
	s, err := readStat(pid)
	if err != nil {
		return process{}
	}
	return process{pid: pid, start: s.start}
}

// usage reads /proc. It is not ok when the process is gone.
func (p process) usage() usage {
	if p.start == 0 {
		return usage{}
	}
	s, err := readStat(p.pid)
	if err != nil || s.start != p.start {
		return usage{}
	}
	return usage{
		ok:       true,
		cpu:      float64(s.utime+s.stime) / clockTicks,
		resident: s.rss * uint64(os.Getpagesize()),
		fds:      countFDs(p.pid),
	}
}

type stat struct{ utime, stime, start, rss uint64 }

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	return parseStat(text)
}

// parseStat reads the fields of proc_pid_stat(5). They are counted from behind
// the command, which may itself hold spaces and parentheses.
func parseStat(text []byte) (stat, error) {
	_, rest, _ := bytes.Cut(text[bytes.LastIndexByte(text, ')')+1:], []byte(" "))
	f := bytes.Fields(rest)
	const first = 3 // the number of the field after the command
	var s stat
	for _, field := range []struct {
		number int
		to     *uint64
	}{{14, &s.utime}, {15, &s.stime}, {22, &s.start}, {24, &s.rss}} {
		i := field.number - first
		if i >= len(f) {
			return stat{}, fmt.Errorf("proc stat: %d fields, want %d", len(f)+first-1, field.number)
		}
		n, err := strconv.ParseUint(string(f[i]), 10, 64)
		if err != nil {
			return stat{}, fmt.Errorf("proc stat: field %d: %w", field.number, err)
		}
		*field.to = n
	}
	return s, nil
}

// countFDs asks for the size of the directory first: since Linux 6.2 that is
// the number of descriptors, needs no right to trace the process and costs the
// same for ten thousand of them.
func countFDs(pid int) int {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	if info, err := os.Stat(dir); err == nil && info.Size() > 0 {
		return int(info.Size())
	}
	d, err := os.Open(dir)
	if err != nil {
		return -1
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return -1
	}
	return len(names)
}
