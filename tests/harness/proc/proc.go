package proc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Stat is one process as /proc/PID/stat and cmdline show it.
type Stat struct {
	PID, Parent, Session int
	Command              string // arguments joined by spaces; the kernel's short name for a process without any
	Zombie               bool   // it has ended and waits to be reaped
	Started              uint64 // clock ticks after boot: with the PID it names one process for ever
}

func (s Stat) String() string { return fmt.Sprintf("%d %s", s.PID, s.Command) }

// Read returns one process; false when it is not there.
func Read(pid int) (Stat, bool) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	raw, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return Stat{}, false
	}
	// The name in brackets may hold anything, brackets too: the last one ends it.
	open, end := bytes.IndexByte(raw, '('), bytes.LastIndexByte(raw, ')')
	if open < 0 || end < open {
		return Stat{}, false
	}
	fields := strings.Fields(string(raw[end+1:])) // state ppid pgrp session ... starttime is the 20th from here
	if len(fields) < 20 {
		return Stat{}, false
	}
	s := Stat{PID: pid, Command: string(raw[open+1 : end]), Zombie: fields[0] == "Z" || fields[0] == "X"}
	s.Parent, _ = strconv.Atoi(fields[1])
	s.Session, _ = strconv.Atoi(fields[3])
	s.Started, _ = strconv.ParseUint(fields[19], 10, 64)
	if args, err := os.ReadFile(filepath.Join(dir, "cmdline")); err == nil && len(args) > 0 {
		s.Command = strings.TrimSpace(string(bytes.ReplaceAll(args, []byte{0}, []byte{' '})))
	}
	return s, true
}

// All returns every process that can be seen from here.
func All() []Stat {
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	var all []Stat
	for _, name := range names {
		pid, err := strconv.Atoi(filepath.Base(name))
		if err != nil {
			continue
		}
		if s, ok := Read(pid); ok {
			all = append(all, s)
		}
	}
	return all
}

// Tree returns the process and everything below it that has not ended, the
// process itself first.
func Tree(pid int) []Stat {
	all := All()
	var tree []Stat
	if s, ok := Read(pid); ok && !s.Zombie {
		tree = append(tree, s)
	}
	for wave := []int{pid}; len(wave) > 0; {
		var next []int
		for _, s := range all {
			if slices.Contains(wave, s.Parent) && !s.Zombie {
				tree = append(tree, s)
				next = append(next, s.PID)
			}
		}
		wave = next
	}
	return tree
}

// Children returns the direct children of pid that have not ended.
func Children(pid int) []Stat {
	return slices.DeleteFunc(Tree(pid), func(s Stat) bool { return s.Parent != pid })
}

// Marked returns the processes, zombies left out, that were started with the
// entry (NAME=value) in their environment or belong to the session. A session
// of 0 matches none, an empty entry neither.
func Marked(entry string, session int) []Stat {
	return slices.DeleteFunc(All(), func(s Stat) bool {
		if s.Zombie {
			return true
		}
		if session != 0 && s.Session == session {
			return false
		}
		return entry == "" || !hasEnv(s.PID, entry)
	})
}

func hasEnv(pid int, entry string) bool {
	env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	return err == nil && slices.Contains(strings.Split(string(env), "\x00"), entry)
}

// CPU returns the time the threads of the processes have run so far, from
// /proc/PID/task/*/schedstat, which counts nanoseconds where /proc/PID/stat
// counts hundredths of a second. A thread that has ended is no longer counted.
func CPU(pids ...int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil || len(files) == 0 {
			return 0, fmt.Errorf("process %d: no schedstat: has it ended?", pid)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				continue // the thread ended between the listing and here
			}
			run, _, _ := strings.Cut(string(raw), " ")
			ns, err := strconv.ParseInt(strings.TrimSpace(run), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %q: want run time first", file, raw)
			}
			sum += time.Duration(ns)
		}
	}
	return sum, nil
}

// Memory is what a process holds, in bytes.
type Memory struct {
	Anon, Shmem, File int64 // RssAnon, RssShmem, RssFile of /proc/PID/status
	PSS               int64 // proportional set size of /proc/PID/smaps_rollup; 0 where it cannot be read
}

// Resident is the memory that is the process's own doing: not its program text.
func (m Memory) Resident() int64 { return m.Anon + m.Shmem }

// ReadMemory returns the memory of a process.
func ReadMemory(pid int) (Memory, error) {
	var m Memory
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return m, err
	}
	m.Anon = kilobytes(status, "RssAnon:")
	m.Shmem = kilobytes(status, "RssShmem:")
	m.File = kilobytes(status, "RssFile:")
	if rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid)); err == nil {
		m.PSS = kilobytes(rollup, "Pss:")
	}
	return m, nil
}

// kilobytes finds a line "Name:  123 kB" and returns it in bytes.
func kilobytes(text []byte, name string) int64 {
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == name {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			return n << 10
		}
	}
	return 0
}
