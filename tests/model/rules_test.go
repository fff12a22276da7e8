package model

// rules is the set of rules that are broken. None is, in the server.
type rules uint64

func (r rules) has(broken rules) bool { return r&broken != 0 }

const (
	readsBeforeAck rules = 1 << iota
	acksBeforeCount
	keepsUnacknowledged
	closesOrphans
	dropsOrphans
	keepsRefused
	closesWithoutDel

	resumesOnTimeout
	takesHangupForEnd
	takesResetForEnd
	secondGiveDropsFirst
	hangsUpAlive
	forgetsUnacknowledged
	exitsUnacknowledged
	offersAgain
	closesAtSend
	countsAtSend
	neverCountsOff
	keepsWatching
	leavesBytes
	movesBusy
	tellsAway
	closesIdle

	drainsBeforeServing
	drainsBeforeGive
	keepsListening
	orphanLeavesQueue
	drainTrustsSuccessor
	masterKeepsEnds
	keepsDeadCells
	clearsEarly

	lastRule = clearsEarly
)

// A mutant is the protocol with one rule broken.
type mutant struct {
	broken rules
	rule   string  // that it breaks
	scene  *scene  // in which that shows
	finds  []wrong // what the first complaint is
	client []wrong // what the client sees of it when nobody stops it there; none: nothing
}

var mutants = []mutant{
	{readsBeforeAck, "the taker acknowledges before it reads", &crashes,
		[]wrong{foreignReader}, []wrong{gapInBytes, answeredTwice, answeredWrong}},
	{acksBeforeCount, "the taker counts before it acknowledges", &moves, []wrong{countedLow}, nil},
	{keepsUnacknowledged, "a taker whose ack cannot be sent closes the link without having read", &deafGiver,
		[]wrong{foreignReader}, []wrong{stuck, gapInBytes, answeredTwice, answeredWrong}},
	{closesOrphans, "what a dead giver sent belongs to the taker", &crashes, []wrong{lost}, []wrong{lost}},
	{dropsOrphans, "the taker reads the link to its end", &crashes, []wrong{lost}, []wrong{lost}},
	{keepsRefused, "what is refused is closed", &fulls, []wrong{leak}, nil},
	{closesWithoutDel, "a connection is taken out of epoll before it is closed", &orphans, []wrong{ghost}, nil},

	{resumesOnTimeout, "the giver never takes back on a timeout", &moves,
		[]wrong{foreignReader, forgotten}, []wrong{gapInBytes, answeredTwice, answeredWrong}},
	{takesHangupForEnd, "the giver reads the verdicts before the end", &crashes,
		[]wrong{foreignReader}, []wrong{gapInBytes, answeredTwice, answeredWrong}},
	{takesResetForEnd, "a reset is not the end of the link", &crashes,
		[]wrong{foreignReader}, []wrong{gapInBytes, answeredTwice, answeredWrong}},
	{secondGiveDropsFirst, "the first link is read to its end before a second one replaces it", &replaced,
		[]wrong{foreignReader}, []wrong{gapInBytes, answeredTwice, answeredWrong}},
	{hangsUpAlive, "a giver that lives closes a link only after its end", &moves,
		[]wrong{foreignReader}, []wrong{gapInBytes, answeredTwice, answeredWrong}},
	{forgetsUnacknowledged, "at the end of the link the giver takes back what was not acknowledged", &crashes,
		[]wrong{forgotten}, []wrong{stuck}},
	{exitsUnacknowledged, "the drain is not over while a connection is unacknowledged", &fulls,
		[]wrong{miscounted, lost}, []wrong{lost}},
	{offersAgain, "what was refused or taken back does not move again", &fulls, []wrong{stuck}, []wrong{stuck}},
	{closesAtSend, "the giver keeps its descriptor until the ack", &crashes, []wrong{lost, countedLow}, []wrong{lost}},
	{countsAtSend, "the giver counts off when the ack comes", &moves, []wrong{countedLow}, nil},
	{neverCountsOff, "what has moved is counted once", &moves, []wrong{miscounted}, nil},
	{keepsWatching, "the giver takes the connection out of epoll before it sends it", &moves, []wrong{ghost}, nil},
	{leavesBytes, "what was read and not consumed travels with the connection", &moves,
		[]wrong{gapInBytes, stuck}, []wrong{gapInBytes, stuck}},
	{movesBusy, "a connection moves at a message boundary", &moves,
		[]wrong{answeredWrong, stuck}, []wrong{answeredWrong, stuck}},
	{tellsAway, "no answer says Connection: close while the connection can move", &moves, []wrong{toldAway}, nil},
	{closesIdle, "an idle connection that can move is not closed", &moves, []wrong{toldAway}, nil},

	{drainsBeforeServing, "Drain goes out when the successor serves", &moves, []wrong{unattended}, nil},
	{drainsBeforeGive, "Give goes out before Drain", &moves, []wrong{toldAway}, nil},
	{keepsListening, "a draining worker has left the listener", &arrivals, []wrong{squatter}, nil},
	{orphanLeavesQueue, "a worker without a master empties the queue", &orphans, []wrong{lostQueued}, []wrong{lostQueued}},
	{drainTrustsSuccessor, "a worker whose master is dead empties the queue also when Drain says that it has a successor", &orphans,
		[]wrong{lostQueued}, []wrong{lostQueued}},
	{masterKeepsEnds, "the master keeps no end of a link", &crashes, []wrong{stuck}, []wrong{stuck}},
	{keepsDeadCells, "the master clears the cell of a dead worker", &crashes, []wrong{miscounted}, nil},
	{clearsEarly, "a cell is cleared when its process is dead, not before", &moves, []wrong{countedLow, miscounted}, nil},
}
