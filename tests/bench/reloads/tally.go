package main

import (
	"slices"
	"sync"
	"time"
)

// tally is what clients noticed.
type tally struct {
	requests  int64 // sent, each counted once
	answered  int64
	noAnswer  int64 // their connection ended, or patience did, before the answer
	other     int64 // another answer than the one due
	again     int64 // sent again
	cutIdle   int64 // connections that ended unannounced without a request in flight
	cutBusy   int64 // and with one
	resets    int64 // of these two
	announced int64 // connections that ended after saying so
	reopened  int64 // connections in place of one that ended
	refused   int64 // attempts to connect
	longest   time.Duration
}

func (t *tally) add(u tally) {
	t.requests += u.requests
	t.answered += u.answered
	t.noAnswer += u.noAnswer
	t.other += u.other
	t.again += u.again
	t.cutIdle += u.cutIdle
	t.cutBusy += u.cutBusy
	t.resets += u.resets
	t.announced += u.announced
	t.reopened += u.reopened
	t.refused += u.refused
	t.longest = max(t.longest, u.longest)
}

func (t *tally) took(d time.Duration) { t.longest = max(t.longest, d) }

// change is one reload as it was asked for and seen. Times that are zero have
// not come.
type change struct {
	asked    time.Time
	command  time.Duration // until the command returned
	firstNew time.Time
	lastOld  time.Time // before the next change was asked for
}

// history is all changes of a leg, by version; version 0 is what it starts with.
type history struct {
	mu      sync.Mutex
	changes []change
}

func newHistory() *history { return &history{changes: make([]change, 1)} }

// ask begins the next version.
func (h *history) ask(now time.Time) (version int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes = append(h.changes, change{asked: now})
	return len(h.changes) - 1
}

// returned notes that the command of the last version has come back.
func (h *history) returned(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := &h.changes[len(h.changes)-1]
	last.command = now.Sub(last.asked)
}

// saw notes an answer; false if there was no such version.
func (h *history) saw(version int, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := len(h.changes) - 1
	if version < 0 || version > last {
		return false
	}
	if c := &h.changes[version]; c.firstNew.IsZero() {
		c.firstNew = now
	}
	if version < last {
		h.changes[last].lastOld = now
	}
	return true
}

// spans is the median and the longest of some times, and how many there are.
type spans struct {
	median, longest time.Duration
	n               int
}

func newSpans(d []time.Duration) spans {
	if len(d) == 0 {
		return spans{}
	}
	slices.Sort(d)
	return spans{(d[(len(d)-1)/2] + d[len(d)/2]) / 2, d[len(d)-1], len(d)}
}

// summary returns what the changes took: the commands, until the first new
// answer, until the last old one.
func (h *history) summary() (command, firstNew, lastOld spans) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var commands, news, olds []time.Duration
	for _, c := range h.changes[1:] {
		commands = append(commands, c.command)
		if !c.firstNew.IsZero() {
			news = append(news, c.firstNew.Sub(c.asked))
		}
		if !c.lastOld.IsZero() {
			olds = append(olds, c.lastOld.Sub(c.asked))
		}
	}
	return newSpans(commands), newSpans(news), newSpans(olds)
}
