package model

// A scene is a small world and what may go wrong in it.
type scene struct {
	name     string
	conns    int
	arriving int // of these, how many are not connected at first
	requests uint8
	window   int
	left     budget
	full     bool // the taker may have no room at any time
	passesOn bool // a draining taker takes what it can move on
	rejoins  bool // whoever gave to a worker that was reaped gets a link to the newest
	eye      bool // only what clients see is a mistake
}

var (
	moves     = scene{name: "a reload", conns: 2, requests: 2, window: 2}
	fulls     = scene{name: "a taker without room", conns: 2, requests: 2, window: 2, full: true}
	deafGiver = scene{name: "an ack that cannot be sent", conns: 2, requests: 2, window: 2, left: budget{failedAcks: 1, kills: 1}}
	arrivals  = scene{name: "clients that connect meanwhile", conns: 2, arriving: 2, requests: 1, window: 1, left: budget{kills: 1}}
	crashes   = scene{name: "deaths and cuts", conns: 2, requests: 2, window: 2, left: budget{kills: 2, cuts: 1}}
	replaced  = scene{name: "a successor that dies and is replaced", conns: 2, requests: 1, window: 2, left: budget{kills: 2, spares: 1}}
	stopped   = scene{name: "a process that is stopped", conns: 2, requests: 1, window: 1, left: budget{stops: 1, cuts: 1, spares: 1}}
	orphans   = scene{name: "the death of the master", conns: 2, arriving: 1, requests: 1, window: 2, left: budget{masterKills: 1, kills: 1}}
)

// scenes are those of every run. Window and requests are crossed with numbers
// of connections so that the window is full in some, and pipelines in others.
var scenes = []*scene{
	&moves, &fulls, &deafGiver, &arrivals, &crashes, &replaced, &stopped, &orphans,
	{name: "a full window", conns: 3, requests: 1, window: 2, full: true, left: budget{kills: 2, cuts: 1}},
	{name: "long pipelines", conns: 2, requests: 3, window: 2, full: true},
	{name: "a second reload", conns: 2, requests: 1, window: 2, left: budget{reloads: 1, kills: 1}},
	{name: "a second reload, taken and moved on", conns: 2, requests: 1, window: 2, left: budget{reloads: 1, kills: 1}, passesOn: true},
	{name: "a second reload, joined anew", conns: 2, requests: 1, window: 2, left: budget{reloads: 1, kills: 1}, rejoins: true},
	{name: "everything", conns: 1, requests: 1, window: 1, full: true,
		left: budget{kills: 1, cuts: 1, failedAcks: 1, masterKills: 1, reloads: 1, spares: 1}},
}

// longScenes are those of SOAK=1.
var longScenes = []*scene{
	{name: "three pipelines", conns: 3, requests: 2, window: 2, full: true, left: budget{kills: 1}},
	{name: "a second reload, long", conns: 2, requests: 2, window: 2, full: true, left: budget{reloads: 1, kills: 1}},
	{name: "a second reload, no room", conns: 2, requests: 1, window: 2, full: true, left: budget{reloads: 1, kills: 1}},
	{name: "everything, joined anew", conns: 1, requests: 2, window: 2, full: true, rejoins: true, passesOn: true,
		left: budget{kills: 2, cuts: 1, stops: 1, failedAcks: 1, masterKills: 1, reloads: 1, spares: 1}},
	{name: "everything, two connections", conns: 2, arriving: 1, requests: 1, window: 2,
		left: budget{kills: 1, cuts: 1, failedAcks: 1, masterKills: 1, reloads: 1, spares: 1}},
}

// start is the first state: the old worker serves, the new one is starting.
func (sc *scene) start() (w world) {
	w.master = true
	w.left = sc.left
	w.workers[older] = worker{life: serving, listening: true, seen: accepting}
	w.workers[newer].launch()
	for c := sc.arriving; c < sc.conns; c++ {
		w.accept(older, c)
	}
	return w
}
