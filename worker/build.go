package worker

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"srvctl/conf"
	"srvctl/worker/route"
	"srvctl/worker/serve"
	"srvctl/worker/static"
)

// What a worker keeps of files in memory, for all its sites together.
const (
	hotFileBytes = 32 << 20
	hotFileSize  = 64 << 10
	openFiles    = 512
	filesTick    = int64(15e9) // how often what nobody asks for is let go
)

// buildSite turns the configuration into the handler of every request.
func (w *worker) buildSite() (serve.Handler, error) {
	c := w.conf
	files := static.NewCache(static.CacheOptions{
		Bytes: hotFileBytes, FileSize: hotFileSize, OpenFiles: openFiles,
		Trouble: func(err error) {
			w.log.Error("file not served", "err", err, "hint", "raise limits.open_files or free memory")
		},
	})
	w.loop.Timer(filesTick, func() int64 { files.Tick(w.loop.Now()); return filesTick })
	sites := make([]route.Site, len(c.Sites))
	w.siteNames = make([][]byte, len(c.Sites))
	w.routeNames = make([][][]byte, len(c.Sites))
	for i := range c.Sites {
		s := &c.Sites[i]
		w.siteNames[i] = []byte(s.Name)
		sites[i] = route.Site{Hosts: s.Hosts, Listeners: w.listenerNumbers(s.Listeners)}
		for j := range s.Routes {
			r := &s.Routes[j]
			h, err := w.buildHandler(r, files)
			if err != nil {
				return nil, explain(r, err)
			}
			sites[i].Routes = append(sites[i].Routes, route.Route{Methods: r.Methods, Pattern: r.Pattern, Handler: h})
			w.routeNames[i] = append(w.routeNames[i], []byte(r.Match))
		}
	}
	return route.New(sites, len(c.Listeners))
}

// explain says where a route that cannot be served was written, and what to do
// when that is a matter of who this process is.
func explain(r *conf.Route, err error) error {
	where := ""
	if r.Pos.File != "" {
		where = r.Pos.String() + ": "
	}
	todo := ""
	if errors.Is(err, os.ErrPermission) {
		todo = fmt.Sprintf(": workers run as uid %d: let that user enter the folder and those above it, or set `user`", os.Geteuid())
	}
	return fmt.Errorf("%sroute %q: %w%s", where, r.Match, err, todo)
}

func (w *worker) listenerNumbers(names []string) []int {
	var numbers []int
	for i := range w.conf.Listeners {
		if slices.Contains(names, w.conf.Listeners[i].Name) {
			numbers = append(numbers, i)
		}
	}
	return numbers
}

func (w *worker) buildHandler(r *conf.Route, files *static.Cache) (serve.Handler, error) {
	switch {
	case r.Respond != nil:
		fields := make([]serve.Field, len(r.Respond.Headers))
		for i, f := range r.Respond.Headers {
			fields[i] = serve.Field{Name: f.Name, Value: f.Value}
		}
		return serve.NewRespond(r.Respond.Status, fields, r.Respond.Body), nil
	case r.Redirect != nil:
		return serve.NewRedirect(r.Redirect.To, r.Redirect.Status), nil
	case r.Health != nil:
		return serve.NewHealth(r.Health.Kind, func() bool { return !w.notReady }), nil
	case r.Echo != nil:
		return serve.NewEcho(r.Echo.What), nil
	case r.Files != nil:
		return static.New(static.Options{
			Root: r.Files.Root, Index: r.Files.Index, CacheControl: r.Files.CacheControl,
			Types: w.conf.MIMETypes, Cache: files,
		})
	}
	return nil, fmt.Errorf("has no handler")
}
