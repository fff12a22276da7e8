package model

import (
	"fmt"
	"strings"
)

// act is a kind of step.
type act uint8

const (
	// Those of harm: nothing may need them to end.
	killed act = iota
	cuts
	stops
	masterDies
	cannotAck

	continues
	connects
	asks
	isReady
	obeys
	notices
	exits
	accepts
	reads
	begins
	answers
	quiets
	sends
	hears
	timesOut
	givesUp
	takes
	refuses
	acks
	inherits
	ends
	masterHears
	masterReaps
	masterKills
	masterReloads
)

func (a act) harm() bool { return a <= cannotAck }

// action is a step, in numbers.
type action struct {
	what act
	p, c int
	l    int
	o    order
	r    report
	last bool
}

var actWords = map[act]string{
	killed:        "{p} is killed",
	cuts:          "{p} runs into drain.timeout, cuts what it has and exits",
	stops:         "{p} is stopped",
	masterDies:    "the master is killed",
	cannotAck:     "{p} cannot send the ack of {c}: it closes what came, and the link",
	continues:     "{p} continues",
	connects:      "the client connects: {c} waits in the queue",
	asks:          "the client sends a request on {c}",
	isReady:       "{p} says Ready",
	obeys:         "{p} obeys {o}",
	notices:       "{p} notices that the master is gone: it empties the queue and drains",
	exits:         "{p} has drained and exits",
	accepts:       "{p} accepts {c}",
	reads:         "{p} reads a request of {c} into its buffer",
	begins:        "{p} begins the next request of {c}",
	answers:       "{p} answers on {c}",
	quiets:        "{p} closes {c}, which was silent for drain.idle",
	sends:         "{p} sends {c} over the link",
	hears:         "{p} reads its link to the taker",
	timesOut:      "{p} has waited long enough and reads {c} again",
	givesUp:       "{p} closes its link and reads again what was not acknowledged",
	takes:         "{p} takes {c} out of the link and counts it",
	refuses:       "{p} refuses {c}",
	acks:          "{p} acknowledges {c} and begins to read it",
	inherits:      "{p} finds its giver gone: {c} is its own, and it begins to read it",
	ends:          "{p} finds the end of the link and closes it",
	masterHears:   "the master hears {r} from {p}",
	masterReaps:   "the master reaps {p} and clears its cell",
	masterKills:   "the master kills {p}, which does not beat",
	masterReloads: "a second reload begins: {p} starts",
}

var workerNames = [workers]string{"the old worker", "the new worker", "the third worker"}

func (o order) String() string {
	switch number, _, ok := o.carries(); {
	case ok && o >= orderTake:
		return "Take (from " + workerNames[linkFrom[number]] + ")"
	case ok:
		return "Give (to " + workerNames[linkTo[number]] + ")"
	case o == orderCommit:
		return "Commit"
	}
	return "Drain"
}

func (r report) String() string {
	return [...]string{"nothing", "Ready", "Serving", "Left"}[r]
}

func (a action) String() string {
	words := actWords[a.what]
	if a.last {
		words += ", the last time: Connection: close"
	}
	return strings.NewReplacer(
		"{p}", workerNames[a.p], "{c}", fmt.Sprint("connection ", a.c+1),
		"{o}", a.o.String(), "{r}", a.r.String(),
	).Replace(words)
}
