package ledger

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Form is a way to use connections.
type Form uint8

const (
	Keep Form = iota
	Fresh
	Dribble
	Pipeline
	forms
)

func (f Form) String() string {
	return [...]string{"keep", "fresh", "dribble", "pipeline"}[f]
}

// Options say whom to ask, and how.
type Options struct {
	// Addr is a TCP address, or "unix:" and a path. The site there has Routes.
	Addr string
	// Connections of each form at a time; none are not used.
	Connections map[Form]int
	// Pause is the longest pause between two requests of Fresh and Pipeline; 0
	// is none. (Keep has its own, up to 50 ms.)
	Pause time.Duration
	// Idle is the server's drain.idle: so long a silent connection stays open
	// when its end is not announced. At least a second, or the pauses and a busy
	// machine come too near to it.
	Idle time.Duration
	// Stay wants connections to last until a client ends them: any end that it
	// has not asked for is a fault, announced or after however long a silence.
	Stay bool
	// From is the first number, for several ledgers of one server.
	From int64
	// AllowRefusal is the state that SetAllowRefusal changes.
	AllowRefusal bool
	// Patience is how long an answer may take; 0 is 20 s.
	Patience time.Duration
}

// Ledger is the clients that run and what they have written down.
type Ledger struct {
	o             Options
	network, addr string
	began         time.Time
	stopc         chan struct{} // closed by Stop
	wg            sync.WaitGroup
	refusal       atomic.Bool
	answered      atomic.Int64
	troubles      atomic.Int64

	mu      sync.Mutex
	numbers []entry // by number, from Options.From on
	rows    [forms]Row
	took    [forms][]uint32 // latencies in microseconds
	faults  []Fault
	counted [classes]int // faults of each class, also of those not kept
}

// state is what became of a number.
type state uint8

const (
	stateSent       state = iota // its first byte has been written, no more is known
	stateAnswered                // whole and right
	stateAbandoned               // something else came, to it or to one before it on its connection
	stateLost                    // nothing came, or half of it
	stateRaced                   // sent into the end of a connection that was silent too long
	stateUnaccepted              // sent to an address that was about to go
	stateUnsent                  // known to be unprocessed, and not sent again because the ledger stopped
)

type entry struct {
	form  Form
	state state
}

// Start starts the clients.
func Start(o Options) *Ledger {
	if o.Patience == 0 {
		o.Patience = 20 * time.Second
	}
	l := &Ledger{o: o, network: "tcp", addr: o.Addr, began: time.Now(), stopc: make(chan struct{})}
	if path, ok := strings.CutPrefix(o.Addr, "unix:"); ok {
		l.network, l.addr = "unix", path
	}
	l.refusal.Store(o.AllowRefusal)
	seed := rand.Uint64()
	for form := range forms {
		l.rows[form].Form = form.String()
		for i := range o.Connections[form] {
			c := &client{l: l, form: form, random: rand.New(rand.NewPCG(seed, uint64(form)<<32|uint64(i))), space: make([]byte, 32<<10)}
			l.wg.Go(c.run)
		}
	}
	return l
}

// SetAllowRefusal says that from now on the address may be gone, or must not.
// Before it is taken away and after it has come back are the moments to call it.
func (l *Ledger) SetAllowRefusal(allow bool) { l.refusal.Store(allow) }

// Answered is the number of answers so far.
func (l *Ledger) Answered() int64 { return l.answered.Load() }

// Troubles is the number of faults so far.
func (l *Ledger) Troubles() int64 { return l.troubles.Load() }

// Stop lets no client ask anything new and waits until each has its answers.
func (l *Ledger) Stop() {
	select {
	case <-l.stopc:
	default:
		close(l.stopc)
	}
	l.wg.Wait()
}

func (l *Ledger) stopping() bool {
	select {
	case <-l.stopc:
		return true
	default:
		return false
	}
}

// number gives out the next one. It counts as sent from here on.
func (l *Ledger) number(form Form) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.numbers = append(l.numbers, entry{form: form})
	return l.o.From + int64(len(l.numbers)) - 1
}

func (l *Ledger) settle(number int64, s state) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.numbers[number-l.o.From].state = s
	if s == stateAnswered {
		l.answered.Add(1)
	}
}

// Class is a kind of fault.
type Class uint8

const (
	Lost     Class = iota // a request in flight got no answer
	Reset                 // a connection was broken by RST
	Wrong                 // an answer came that was not the one due
	Early                 // a silent connection was ended too soon without notice
	Ended                 // an answer announced an end, and Options.Stay wants none
	Refused               // nobody listened
	Doubled               // a number is in the log more than once
	Unlogged              // an answered number is not in the log
	Unknown               // a number in the log that was never sent
	classes
)

func (c Class) String() string {
	return [...]string{"lost", "reset", "wrong", "early", "ended", "refused", "doubled", "unlogged", "unknown"}[c]
}

// Fault is one thing that must not happen.
type Fault struct {
	Class Class
	Form  Form
	After time.Duration // since Start
	Text  string
}

func (f Fault) String() string {
	return fmt.Sprintf("%8.3fs %s %s: %s", f.After.Seconds(), f.Form, f.Class, f.Text)
}

// mostFaults bounds those of a class that are kept with their text.
const mostFaults = 20

func (l *Ledger) fault(class Class, form Form, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faultLocked(class, form, fmt.Sprintf(format, args...))
}

func (l *Ledger) faultLocked(class Class, form Form, text string) {
	l.troubles.Add(1)
	l.rows[form].Faults[class]++
	if l.counted[class]++; l.counted[class] <= mostFaults {
		l.faults = append(l.faults, Fault{class, form, time.Since(l.began), text})
	}
}
