package worker

import (
	"runtime"

	"srvctl/conf"
	"srvctl/proto/control"
	"srvctl/proto/http1"
	"srvctl/shared/limit"
	"srvctl/shared/logging"
	"srvctl/shared/metrics"
	"srvctl/shared/sock"
	"srvctl/worker/conn"
	"srvctl/worker/loop"
	"srvctl/worker/serve"
)

// worker is the process. Everything but control's reading side belongs to the
// loop's goroutine once the loop runs.
type worker struct {
	begin    control.Begin
	conf     *conf.Config
	checksum uint64
	control  *sock.Conn
	frame    []byte // to encode frames in

	loop *loop.Loop
	srv  *conn.Server
	pool *serve.Pool
	host *limit.Host
	cell *metrics.Cell

	listeners  []*listener // by number
	log        *logging.Logger
	siteNames  [][]byte   // for the access log, by site
	routeNames [][][]byte // by site and route
	logs       accessLogs

	beat     int64 // a turn comes at least so often
	nextDate int64 // when the Date field changes, on the loop's clock
	wall     int64 // wall clock minus the loop's clock
	serving  bool  // Commit has come
	notReady bool
	drain    *draining
	giver    *giver // to whom connections go when this process drains
	received []byte // frames of links to other workers
	// unconfirmed is how many connections are on their way to others.
	unconfirmed int
	short       bool // accepting pauses for lack of descriptors
}

const poolDepth = 1024

func poolWorkers() int { return max(4, 2*runtime.NumCPU()) }

func connLimits(c *conf.Config) conn.Limits {
	l := &c.Limits
	return conn.Limits{
		Head:          http1.Limits{RequestLine: l.RequestLine, HeaderBytes: l.HeaderBytes, HeaderCount: l.HeaderCount},
		Body:          l.BodyBytes,
		HeaderTimeout: int64(l.HeaderTimeout),
		KeepAlive:     int64(l.KeepaliveTimeout),
		Requests:      l.KeepaliveRequests,
		MinRate:       int64(l.MinRate.BytesPerSecond),
		Grace:         int64(l.MinRate.Grace),
		DrainIdle:     int64(c.Drain.Idle),
	}
}
