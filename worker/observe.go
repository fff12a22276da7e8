package worker

import (
	"net/netip"
	"os"
	"strings"
	"time"

	"srvctl/conf"
	"srvctl/proto/http1"
	"srvctl/shared/logging"
	"srvctl/worker/conn"
	"srvctl/worker/serve"
)

// Done counts a finished exchange and writes its line into the access log.
func (w *worker) Done(c *conn.Conn, x *serve.Exchange, body int64) {
	took := w.srv.Now - x.Started
	w.cell.Request(x.Site, x.Res.Status, took)
	if log := w.logs.of(x.Site); log != nil {
		w.writeAccess(log, x, body, took)
	}
}

// Refused counts a head or a body that was not understood.
func (w *worker) Refused(_ *conn.Conn, r http1.Reason) { w.cell.ParseError(int(r)) }

// Rejected counts an answer to what was no request, and writes its line.
func (w *worker) Rejected(c *conn.Conn, code int) {
	w.cell.Request(-1, code, 0)
	if log := w.logs.all; log != nil {
		log.Append(&logging.Record{
			Time: time.Unix(0, w.srv.Now+w.wall), Client: w.logs.address(c.Peer),
			Scheme: schemeHTTP, Status: code, Worker: w.begin.Slot,
		})
		w.flushLogsSoon()
	}
}

// Aborted counts an exchange whose client did not get all of its answer.
func (w *worker) Aborted(c *conn.Conn, x *serve.Exchange, body int64) { w.Done(c, x, body) }

// Closed counts a connection out.
func (w *worker) Closed(*conn.Conn) {
	w.host.Add(w.begin.Index, -1)
	if d := w.drain; d != nil && !d.cutting {
		d.finished++
		w.finishWhenEmpty()
	}
}

// accessLogs are the access logs of the process: one for all sites, and those
// that sites have of their own.
type accessLogs struct {
	all    *logging.Access
	sites  []*logging.Access // by site; nil: as all
	off    []bool            // by site: it has said so
	client []byte
	armed  bool
	lost   uint64 // lines, as far as they are counted
}

// init makes room for the logs of these sites.
func (a *accessLogs) init(c *conf.Config) {
	a.sites = make([]*logging.Access, len(c.Sites))
	a.off = make([]bool, len(c.Sites))
	for i := range c.Sites {
		own := c.Sites[i].AccessLog
		a.off[i] = own != nil && own.Output == ""
	}
}

// of returns the log that a site's requests go to; nil for none.
func (a *accessLogs) of(site int) *logging.Access {
	if uint(site) >= uint(len(a.sites)) {
		return a.all
	}
	if log := a.sites[site]; log != nil {
		return log
	}
	if a.off[site] {
		return nil
	}
	return a.all
}

// take gives a log its file: "access" for all sites, "access:NAME" for one.
func (a *accessLogs) take(c *conf.Config, name string, f *os.File) {
	at, format := &a.all, c.AccessLog.Format
	if site, ok := strings.CutPrefix(name, "access:"); ok {
		i := siteNamed(c, site)
		if i < 0 || c.Sites[i].AccessLog == nil {
			f.Close()
			return
		}
		at, format = &a.sites[i], c.Sites[i].AccessLog.Format
	}
	if *at != nil {
		(*at).Swap(f)
		return
	}
	*at = logging.NewAccess(f, format)
}

func siteNamed(c *conf.Config, name string) int {
	for i := range c.Sites {
		if c.Sites[i].Name == name {
			return i
		}
	}
	return -1
}

// address is the client as text, valid until the next call.
func (a *accessLogs) address(client netip.Addr) []byte {
	a.client = a.client[:0]
	if client.IsValid() {
		a.client = client.AppendTo(a.client)
	}
	return a.client
}

func (a *accessLogs) each(f func(*logging.Access)) {
	if a.all != nil {
		f(a.all)
	}
	for _, log := range a.sites {
		if log != nil {
			f(log)
		}
	}
}

// countLost tells of the lines that were dropped because a pipe or a disk was
// full.
func (w *worker) countLost() {
	var lost uint64
	w.logs.each(func(log *logging.Access) { lost += log.Dropped() })
	w.cell.AccessDropped(int(lost - w.logs.lost))
	w.logs.lost = lost
}

func (a *accessLogs) close() { a.each((*logging.Access).Close) }

// accessDelay is how long a line may wait for others before it is written.
const accessDelay = 100 * time.Millisecond

func (w *worker) writeAccess(log *logging.Access, x *serve.Exchange, body, took int64) {
	a := &w.logs
	agent, _ := x.Req.Header("user-agent")
	referer, _ := x.Req.Header("referer")
	r := logging.Record{
		Time:   time.Unix(0, w.srv.Now+w.wall),
		Client: a.address(x.Req.Client), Method: x.Req.MethodBytes(), Scheme: schemeHTTP,
		Host: x.Req.HostBytes(), Path: x.Req.Target.Of(x.Req.Buf), Protocol: protocols[x.Req.Minor&1],
		Status: x.Res.Status, Bytes: body, DurationUS: took / 1000,
		UserAgent: agent, Referer: referer, Worker: w.begin.Slot,
	}
	if uint(x.Site) < uint(len(w.siteNames)) {
		r.Site = w.siteNames[x.Site]
		if uint(x.Route) < uint(len(w.routeNames[x.Site])) {
			r.Route = w.routeNames[x.Site][x.Route]
		}
	}
	log.Append(&r)
	w.flushLogsSoon()
}

// flushLogsSoon makes sure that the lines at hand are written.
func (w *worker) flushLogsSoon() {
	a := &w.logs
	if a.armed {
		return
	}
	a.armed = true
	w.loop.Timer(int64(accessDelay), func() int64 {
		a.armed = false
		a.each((*logging.Access).Flush)
		return 0
	})
}

var (
	schemeHTTP = []byte("http")
	protocols  = [2][]byte{[]byte("HTTP/1.0"), []byte("HTTP/1.1")}
)
