package sock

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lockPause is the first pause after the holder's death; it doubles.
	lockPause     = time.Millisecond
	lockPauseMost = 50 * time.Millisecond
	// secondLook is when a holder that looked alive is looked at once more:
	// a signal that has been taken, but not yet acted on, is to be seen nowhere.
	secondLook = 5 * time.Millisecond
)

// lockAfterDeath takes a lock whose holder is dying.
//
// A blocking flock would wait for a living holder too, and nothing could end
// it at the limit. A pidfd is told the end of the process, when it has closed
// its files. The pauses are for what no signal exists for: a child that the
// holder was starting when it was killed has copies of its files until its
// exec.
func lockAfterDeath(f *os.File, limit time.Duration) error {
	end := time.Now().Add(limit)
	pause := lockPause
	for looks := 0; ; {
		err := lock(f)
		if !errors.Is(err, ErrLocked) {
			return err
		}
		left := time.Until(end)
		switch pid := lockHolder(f); {
		case pid == 0:
			return err // somebody is starting
		case left <= 0:
			return fmt.Errorf("%w: that process is dead, but after %v something still has the file open: look with fuser", err, limit)
		case !dying(pid):
			if looks++; looks > 1 {
				return err
			}
			<-time.After(min(secondLook, left))
		case !awaitEnd(pid, left):
			<-time.After(min(pause, left))
			pause = min(2*pause, lockPauseMost)
		}
	}
}

// dying says whether a process has ended, or been killed and not ended yet.
func dying(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		// Gone, or of another user whose processes are hidden from us.
		fd, err := unix.PidfdOpen(pid, 0)
		if err == nil {
			unix.Close(fd)
		}
		return errors.Is(err, unix.ESRCH)
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return exiting(string(stat)) || killed(string(status))
}

// exiting reads /proc/PID/stat: the process is a zombie or on the way there.
//
//	pid (command) state ppid pgrp session tty_nr tpgid flags ...
func exiting(stat string) bool {
	f := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(f) < 7 {
		return false
	}
	const pfExiting = 0x4
	flags, _ := strconv.ParseUint(f[6], 10, 64)
	return f[0] == "Z" || f[0] == "X" || flags&pfExiting != 0
}

// killed reads /proc/PID/status: SIGKILL waits to be acted on.
func killed(status string) bool {
	for line := range strings.Lines(status) {
		name, mask, _ := strings.Cut(line, ":")
		if name != "SigPnd" && name != "ShdPnd" {
			continue
		}
		set, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
		if err == nil && set&(1<<(unix.SIGKILL-1)) != 0 {
			return true
		}
	}
	return false
}

// awaitEnd waits for the end of a process, and says whether it came. False
// too if that was before: what holds the lock now is somebody else's copy.
func awaitEnd(pid int, limit time.Duration) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	list := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(list, 0); n != 0 || err != nil {
		return false
	}
	n, _ := unix.Poll(list, int(limit.Milliseconds())+1)
	return n > 0
}
