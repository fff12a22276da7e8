package master

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"srvctl/conf"
)

const (
	// watchQuiet is how long nothing may happen before files are compared:
	// editors and deployments write several times.
	watchQuiet = 250 * time.Millisecond
	// watchLimit is the longest wait for that.
	watchLimit = 2 * time.Second
)

// A watcher calls back when the files of a configuration have another content
// than what was read, or when files come that an include pattern matches. It
// looks at folders and not at files, which are replaced by renaming, also by
// way of symbolic links; it compares contents, so that a touch is no change;
// and what it compares with are the sums that conf.Load took, so that nothing is
// missed between reading and watching and a reload by hand is not done twice.
//
// What it calls a change once, it does not again until the content is another:
// a configuration that is refused is not loaded for ever.
//
// Files on network file systems change without a word to this kernel.
type watcher struct {
	changed func()
	trouble func(error)
	quiet   time.Duration
	limit   time.Duration
	// compared, when not nil, is told the result of every comparison.
	compared func(different bool)

	stopc chan struct{} // closed by close
	donec chan struct{} // closed when the goroutine has ended
	kickc chan struct{} // holds one: there is a new next

	mu   sync.Mutex
	next []conf.Watched
}

// newWatcher starts a watcher that watches nothing yet. changed and trouble are
// called by its goroutine, one at a time, and must not wait for a call of close.
func newWatcher(changed func(), trouble func(error)) *watcher {
	w := &watcher{
		changed: changed, trouble: trouble, quiet: watchQuiet, limit: watchLimit,
		stopc: make(chan struct{}), donec: make(chan struct{}), kickc: make(chan struct{}, 1),
	}
	go w.run()
	return w
}

// watch replaces what is watched: Config.Watch of the configuration that was
// read last, also if it was refused, as what repairs it may be a file that only
// that one names. Nothing is watched for nil. It does not block.
func (w *watcher) watch(what []conf.Watched) {
	w.mu.Lock()
	w.next = what
	w.mu.Unlock()
	select {
	case w.kickc <- struct{}{}:
	default: // it has not looked at the one before
	}
}

// close ends the goroutine and waits for it.
func (w *watcher) close() {
	close(w.stopc)
	<-w.donec
}

func (w *watcher) run() {
	defer close(w.donec)
	g := &guard{watcher: w, timer: time.NewTimer(w.limit)}
	g.timer.Stop()
	defer g.timer.Stop()
	defer g.leave()
	for {
		var events chan fsnotify.Event
		var failures chan error
		if g.notify != nil {
			events, failures = g.notify.Events, g.notify.Errors
		}
		select {
		case <-w.stopc:
			return
		case <-w.kickc:
			w.mu.Lock()
			what := w.next
			w.mu.Unlock()
			g.replace(what)
		case e := <-events:
			g.event(e)
		case err := <-failures:
			g.failed(err)
		case <-g.timer.C:
			g.compare()
		}
	}
}

// guard is the state of a watcher. It belongs to its goroutine.
type guard struct {
	*watcher
	what   []conf.Watched
	notify *fsnotify.Watcher // nil: nothing is watched
	tree   tree              // what notify watches

	timer *time.Timer
	since time.Time // of the first event that was not yet followed by a comparison; zero: there is none

	last sums   // at the last comparison
	told string // the trouble that was told last
}

type sums = map[string][sha256.Size]byte

func (g *guard) replace(what []conf.Watched) {
	g.what = what
	if len(what) == 0 {
		g.leave()
		return
	}
	g.arm(false)
	// For what happened before there was anybody to see it.
	g.soon()
}

// leave forgets everything.
func (g *guard) leave() {
	if g.notify != nil {
		g.notify.Close()
	}
	g.notify, g.tree, g.last, g.told, g.since = nil, nil, nil, "", time.Time{}
	g.timer.Stop()
}

// event takes what happened in one of the folders.
func (g *guard) event(e fsnotify.Event) {
	relevant, way := g.tree.concerns(e.Name)
	if !relevant {
		return
	}
	if way && e.Op&(fsnotify.Create|fsnotify.Remove|fsnotify.Rename) != 0 {
		g.arm(true) // a folder or link is another one now
	}
	g.soon()
}

// failed takes an error of the notifications: some were lost.
func (g *guard) failed(err error) {
	if !errors.Is(err, fsnotify.ErrEventOverflow) {
		g.tell(fmt.Errorf("watch the configuration files: %w: changes may be missed, use `srvctl reload`", err))
	}
	g.arm(true)
	g.soon()
}

// soon has the files compared after a while in which nothing happens.
func (g *guard) soon() {
	now := time.Now()
	if g.since.IsZero() {
		g.since = now
	}
	g.timer.Reset(min(g.quiet, g.since.Add(g.limit).Sub(now)))
}

// compare reads the files and calls back when they are others than those that
// were loaded.
func (g *guard) compare() {
	g.since = time.Time{}
	// First: what happens after the files were read has to be seen.
	g.arm(false)
	now := conf.SumsNow(g.what)
	different := !maps.Equal(now, g.last) && !maps.Equal(now, conf.Sums(g.what))
	g.last = now
	if different {
		g.changed()
	}
	if g.compared != nil {
		g.compared(different)
	}
}

// arm watches all folders that lead to the files. When it is forced, or they
// are not those that are watched, it does so from scratch: a folder that was
// made again has the same name and perhaps the same number.
func (g *guard) arm(force bool) {
	const attempts = 3 // then an event will come for what changes so fast
	for range attempts {
		t := treeOf(g.what)
		if !force && reflect.DeepEqual(t, g.tree) {
			return
		}
		force = false
		notify, err := fsnotify.NewWatcher()
		if err != nil {
			g.tell(watchError("the configuration files", err))
			return
		}
		err = t.add(notify)
		if g.notify != nil {
			g.notify.Close()
		}
		g.notify, g.tree = notify, t
		g.tell(err)
	}
}

// tell reports a trouble once. No trouble makes room for the next.
func (g *guard) tell(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != g.told && text != "" {
		g.trouble(err)
	}
	g.told = text
}

// watchError says what to do about an error of inotify.
func watchError(what string, err error) error {
	const instead = "; until then changes are not seen, use `srvctl reload`"
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("watch %s: %w: all inotify watches of this user are taken: raise fs.inotify.max_user_watches with sysctl%s", what, err, instead)
	case errors.Is(err, syscall.EMFILE):
		return fmt.Errorf("watch %s: %w: raise fs.inotify.max_user_instances with sysctl, or the limit of open files%s", what, err, instead)
	}
	return fmt.Errorf("watch %s: %w: changes there are not seen, use `srvctl reload`", what, err)
}
