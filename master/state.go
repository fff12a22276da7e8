package master

import "fmt"

// slotState says what the process of a slot is doing. Only slot.set changes it.
type slotState uint8

const (
	// slotVacant: no process and none wanted. It is the first state and, once
	// the server stops, the last. Exits: slotForking when a start is due.
	slotVacant slotState = iota

	// slotForking: another goroutine is starting the process. Exits:
	// slotStarting when it runs; slotWaiting or slotVacant when it could not be
	// started; slotDying when it runs but is no longer wanted.
	slotForking

	// slotStarting: the process has everything it needs and was told to
	// prepare. Exits: slotReady when it says so; slotDying when it says it
	// cannot, when ready_timeout has passed or when it is no longer wanted;
	// slotWaiting or slotVacant when it ended by itself.
	slotStarting

	// slotReady: the process is built and warm but accepts nothing: it waits
	// for all others of a first start. Exits: slotOpening when it is told to
	// accept; otherwise as slotStarting.
	slotReady

	// slotOpening: told to accept, has not yet said that it does. Exits:
	// slotServing when it says so; slotDraining when the server stops;
	// otherwise as slotStarting.
	slotOpening

	// slotServing: the process serves. Exits: slotDraining when the server
	// stops; slotDying when it cannot be talked to any more; slotWaiting when
	// it crashed, slotVacant when that happens while the server stops.
	slotServing

	// slotDraining: told to finish what is in flight and end. Exits:
	// slotVacant when it has ended; slotDying when the drain took too long.
	slotDraining

	// slotDying: signalled to end, not yet reaped. Exits: slotWaiting when a
	// successor is wanted, slotVacant when not.
	slotDying

	// slotWaiting: no process; the next start waits for the back-off. Exits:
	// slotForking when it is over; slotVacant when the server stops.
	slotWaiting

	numSlotStates
)

var slotNames = [numSlotStates]string{
	slotVacant:   "vacant",
	slotForking:  "forking",
	slotStarting: "starting",
	slotReady:    "ready",
	slotOpening:  "opening",
	slotServing:  "serving",
	slotDraining: "draining",
	slotDying:    "dying",
	slotWaiting:  "waiting",
}

func (s slotState) String() string { return slotNames[s] }

// slotExits lists the edges that the comments above describe. A test checks
// that every state has its row.
var slotExits = [numSlotStates][]slotState{
	slotVacant:   {slotForking},
	slotForking:  {slotStarting, slotWaiting, slotVacant, slotDying},
	slotStarting: {slotReady, slotDying, slotWaiting, slotVacant},
	slotReady:    {slotOpening, slotDying, slotWaiting, slotVacant},
	slotOpening:  {slotServing, slotDraining, slotDying, slotWaiting, slotVacant},
	slotServing:  {slotDraining, slotDying, slotWaiting, slotVacant},
	slotDraining: {slotVacant, slotDying},
	slotDying:    {slotWaiting, slotVacant},
	slotWaiting:  {slotForking, slotVacant},
}

// hasProcess reports whether a slot in this state has a process that is known
// to the loop. While it is forked it belongs to the goroutine that forks.
func (s slotState) hasProcess() bool {
	switch s {
	case slotVacant, slotForking, slotWaiting:
		return false
	}
	return true
}

// accepting reports whether the process of a slot in this state may be
// accepting connections.
func (s slotState) accepting() bool { return s == slotOpening || s == slotServing }

// phase is what the server as a whole is doing. Only master.setPhase changes it.
type phase uint8

const (
	// phaseStarting: the workers of the first start are coming up and nothing
	// is accepted. Exits: phaseServing when all of them serve; phaseStopping
	// when one of them fails or the operator stops the server.
	phaseStarting phase = iota

	// phaseServing: at least one worker was serving and none is asked to end;
	// crashed ones are restarted. Exits: phaseStopping.
	phaseServing

	// phaseStopping: readiness is false, workers drain, are signalled, end.
	// Exits: phaseGone when no process is left.
	phaseStopping

	// phaseGone: no worker is left and the loop ends. No exits.
	phaseGone

	numPhases
)

var phaseNames = [numPhases]string{
	phaseStarting: "starting",
	phaseServing:  "serving",
	phaseStopping: "stopping",
	phaseGone:     "gone",
}

func (p phase) String() string { return phaseNames[p] }

// setPhase is the only writer of m.phase. Phases go forward only.
func (m *master) setPhase(p phase) {
	if p <= m.phase {
		panic(fmt.Sprintf("master: phase %v cannot follow %v", p, m.phase))
	}
	m.phase = p
}
