package master

import (
	"errors"
	"fmt"
	"hash/fnv"
	"syscall"
	"time"

	"srvctl/conf"
	"srvctl/shared/metrics"
	"srvctl/shared/sock"
)

// A draft is a generation to be, with everything that was taken from the
// system for it. It is made beside the loop, because looking up names and
// opening files may take long, and before anything else changes, because
// anything of it may fail. Whoever gets one adopts or discards it.
type draft struct {
	gen   *generation
	bound []*sock.Set // by listener; nil: the server has this address already,
	kept  []*sock.Set // and this is its set, which belongs to the loop
	admin *admin      // nil: as it is
}

// A setting is what the server has already while a draft is made. It shares
// nothing with the loop.
type setting struct {
	kept      map[string][]*sock.Set // of listeners, by address; they belong to the loop
	own       []*sock.Set            // copies of their sockets, whose options may be changed
	given     [][]int                // by listener: sockets that this process was started with
	admin     string                 // address of the admin pages as configured
	patience  time.Duration          // how long to wait for an address that is taken
	daemonLog string                 // takes the place of standard output and error
}

// settingNow returns the setting for a draft that follows the generation in
// force. Whoever uses it closes it.
func (m *master) settingNow() (setting, error) {
	now := setting{kept: make(map[string][]*sock.Set), admin: m.gen.config.Admin.Address, daemonLog: m.daemonLog}
	for _, l := range m.gen.listeners {
		if m.env.reachable(l.set) {
			now.kept[l.set.Spec.Address] = append(now.kept[l.set.Spec.Address], l.set)
		}
		copied := *l.set
		var err error
		if copied.Files, err = duplicate(l.set.Files); err != nil {
			now.close()
			return setting{}, shortage(err)
		}
		now.own = append(now.own, &copied)
	}
	return now, nil
}

func (s *setting) close() {
	for _, set := range s.own {
		closeAll(set.Files)
	}
	s.own = nil
}

// draft takes what a configuration needs, or says everything that is in the
// way of it and leaves nothing behind.
func (m *master) draft(number int, c *conf.Config, has setting) (_ *draft, err error) {
	d := &draft{gen: newGeneration(number, c), bound: make([]*sock.Set, len(c.Listeners)), kept: make([]*sock.Set, len(c.Listeners))}
	defer func() {
		if err != nil {
			d.discard()
		}
	}()
	g := d.gen
	g.layout = layoutOf(m.opts, c)
	if note := filesNote(c, raiseFiles(c)); note != "" {
		g.notes = append(g.notes, note)
	}
	var errs []error
	var note string
	if g.user, note, err = workerUser(c.User); err != nil {
		errs = append(errs, err)
	} else if note != "" {
		g.notes = append(g.notes, note)
	}
	outputs := logOutputs(c, has.daemonLog)
	if err := ownFiles(outputs, c, m.paths); err != nil {
		errs = append(errs, err)
	} else if g.logs, err = openLogs(m.env.open, outputs, nil); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, d.bind(has))
	if address := c.Admin.Address; address != has.admin {
		if d.admin, err = m.serveAdmin(address); err != nil {
			errs = append(errs, err)
		}
	}
	errs = append(errs, g.seal())
	return d, errors.Join(errs...)
}

// bind binds the listeners whose addresses the server does not have.
func (d *draft) bind(has setting) error {
	var errs []error
	for i := range d.gen.config.Listeners {
		l := &d.gen.config.Listeners[i]
		if sets := has.kept[l.Address]; len(sets) > 0 { // several of port 0 share an address
			d.kept[i], has.kept[l.Address] = sets[0], sets[1:]
			continue
		}
		var set *sock.Set
		var err error
		if i < len(has.given) && len(has.given[i]) > 0 {
			set, err = sock.Adopt(specOf(l), has.given[i], len(d.gen.slots))
		} else {
			set, err = bindPatiently(specOf(l), len(d.gen.slots), has)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("listener %s: %w", l.Name, err))
			continue
		}
		d.bound[i] = set
		if set.Note != "" {
			d.gen.notes = append(d.gen.notes, fmt.Sprintf("listener %s: %s", l.Name, set.Note))
		}
	}
	return errors.Join(errs...)
}

// bindPatiently binds a listener. Where the setting says so it waits for an
// address that is taken to become free, for which there is no signal.
func bindPatiently(spec sock.Spec, slots int, has setting) (*sock.Set, error) {
	const pause = 10 * time.Millisecond
	end := time.Now().Add(has.patience)
	for {
		set, err := sock.BindBeside(spec, slots, has.own)
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) || time.Until(end) < pause {
			return set, err
		}
		<-time.After(pause)
	}
}

// seal puts the configuration where workers can read it and nobody can change
// it.
func (g *generation) seal() error {
	text, err := g.config.Encode()
	if err != nil {
		return err
	}
	h := fnv.New64a()
	h.Write(text)
	g.checksum = h.Sum64()
	g.sealed, err = sock.Sealed("srvctl-config", text)
	return shortage(err)
}

// unseal gives the configuration's memory back. Workers have theirs.
func (g *generation) unseal() {
	if g.sealed >= 0 {
		closeAll([]int{g.sealed})
		g.sealed = -1
	}
}

// discard gives back what was taken.
func (d *draft) discard() {
	for _, set := range d.bound {
		if set != nil {
			set.Close()
		}
	}
	d.release()
}

// release gives back what is not a socket.
func (d *draft) release() {
	if d.admin != nil {
		d.admin.close()
	}
	if d.gen.logs != nil {
		d.gen.logs.discard()
	}
	d.gen.unseal()
}

func layoutOf(o Options, c *conf.Config) metrics.Layout {
	l := metrics.LayoutOf(siteNames(c), listenerNames(c), o.ParseReasons...)
	if o.RefusedReasons != nil {
		l.RefusedReasons = o.RefusedReasons
	}
	return l
}

// siteNames and listenerNames are in the order of the configuration: with them
// the master and the workers agree on what each counter means.
func siteNames(c *conf.Config) []string {
	names := make([]string, len(c.Sites))
	for i, s := range c.Sites {
		names[i] = s.Name
	}
	return names
}

func listenerNames(c *conf.Config) []string {
	names := make([]string, len(c.Listeners))
	for i, l := range c.Listeners {
		names[i] = l.Name
	}
	return names
}
